"""Saved guidance: a correction as a file of a few kilobytes, for other slices and images.

A ``.guidance.safetensors`` file holds the support of the residual (features of the hinted
pixels, their places and weights) and how the features were spread where they were clicked:
that acts, whichever method corrected the image. Hints, the method's name, its guide point and
the values of its variable, which mean little elsewhere, are kept to tell how it came about; words
do not act. It holds no pixel and no name of the image. Nothing in it is executed when it is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from napari_guideme.errors import InputError
from napari_guideme.files import check_writable, first_line
from napari_guideme.files.tensors import write_tensors
from napari_guideme.guidance.anchor_tensors import BROKEN, anchors_of, apart, tensors_of, under
from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.methods import method_named
from napari_guideme.guidance.scene import Scene
from napari_guideme.hints import Hints
from napari_guideme.hints_json import hints_from_json, hints_to_json
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.spacing import relative

SUFFIX = ".guidance.safetensors"
_FORMAT = "napari-guideme guidance 1"


@dataclass(frozen=True)
class Corrected:
    """What was found for one slice or image.

    Attributes
    ----------
    index
        Number of the slice; 0 of a single image.
    anchors
        The support.
    hints
        What was said there. Its clicks and scribbles made the support; words do not act.
    values
        Of the variable of the method, ``None`` if it has none; they do not act.
    """

    index: int
    anchors: Anchors
    hints: Hints
    values: Tensor | None = None


@dataclass(frozen=True)
class SavedGuidance:
    """Corrections of a frozen network, apart from the images they were made for.

    Attributes
    ----------
    network, fingerprint
        Name and SHA-256 of the network, see `FrozenNetwork.fingerprint`.
    classes
        Of the network.
    guide_point, feature_points
        Where the values of the variable were found, and where features were read.
    preparation
        What the network expects, see `Preparation.to_dict`.
    method
        Name of the method that corrected the image; what acts is always the residual.
    corrected
        One entry for each slice that was corrected, by rising number.
    shape
        Rows and columns of a slice.
    thickness
        Distance between slices in typical pixels of the plane; 0 for a single image.
    spacing
        Height and width of a pixel of a slice, in typical ones.
    spreads
        Mean and standard deviation of each channel where it was clicked, (2, C) for
        each level.
    """

    network: str
    fingerprint: str
    classes: tuple[str, ...]
    guide_point: str
    feature_points: tuple[str, ...]
    preparation: Mapping[str, Any]
    method: str
    corrected: tuple[Corrected, ...]
    shape: tuple[int, ...]
    thickness: float
    spacing: tuple[float, ...]
    spreads: tuple[Tensor, ...]

    @classmethod
    def of(
        cls, scene: Scene, method: str, corrected: Sequence[Corrected], thickness: float = 0.0
    ) -> SavedGuidance:
        """Gather what was found on a scene, or on slices like it.

        Parameters
        ----------
        scene
            The first slice that was corrected.
        method, corrected, thickness
            See the attributes.

        Raises
        ------
        InputError
            If the method corrects nothing by clicks.
        """
        check_method(method)
        network = scene.network
        return cls(
            network=network.name,
            fingerprint=network.fingerprint,
            classes=network.classes,
            guide_point=scene.point,
            feature_points=network.feature_points,
            preparation=network.preparation.to_dict(),
            method=method,
            corrected=tuple(replace(one, anchors=one.anchors.alone()) for one in corrected),
            shape=scene.shape,
            thickness=thickness,
            spacing=scene.spacing,
            spreads=scene.features.spread,
        )

    @property
    def indices(self) -> list[int]:
        """Numbers of the slices that were corrected."""
        return [entry.index for entry in self.corrected]

    def check(self, network: FrozenNetwork) -> None:
        """Raise `InputError` if it was made for another network."""
        if self.fingerprint != network.fingerprint:
            raise InputError(
                f"the guidance was made for {self.network} ({self.fingerprint[:8]}), "
                f"not for {network.name} ({network.fingerprint[:8]})"
            )
        channels = [network.guide_point(name).channels for name in network.feature_points]
        if [spread.shape[1] for spread in self.spreads] != channels:
            raise InputError(f"the features of the guidance are not those of {network.name}")

    def save(self, path: Path | str) -> None:
        """Write it, whole or not at all.

        Raises
        ------
        InputError
            If the name does not end in ``.guidance.safetensors`` or cannot be written.
        """
        path = Path(path)
        check_name(path)
        tensors = {f"spread.{i}": spread for i, spread in enumerate(self.spreads)}
        for number, entry in enumerate(self.corrected):
            tensors.update({f"{number}.{k}": v for k, v in _tensors(entry).items()})
        told = {
            "format": _FORMAT,
            "network": self.network,
            "fingerprint": self.fingerprint,
            "classes": self.classes,
            "guide_point": self.guide_point,
            "feature_points": self.feature_points,
            "preparation": self.preparation,
            "method": self.method,
            "shape": self.shape,
            "thickness": self.thickness,
            "spacing": self.spacing,
            "corrected": [
                {"index": entry.index, "hints": hints_to_json(entry.hints)}
                for entry in self.corrected
            ],
        }
        write_tensors(path, apart(tensors), {"guidance": json.dumps(told)})

    @classmethod
    def read(cls, path: Path | str) -> SavedGuidance:
        """Read a file.

        Raises
        ------
        InputError
            If it is missing, broken, or no guidance.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"there is no guidance {path}")
        try:
            with safe_open(path, "pt") as file:
                told = json.loads((file.metadata() or {})["guidance"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            if told["format"] != _FORMAT:
                raise ValueError(f"{told['format']} is not {_FORMAT}")
            return _read(told, tensors)
        except BROKEN as error:
            lacks = "it lacks " if isinstance(error, KeyError) else ""
            raise InputError(
                f"{path.name} is no saved guidance: {lacks}{first_line(error)}"
            ) from error

    def to(self, device: torch.device) -> SavedGuidance:
        """Return it with what acts on a device."""
        moved = (replace(one, anchors=one.anchors.to(device)) for one in self.corrected)
        return replace(self, corrected=tuple(moved))


def check_name(path: Path) -> None:
    """Raise `InputError` before a long computation if guidance cannot be saved there."""
    if not path.name.endswith(SUFFIX) or path.name == SUFFIX:
        raise InputError(f"{path.name}: the name of a guidance must end in {SUFFIX}")
    check_writable(path, (".safetensors",))


def check_method(method: str) -> None:
    """Raise `InputError` if a method finds no guidance."""
    if method_named(method).completes is None:
        raise InputError(
            f"the method {method} corrects nothing by clicks, so that there is no guidance "
            "to save; choose another one"
        )


def _tensors(entry: Corrected) -> dict[str, Tensor]:
    tensors = tensors_of(entry.anchors)
    return tensors if entry.values is None else {**tensors, "values": entry.values}


def _read(told: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> SavedGuidance:
    spreads = tuple(tensors[f"spread.{i}"] for i in range(len(told["feature_points"])))
    if any(spread.ndim != 2 or len(spread) != 2 for spread in spreads):
        raise ValueError("its spreads are no means and deviations")
    channels = [spread.shape[1] for spread in spreads]
    shape, thickness = tuple(map(int, told["shape"])), float(told["thickness"])
    if not (min(shape, default=0) > 0 and 0 <= thickness < math.inf):
        raise ValueError(f"no slice has shape {shape} and thickness {thickness}")
    # Files of earlier versions tell nothing: to them all pixels were square.
    spacing = relative(told.get("spacing"), len(shape))
    corrected = []
    for number, entry in enumerate(told["corrected"]):
        of = under(tensors, f"{number}.")
        anchors = anchors_of(of, channels, shape, len(told["classes"]))
        hints = hints_from_json(entry["hints"])
        anchors = anchors.alone()  # What is applied follows no things.
        corrected.append(Corrected(int(entry["index"]), anchors, hints, of.get("values")))
    indices = [entry.index for entry in corrected]
    if not indices or indices != sorted(set(indices)):
        raise ValueError("its corrections are not those of one slice after the other")
    return SavedGuidance(
        network=str(told["network"]),
        fingerprint=str(told["fingerprint"]),
        classes=tuple(told["classes"]),
        guide_point=str(told["guide_point"]),
        feature_points=tuple(told["feature_points"]),
        preparation=dict(told["preparation"]),
        method=str(told["method"]),
        corrected=tuple(corrected),
        shape=shape,
        thickness=thickness,
        spacing=spacing,
        spreads=spreads,
    )
