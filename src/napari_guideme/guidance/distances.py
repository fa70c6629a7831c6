"""How far pixels are from each other, and from the next one with another label.

Distances are in typical pixels: `spacing` tells the size of a pixel along each axis beside
such a one, see :mod:`napari_guideme.spacing`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor


def squared_between(places: Tensor, spacing: Sequence[float]) -> Tensor:
    """Squared distances of pixels (n, ndim) to each other, (n, n)."""
    # In double precision those of equal axes are whole numbers, however large the image.
    steps = (places[:, None] - places).cpu().double() * torch.tensor(spacing).double()
    return steps.square().sum(-1).float().to(places.device)


def squared_maps(places: Tensor, shape: Sequence[int], spacing: Sequence[float]) -> Tensor:
    """Squared distance of every pixel of an image to pixels (n, ndim), (n, *spatial)."""
    total = torch.zeros((), device=places.device)
    for axis, (length, size) in enumerate(zip(shape, spacing, strict=True)):
        along = [1] * len(shape)
        along[axis] = length
        steps = torch.arange(length, device=places.device) - places[:, axis, None]
        line = size * steps.float()
        total = total + line.square().view(-1, *along)
    return total


def away_from(
    positions: Sequence[Sequence[int]],
    shape: Sequence[int],
    distance: float,
    spacing: Sequence[float],
) -> Tensor:
    """Pixels (*spatial) of an image that are further than that from every position."""
    places = torch.tensor(positions).view(-1, len(shape))
    away = torch.ones(tuple(shape), dtype=torch.bool)
    for place in places:
        away &= squared_maps(place[None], shape, spacing)[0] > distance**2
    return away


def depths(labels: Tensor, positions: Tensor, spacing: Sequence[float]) -> Tensor:
    """How far pixels (n, ndim) are from the next one with another label, (n,), on the CPU.

    The outside of the image counts as another label.
    """
    regions = labels.cpu().numpy()
    places = positions.cpu().numpy()
    own = regions[tuple(places.T)]
    found = np.zeros(len(places), dtype=np.float32)
    for label in np.unique(own):
        chosen = own == label
        found[chosen] = within(regions == label, spacing)[tuple(places[chosen].T)]
    return torch.from_numpy(found)


def depth_within(inside: Tensor, place: Sequence[int], spacing: Sequence[float]) -> float:
    """How far one pixel is from the next one that is not inside, as none beyond the edge is.

    Unlike :func:`within`, which measures that for all pixels, it costs no distance transform.
    """
    squared = squared_maps(torch.tensor([place], device=inside.device), inside.shape, spacing)[0]
    nearest = float(squared.masked_fill(inside, torch.inf).amin().sqrt())
    pairs = zip(place, inside.shape, spacing, strict=True)
    return min(nearest, *(size * min(p + 1, n - p) for p, n, size in pairs))


def depth_map(labels: Tensor, spacing: Sequence[float]) -> Tensor:
    """Depths of all pixels, (*spatial), on the CPU."""
    regions = labels.cpu().numpy()
    found = np.zeros(regions.shape, dtype=np.float32)
    for label, box in enumerate(ndimage.find_objects(regions + 1)):
        if box is not None:
            inside = regions[box] == label
            found[box][inside] = within(inside, spacing)[inside]
    return torch.from_numpy(found)


def within(inside: NDArray[np.bool_], spacing: Sequence[float]) -> NDArray[np.float64]:
    """Distance of each pixel to the next one that is not inside, as none beyond the edge is."""
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(np.pad(inside, 1), spacing)
    return distance[(slice(1, -1),) * inside.ndim]
