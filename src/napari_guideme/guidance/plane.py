"""A slice of a volume, cut out of what a network of three axes returns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from napari_guideme.networks.preparation import Placement, Preparation


@dataclass(frozen=True)
class Plane:
    """One slice along an axis.

    Attributes
    ----------
    axis
        The axis that the slice has no extent along.
    in_image, in_network
        Where it lies along that axis of the image and of the network's input, from 0
        to 1.
    placement
        How the slice lies in the network's input, without the axis.
    """

    axis: int
    in_image: float
    in_network: float
    placement: Placement

    @classmethod
    def at(cls, axis: int, index: int, placement: Placement) -> Plane:
        """Return the plane of a slice of the image."""
        length, resized, padded = (shape[axis] for shape in vars(placement).values())
        share = (index + 0.5) / length
        shapes = (shape[:axis] + shape[axis + 1 :] for shape in vars(placement).values())
        return cls(axis, share, share * resized / padded, Placement(*shapes))

    def of_image(self, maps: Tensor) -> Tensor:
        """Cut maps on the image's pixels, (K, *spatial)."""
        return _cut(maps, self.axis, self.in_image)

    def of_network(self, activation: Tensor) -> Tensor:
        """Cut an activation (1, C, *spatial); between slices, linearly."""
        return _cut(activation, self.axis, self.in_network)

    @staticmethod
    def preparation(preparation: Preparation) -> Preparation:
        """Return what brings an output of the plane back to its pixels."""
        return replace(preparation, ndim=2, size=None, margin=())


def _cut(maps: Tensor, axis: int, share: float) -> Tensor:
    along = maps.ndim - 3 + axis
    cells = maps.shape[along]
    place = min(max(share * cells - 0.5, 0.0), cells - 1.0)
    low = min(int(place + 1e-6), cells - 1)
    part = max(place - low, 0.0)
    below = maps.select(along, low)
    if part < 1e-6:
        return below.clone()  # A view would keep the whole volume.
    return torch.lerp(below, maps.select(along, low + 1), part)
