"""An object that was outlined on some slices of a volume, carried to those between and beyond.

The outline moves as the image does, see :mod:`napari_guideme.motion`, from slice to slice away
from the nearest one that was outlined. Beyond the outermost it stops where what lies in it
looks more like what was around the object. No network is asked: seen through a window around it,
the object is found again by a network no better than by its motion (`docs/trials.md`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_guideme.errors import InputError, check_kind, whole_number
from napari_guideme.motion import moved
from napari_guideme.planes import Slices
from napari_guideme.volumes.onward import ways

Mask = NDArray[np.bool_]

#: It fits while what lies in it is so much as likely the object, by its brightness, as where it
#: was outlined.
FITS = 0.6

#: A rim around the object that it is told from reaches by this share of its radius.
_RIM = 0.5

#: Steps of brightness, and by how many of them each spreads to others.
_BINS, _SPREAD = 32, 1.0

#: What was never seen is neither the object nor its rim: a share of all pixels in every step.
_UNSEEN = 0.01


@dataclass(frozen=True)
class CarriedOutline:
    """The outline of an object on a slice that it was carried to.

    Attributes
    ----------
    done, total
        How many slices were looked at, of those that there are.
    index
        Number of the slice.
    mask
        Of the object, (rows, columns).
    fit
        How much of what lies in it looks like the object, from 0 to about 1.
    """

    done: int
    total: int
    index: int
    mask: Mask
    fit: float


def carry_outlines(
    volume: Any,
    outlines: Mapping[int, NDArray[Any]],
    *,
    axis: int = 0,
    channel_axis: int | None = None,
    check: bool = True,
) -> Iterator[CarriedOutline]:
    """Carry the outlines of one object on, one yielded slice after the other.

    Parameters
    ----------
    volume
        numpy, dask or zarr: three spatial axes, and at most one for channels. Slices are read
        when they are reached.
    outlines
        By the number of the slice, (rows, columns); the object is where they are not zero.
    axis
        Spatial axis that the slices lie along.
    channel_axis
        The axis of `volume` that holds channels.
    check
        Whether it stops, beyond the outermost outlines, where it no longer fits. Between two
        it never does.

    Raises
    ------
    InputError
        If the axes cannot be, there is no outline, or one is empty, of another shape than its
        slice, or of none of the slices, or they are no mapping.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_guideme.volumes import carry_outlines
    >>> rows, columns = np.mgrid[:64, :64]
    >>> ball = np.stack([np.hypot(rows - 30, columns - 20 - index) < 9 for index in range(8)])
    >>> [step.index for step in carry_outlines(200 * ball, {3: ball[3]})]
    [2, 1, 0, 4, 5, 6, 7]
    """
    check_kind("outlines", outlines, Mapping, "a mapping of numbers of slices to masks")
    for index in outlines:
        whole_number("each slice of outlines", index)
    slices = Slices(volume, axis, channel_axis)
    masks = {index: _mask_of(slices, index, outlines[index]) for index in sorted(outlines)}
    if not masks:
        raise InputError("nothing to carry on: outline the object on a slice first")
    return _carried(slices, masks, check=check)


def _carried(slices: Slices, masks: Mapping[int, Mask], *, check: bool) -> Iterator[CarriedOutline]:
    sources = list(masks)
    stretches = ways(sources, len(slices))
    total, done = sum(map(len, stretches)), 0
    for way in stretches:
        near = min(sources, key=lambda source: abs(source - way[0]))
        between = sources[0] < way[0] < sources[-1]
        for number, step in enumerate(_along(slices, masks[near], near, way), start=1):
            if check and not between and step[2] < FITS:
                break
            yield CarriedOutline(done + number, total, *step)
        done += len(way)


def _along(
    slices: Slices, mask: Mask, source: int, way: range
) -> Iterator[tuple[int, Mask, float]]:
    """Move an outline away from its slice, as long as anything is left of it."""
    here = slices.brightness(source)
    looks = _Looks.of(mask, here)
    for index in way:
        there = slices.brightness(index)
        mask, here = moved(mask, here, there), there
        if not mask.any():
            return
        yield index, mask, looks.fit(mask, there)


def _mask_of(slices: Slices, index: int, outline: NDArray[Any]) -> Mask:
    """Return an outline as a mask, if it is one of a slice."""
    mask: Mask = np.asarray(outline) != 0
    if not 0 <= index < len(slices):
        raise InputError(f"there is no slice {index}; choose 0 to {len(slices) - 1}")
    if mask.shape != slices.shape or not mask.any():
        raise InputError(
            f"the outline of slice {index} must have pixels and shape {slices.shape}; it has "
            f"{mask.sum()} and {mask.shape}"
        )
    return mask


@dataclass(frozen=True)
class _Looks:
    """How bright an object is, and what lies around it.

    Attributes
    ----------
    limits
        Between which brightness is told apart.
    likely
        How likely each step of brightness is the object, from 0 to 1.
    usual
        The mean of that where it was outlined.
    """

    limits: tuple[float, float]
    likely: NDArray[np.float64]
    usual: float

    @classmethod
    def of(cls, mask: Mask, seen: NDArray[np.float32]) -> _Looks:
        """Look at an object where it was outlined."""
        away = ndimage.distance_transform_edt(~mask)
        rim = (away > 0) & (away <= max(2.0, _RIM * float(np.sqrt(mask.sum() / np.pi))))
        low, high = np.percentile(seen[mask | rim], (1, 99))
        limits = float(low), float(high)
        inside, around = (_shares(seen[pixels], limits) for pixels in (mask, rim))
        likely = inside / (inside + around)
        return cls(limits, likely, float(likely[_steps(seen[mask], limits)].mean()))

    def fit(self, mask: Mask, seen: NDArray[np.float32]) -> float:
        """How much of what lies in a mask on another slice looks like the object."""
        return float(self.likely[_steps(seen[mask], self.limits)].mean() / self.usual)


def _steps(values: NDArray[np.float32], limits: tuple[float, float]) -> NDArray[np.intp]:
    low, high = limits
    share = (values - low) / max(high - low, 1e-6)
    return (share * _BINS).astype(np.intp).clip(0, _BINS - 1)


def _shares(values: NDArray[np.float32], limits: tuple[float, float]) -> NDArray[np.float64]:
    """How many of some pixels have each brightness, as a share."""
    counts = np.bincount(_steps(values, limits), minlength=_BINS).astype(np.float64)
    spread = ndimage.gaussian_filter1d(counts, _SPREAD, mode="nearest") + _UNSEEN * len(values)
    shares: NDArray[np.float64] = spread / max(spread.sum(), 1e-6)
    return np.maximum(shares, 1e-6)
