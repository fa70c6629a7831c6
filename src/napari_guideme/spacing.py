"""How large pixels are along each axis, beside a typical one.

A *typical* pixel is as long along each axis as the geometric mean of the sizes: distances
are counted in such pixels, so that where all axes are alike they are those in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_guideme.errors import InputError

#: Sizes that differ by a smaller share are equal: an affine is seldom exact.
_EQUAL = 1e-3


def checked(spacing: Sequence[float] | None, ndim: int) -> tuple[float, ...]:
    """Return the size of a pixel along each of some axes, 1 where nobody told.

    Raises
    ------
    InputError
        If it is not one positive number for each axis.
    """
    try:
        sizes = (1.0,) * ndim if spacing is None else tuple(map(_number, spacing))
    except (TypeError, ValueError):
        sizes = ()
    if len(sizes) != ndim or not all(0 < size < math.inf for size in sizes):
        raise InputError(f"the spacing {spacing!r} is not {ndim} positive numbers")
    return sizes


def relative(spacing: Sequence[float] | None, ndim: int) -> tuple[float, ...]:
    """Return the sizes in typical pixels, exactly 1 along all axes if they are equal.

    Raises
    ------
    InputError
        As :func:`checked`.
    """
    sizes = checked(spacing, ndim)
    if max(sizes, default=1.0) <= min(sizes, default=1.0) * (1 + _EQUAL):
        return (1.0,) * ndim
    typical = math.exp(math.fsum(map(math.log, sizes)) / ndim)
    return tuple(size / typical for size in sizes)


def proportions(spacing: Sequence[float]) -> tuple[float, ...]:
    """Return the sizes in typical pixels, the same for all that differ by their unit alone."""
    return tuple(round(size, 6) for size in relative(spacing, len(spacing)))


def longest(shape: Sequence[int], spacing: Sequence[float]) -> float:
    """Return the longest side of an image, in typical pixels."""
    return max(n * size for n, size in zip(shape, spacing, strict=True))


def _number(size: float) -> float:
    if isinstance(size, str):
        raise TypeError(size)
    return float(size)
