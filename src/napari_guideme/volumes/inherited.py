"""What a slice began from: what was carried to it before it was corrected itself."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
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
from napari_guideme.hints import Hints, TextHint
from napari_guideme.hints_json import hint_from_json, hint_to_json
from napari_guideme.volumes.sayings import Saying, Tell


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
    sayings
        What was told to the slice before they act.
    """

    anchors: Anchors
    index: int
    thickness: float
    anywhere: bool = False
    sayings: tuple[Saying, ...] = ()

    def logits(self, scene: Scene, tell: Tell) -> Tensor:
        """Logits (K, *spatial) of the slice.

        Parameters
        ----------
        scene
            What the network sees of it.
        tell
            Lets it follow words.
        """
        scene = tell(scene, [saying.hint for saying in self.sayings])
        if self.anywhere:
            return self.anchors.elsewhere().added(scene.logits, scene, KERNEL)
        beyond = self.anchors.beyond(self.index, self.thickness)
        return self.anchors.added(scene.logits, scene, KERNEL, beyond)

    def shifted(self, scene: Scene, tell: Tell) -> Scene:
        """The slice as whoever corrects it now finds it."""
        return scene.shifted(self.logits(scene, tell) - scene.logits)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; tensors as a file of safetensors in base64."""
        return {
            "index": self.index,
            "thickness": self.thickness,
            "anywhere": self.anywhere,
            "anchors": _written(self.anchors),
            "sayings": [
                {"hint": hint_to_json(saying.hint), "anchors": _written(saying.anchors)}
                for saying in self.sayings
            ],
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

        def read(encoded: Any) -> Anchors:
            tensors = load(base64.b64decode(encoded, validate=True))
            found = anchors_of(tensors, channels, scene.shape, len(network.classes))
            return found.to(network.device)

        try:
            anchors = read(entries["anchors"])
            told = int(entries["index"]), float(entries["thickness"]), bool(entries["anywhere"])
            # Earlier versions told no sentences on.
            said = [_said(entry, read) for entry in entries.get("sayings", ())]
            Hints(tuple(saying.hint for saying in said)).check(scene.shape, network.classes)
        except BROKEN as error:
            raise InputError(f"what a slice began from is broken: {first_line(error)}") from error
        return cls(anchors, *told, tuple(said))


def _written(anchors: Anchors) -> str:
    return base64.b64encode(save(apart(tensors_of(anchors)))).decode()


def _said(entry: Mapping[str, Any], read: Callable[[Any], Anchors]) -> Saying:
    hint = hint_from_json(entry["hint"], "what was said")
    if not isinstance(hint, TextHint):
        raise ValueError("what was said is no text")
    return Saying(hint, read(entry["anchors"]))
