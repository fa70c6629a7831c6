"""Cells of a grid over an image: the highest pixel in each, or the mean of all.

Cells are as deep as wide in typical pixels, see :mod:`napari_guideme.spacing`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def peaks(values: Tensor, count: int, spacing: Sequence[float]) -> Tensor:
    """Pixels (n, ndim) of the highest value in each cell of a grid, of cells with any above 0.

    Where there is none, the pixel of the highest value at all.
    """
    # Not every device knows how to pool volumes; of equal values all take the first on the CPU.
    pool = {2: F.max_pool2d, 3: F.max_pool3d}[values.ndim]
    cell = _cell(values.shape, count, spacing)
    high, index = pool(values.cpu()[None, None], cell, ceil_mode=True, return_indices=True)
    chosen = index[high > 0]
    if not len(chosen):
        chosen = values.cpu().argmax()[None]
    return torch.stack(torch.unravel_index(chosen, values.shape), 1).to(values.device)


def condensed(values: Tensor, count: int, spacing: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Middles (n, ndim) of the cells of a grid, and the mean value in each, (n,)."""
    cell = _cell(values.shape, count, spacing)
    pool = {2: F.avg_pool2d, 3: F.avg_pool3d}[values.ndim]
    means = pool(values.cpu()[None, None], cell, ceil_mode=True)
    axes = [
        ((torch.arange(cells).float() + 0.5) * side).long().clamp_max(length - 1)
        for cells, side, length in zip(means.shape[2:], cell, values.shape, strict=True)
    ]
    return torch.cartesian_prod(*axes).to(values.device), means.flatten().to(values.device)


def _cell(shape: Sequence[int], count: int, spacing: Sequence[float]) -> tuple[int, ...]:
    """Sides in pixels of the cells, as deep as wide, that divide an image into about that many."""
    volume = torch.Size(shape).numel()
    side = (volume / count) ** (1 / len(shape))
    pairs = zip(shape, spacing, strict=True)
    return tuple(min(max(1, round(side / size)), length) for length, size in pairs)
