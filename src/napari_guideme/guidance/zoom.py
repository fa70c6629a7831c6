"""Zoom-in: work on a window around the object, so that a click costs the same in any image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_guideme.networks.preparation import exact_floats

#: Pixels of an image are enlarged this much at most: more would show nothing new.
LARGEST = 6

#: How much longer than object and clicks a window is.
MARGIN = 1.4

#: A window stays while it has this much in common with the one that would be chosen anew.
_KEPT = 0.5

#: A window is at least so long beside its longest side.
_LEAST_ASPECT = 0.5

#: Rows that are stretched at a time: bounds the memory.
_ROWS = 256


@dataclass(frozen=True)
class Window:
    """A box of pixels in an image, and the grid that a network sees of it.

    Attributes
    ----------
    start, stop
        Along each axis of the image.
    grid
        Shape of what the network sees.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    grid: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along each axis."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def slices(self) -> tuple[slice, ...]:
        """What selects the window from the image."""
        return tuple(map(slice, self.start, self.stop))

    def places(self, positions: Tensor) -> Tensor:
        """Where pixels (n, ndim) of the image lie on the grid; centres are whole numbers."""
        scale = torch.tensor(self.grid).float() / torch.tensor(self.shape)
        return ((positions.cpu() - torch.tensor(self.start)).float() + 0.5) * scale - 0.5

    def spacing(self, spacing: Sequence[float]) -> tuple[float, ...]:
        """Size of the grid's pixels along each axis, 1 on average, from that of the image's."""
        sizes = np.array(spacing) * self.shape / self.grid
        return tuple(sizes / np.prod(sizes) ** (1 / len(sizes)))

    def seen(self, image: NDArray[Any], spatial: Sequence[int]) -> NDArray[Any]:
        """Read the window from an image and shrink or stretch it to the grid.

        What is much finer than the grid is thinned first, so that the memory does
        not grow with the image.

        Parameters
        ----------
        image
            Any axes; channels stay as they are.
        spatial
            Its axes that the window counts.
        """
        chosen: list[Any] = [slice(None)] * image.ndim
        for axis, part, cells in zip(spatial, self.slices, self.grid, strict=True):
            step = max((part.stop - part.start) // (2 * cells), 1)
            chosen[axis] = slice(part.start, part.stop, step)
        pixels = np.moveaxis(np.asarray(image[tuple(chosen)]), spatial, range(len(spatial)))
        channels = pixels.shape[len(spatial) :]
        flat = torch.from_numpy(exact_floats(pixels).reshape(*pixels.shape[: len(spatial)], -1))
        shrunk = _resized(flat.movedim(-1, 0)[None], self.grid)[0].movedim(0, -1).numpy()
        shrunk = shrunk.reshape(*self.grid, *channels)
        return np.moveaxis(shrunk, range(len(spatial)), spatial)

    def paint(self, values: Tensor, target: NDArray[np.bool_]) -> None:
        """Write where values on the grid are positive, in the image's pixels.

        Between the grid's pixels values are interpolated linearly.
        """
        view = target[self.slices]
        for axis, length in enumerate(self.shape[1:], start=1):
            values = _stretched(values.cpu(), axis, length, range(length))
        for first in range(0, self.shape[0], _ROWS):
            rows = range(first, min(first + _ROWS, self.shape[0]))
            part = _stretched(values, 0, self.shape[0], rows) > 0
            view[rows.start : rows.stop] = part.numpy()

    def stretched(self, values: Tensor) -> Tensor:
        """Return values on the grid at the window's pixels."""
        for axis, length in enumerate(self.shape):
            values = _stretched(values.cpu(), axis, length, range(length))
        return values


def whole(shape: Sequence[int], spacing: Sequence[float], side: int, multiple: int) -> Window:
    """Return the window that holds the whole image."""
    return _window([0] * len(shape), list(shape), spacing, side, multiple)


def around(
    positions: NDArray[np.integer],
    shape: Sequence[int],
    spacing: Sequence[float],
    side: int,
    multiple: int,
    least: int,
) -> Window:
    """Return a window around pixels (n, ndim), larger than their box by the margin.

    Parameters
    ----------
    positions
        Pixels, at least one; corners of a box suffice.
    shape, spacing
        Of the image, in pixels and of a pixel.
    side, multiple
        Longest side of the grid, and what all its sides are multiples of.
    least
        Sides have at least so many pixels, where the image does.
    """
    sizes = np.asarray(spacing, float)
    low, high = positions.min(0), positions.max(0) + 1
    lengths = (high - low) * sizes * MARGIN
    lengths = np.maximum(lengths, max(lengths.max() * _LEAST_ASPECT, least * sizes.min()))
    wanted = np.minimum(np.ceil(lengths / sizes).astype(int), shape)
    start = np.floor((low + high - wanted) / 2).astype(int)
    start = np.clip(start, 0, np.array(shape) - wanted)
    return _window(start.tolist(), (start + wanted).tolist(), spacing, side, multiple)


def unscaled(window: Window) -> Window:
    """Return a window of which the network sees the image's own pixels."""
    return replace(window, grid=window.shape)


def still_fits(window: Window, positions: NDArray[np.integer], fresh: Window) -> bool:
    """Whether a window holds these pixels and is not much larger or smaller than a fresh one."""
    held = (positions >= window.start).all() and (positions < window.stop).all()
    common = [
        max(min(a, b) - max(c, d), 0)
        for a, b, c, d in zip(window.stop, fresh.stop, window.start, fresh.start, strict=True)
    ]
    both = math.prod(common)
    either = math.prod(window.shape) + math.prod(fresh.shape) - both
    return bool(held) and both / either >= _KEPT


def _window(
    start: list[int], stop: list[int], spacing: Sequence[float], side: int, multiple: int
) -> Window:
    lengths = (np.array(stop) - start) * np.asarray(spacing, float)
    cells = np.maximum(np.round(lengths / lengths.max() * side / multiple), 1).astype(int)
    return Window(tuple(start), tuple(stop), tuple((cells * multiple).tolist()))


def _resized(values: Tensor, shape: Sequence[int]) -> Tensor:
    """Bring (1, C, *spatial) to a shape; what shrinks is averaged."""
    if values.ndim == 4:
        return F.interpolate(values, tuple(shape), mode="bilinear", antialias=True)
    return F.interpolate(values, tuple(shape), mode="area")


def _stretched(values: Tensor, axis: int, length: int, rows: range) -> Tensor:
    """Interpolate along one axis to some of `length` rows, as `at_pixels` does."""
    cells = values.shape[axis]
    place = (torch.arange(rows.start, rows.stop).float() + 0.5) * (cells / length) - 0.5
    place = place.clamp(0, cells - 1)
    low = place.floor().long().clamp(max=max(cells - 2, 0))
    share = (place - low).view([-1 if i == axis else 1 for i in range(values.ndim)])
    upper = (low + 1).clamp(max=cells - 1)
    below, above = values.index_select(axis, low), values.index_select(axis, upper)
    return below + share * (above - below)
