"""Straight strokes as pixels of a grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError

#: Pixels of a line that are drawn together.
_BOX = 64


def segment_pixels(
    a: NDArray[np.float64], b: NDArray[np.float64], radius: float, shape: Sequence[int]
) -> NDArray[np.intp]:
    """Pixels at most `radius` away from the segment; a hairline still covers its pixels."""
    radius = max(radius, 0.5)
    for point in (a, b):
        if len(point) != len(shape):
            raise outside(f"the scribble point {shown(point)}", shape)
    low = np.clip(np.floor(np.minimum(a, b) - radius), 0, shape).astype(int)
    high = np.clip(np.ceil(np.maximum(a, b) + radius) + 1, 0, shape).astype(int)
    none = np.empty((0, len(shape)), dtype=np.intp)
    if (high <= low).any():
        return none
    along = b - a
    length = float(along @ along)
    covered = [none]
    for first, last in _boxes(a, along, radius + 1e-6, low, high):
        grid = np.stack(np.meshgrid(*map(np.arange, first, last), indexing="ij"), -1)
        t = np.clip((grid - a) @ along / length, 0, 1) if length else np.zeros(grid.shape[:-1])
        distance = np.linalg.norm(grid - (a + t[..., None] * along), axis=-1)
        covered.append(grid[distance <= radius + 1e-9].astype(np.intp))
    return np.concatenate(covered)


def _boxes(
    a: NDArray[np.float64],
    along: NDArray[np.float64],
    reach: float,
    low: NDArray[np.int_],
    high: NDArray[np.int_],
) -> Iterator[tuple[NDArray[np.int_], NDArray[np.int_]]]:
    """Small boxes between `low` and `high` that cover all within reach of the segment from `a`.

    Their number grows with the length of the segment, while one box would grow as its square.
    """
    axis = int(np.abs(along).argmax())
    for start in range(low[axis], high[axis], _BOX):
        stop = min(start + _BOX, high[axis])
        part = np.array([0.0, 1.0])
        if along[axis]:
            sides = np.array([start - reach, stop - 1 + reach])
            part = np.clip((sides - a[axis]) / along[axis], 0, 1)
        ends = a + part[:, None] * along
        first = np.clip(np.floor(ends.min(0) - reach), low, high).astype(int)
        last = np.clip(np.ceil(ends.max(0) + reach) + 1, low, high).astype(int)
        first[axis], last[axis] = start, stop
        if (last > first).all():
            yield first, last


def outside(what: str, shape: Sequence[int]) -> InputError:
    """Say that something lies outside an image."""
    allowed = " x ".join(f"0..{n - 1}" for n in shape)
    return InputError(f"{what} is outside the image; allowed are positions {allowed}")


def shown(position: Iterable[float]) -> str:
    """Return a position as the user reads it."""
    return "(" + ", ".join(f"{x:g}" for x in position) + ")"
