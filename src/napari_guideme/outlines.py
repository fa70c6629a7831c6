"""Outlines of objects: one that is being found, and those that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_guideme.guidance.scene import at_pixels
from napari_guideme.guidance.zoom import Window

#: Classes of a network that takes clicks.
BACKGROUND, OBJECT = 0, 1


@dataclass(frozen=True)
class Patch:
    """The logit of the object on the grid of a window."""

    window: Window
    logits: Tensor

    def mask(self, shape: Sequence[int]) -> NDArray[np.bool_]:
        """Draw the object into an image of this shape."""
        mask = np.zeros(shape, dtype=bool)
        self.window.paint(self.logits, mask)
        return mask

    def corners(self) -> NDArray[np.intp]:
        """First and last pixel of a box around the object, (2, ndim); none without one."""
        window = self.window
        cells = corners_of((self.logits > 0).cpu().numpy())
        if not len(cells):
            return cells
        scale = np.array(window.shape) / window.grid
        first = np.floor(cells[0] * scale).astype(int)
        last = np.ceil((cells[1] + 1) * scale).astype(int) - 1
        corners: NDArray[np.intp] = np.stack([first, last]) + np.array(window.start)
        return corners

    def seen(self, window: Window) -> Tensor:
        """Probability of the object on the grid of another window, on the CPU."""
        if window == self.window:
            return self.logits.sigmoid().cpu()
        centres = [
            a + (torch.arange(cells).float() + 0.5) * ((b - a) / cells) - 0.5
            for a, b, cells in zip(window.start, window.stop, window.grid, strict=True)
        ]
        pixels = torch.cartesian_prod(*centres)
        held = torch.tensor(self.window.start) <= pixels + 0.5
        held &= pixels + 0.5 < torch.tensor(self.window.stop)
        places = self.window.places(pixels).to(self.logits)
        known = at_pixels(self.logits[None], places)[:, 0].sigmoid().cpu()
        return known.where(held.all(1), 0).view(window.grid)


@dataclass(frozen=True)
class Kept:
    """A committed object.

    Attributes
    ----------
    id
        Its number in the image.
    corner, mask
        Where it lies.
    across
        What it is called in all slices of a stack that it goes through, 0 if it is in one only.
    """

    id: int
    corner: tuple[int, ...]
    mask: NDArray[np.bool_]
    across: int = 0

    @property
    def box(self) -> tuple[slice, ...]:
        """What selects the mask's place in the image."""
        return tuple(slice(c, c + n) for c, n in zip(self.corner, self.mask.shape, strict=True))

    def drawn(self, shape: Sequence[int]) -> NDArray[np.bool_]:
        """Draw the object into an image of this shape."""
        drawn = np.zeros(shape, dtype=bool)
        drawn[self.box] = self.mask
        return drawn


def corners_of(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """First and last pixel of the box of a mask, (2, ndim); none of an empty one."""
    along = [
        np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        for axis in range(mask.ndim)
    ]
    if not len(along[0]):
        return np.empty((0, mask.ndim), dtype=np.intp)
    return np.array([[a[0] for a in along], [a[-1] for a in along]])


def cut_out(mask: NDArray[np.bool_], number: int, across: int = 0) -> Kept:
    """Keep a mask that is not empty, under a number, and one for all slices of a stack."""
    first, last = corners_of(mask)
    box = tuple(map(slice, first, last + 1))
    return Kept(number, tuple(first.tolist()), mask[box].copy(), across)
