"""What a slice began from: a correction that was carried to it before it was corrected itself."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from napari_guideme.errors import InputError
from napari_guideme.files import first_line
from napari_guideme.guidance.anchor_tensors import BROKEN, anchors_of, apart, tensors_of
from napari_guideme.guidance.applying import KERNEL
from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.scene import Scene


@dataclass(frozen=True)
class Inherited:
    """Anchors that were carried to a slice.

    Attributes
    ----------
    anchors
        What was left of them there.
    index, thickness
        Number of the slice, and the distance between slices in typical pixels of the
        plane.
    anywhere
        Whether they act where places mean nothing.
    """

    anchors: Anchors
    index: int
    thickness: float
    anywhere: bool = False

    def logits(self, scene: Scene) -> Tensor:
        """Logits (K, *spatial) of the slice, of which `scene` is what the network sees."""
        if self.anywhere:
            return self.anchors.elsewhere().added(scene.logits, scene, KERNEL)
        beyond = self.anchors.beyond(self.index, self.thickness)
        return self.anchors.added(scene.logits, scene, KERNEL, beyond)

    def shifted(self, scene: Scene) -> Scene:
        """The slice as whoever corrects it now finds it."""
        return scene.shifted(self.logits(scene) - scene.logits)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; tensors as a file of safetensors in base64."""
        return {
            "index": self.index,
            "thickness": self.thickness,
            "anywhere": self.anywhere,
            "anchors": base64.b64encode(save(apart(tensors_of(self.anchors)))).decode(),
        }

    @classmethod
    def from_json(cls, entries: Mapping[str, Any], scene: Scene) -> Inherited:
        """Read plain values; nothing in them is executed.

        Parameters
        ----------
        entries
            Of :meth:`to_json`.
        scene
            The slice, which tells what can be meant.

        Raises
        ------
        InputError
            If they are broken, or about another slice or network.
        """
        network = scene.network
        channels = [network.guide_point(name).channels for name in network.feature_points]
        try:
            tensors = load(base64.b64decode(entries["anchors"], validate=True))
            anchors = anchors_of(tensors, channels, scene.shape, len(network.classes))
            told = int(entries["index"]), float(entries["thickness"]), bool(entries["anywhere"])
        except BROKEN as error:
            raise InputError(f"what a slice began from is broken: {first_line(error)}") from error
        return cls(anchors.to(network.device), *told)
