"""How a thing moves from one slice to the next: the optical flow of what is seen around it.

Slices are often thick beside what they show, so that a thing lies elsewhere on the next one.
The flow is OpenCV's (dense inverse search, Kroeger, Timofte, Dai and Van Gool, ECCV 2016). It
is found where the thing is, enlarged: on a whole slice a small thing moves by less than the flow
can tell.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]

#: Longest side of what the flow sees, in pixels: small things are enlarged to the first, large
#: ones made no larger than the second.
_ENLARGED, _LARGEST = 256, 512

#: What is seen reaches beyond the thing by this share of its longest side, and so many pixels.
_BESIDE, _MORE = 0.5, 4

#: Greys are stretched to those of the thing and of a rim as wide as this share of its radius,
#: and beyond them by a share of their range.
_RIM, _BEYOND = 0.3, 0.25

#: Shorter sides are more than the flow can see anything in.
_SHORTEST = 16


def brightness(pixels: NDArray[Any], channel_axis: int | None) -> NDArray[np.float32]:
    """Return the brightness (rows, columns) of a slice, over all of its channels."""
    values = np.asarray(pixels, dtype=np.float32)
    values = np.where(np.isfinite(values), values, np.float32(0))
    return values if channel_axis is None else values.mean(channel_axis, dtype=np.float32)


def moved(mask: Mask, before: NDArray[np.float32], after: NDArray[np.float32]) -> Mask:
    """Find a thing of one slice on the next.

    Parameters
    ----------
    mask
        Of the thing, (rows, columns), not empty.
    before, after
        Brightness of its slice and of the next one, (rows, columns).

    Returns
    -------
    Its mask on the next slice; empty if nothing of it is left there.
    """
    window = _around(mask)
    thing, *seen = mask[window], before[window], after[window]
    low, high = _range_of(seen[0], thing)
    size = _size_of(thing)
    flow = _flow(*(_eight_bit(one, low, high, size) for one in seen))
    rows, columns = np.mgrid[: size[1], : size[0]].astype(np.float32)
    enlarged = cv2.resize(thing.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    found = cv2.remap(enlarged, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR)
    there = np.zeros_like(mask)
    there[window] = cv2.resize(found, thing.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5
    return there


def _around(mask: Mask) -> tuple[slice, ...]:
    """What selects a thing and what lies around it."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    more = int(_BESIDE * max(side.stop - side.start for side in box)) + _MORE
    return tuple(slice(max(side.start - more, 0), side.stop + more) for side in box)


def _range_of(seen: NDArray[np.float32], thing: Mask) -> tuple[float, float]:
    """The darkest and the brightest grey that count."""
    rim = max(2.0, _RIM * float(np.sqrt(thing.sum() / np.pi)))
    near = ndimage.distance_transform_edt(~thing) <= rim
    low, high = np.percentile(seen[near], (1, 99))
    beyond = _BEYOND * (high - low)
    return float(low - beyond), float(high + beyond)


def _size_of(thing: Mask) -> tuple[int, int]:
    """Columns and rows of what the flow sees."""
    longest = max(thing.shape)
    scale = min(max(longest, _ENLARGED), _LARGEST) / longest
    rows, columns = (max(round(side * scale), _SHORTEST) for side in thing.shape)
    return columns, rows


def _eight_bit(
    seen: NDArray[np.float32], low: float, high: float, size: tuple[int, int]
) -> NDArray[np.uint8]:
    greys = 255 * ((seen - low) / max(high - low, 1e-6)).clip(0, 1)
    resized = cv2.resize(greys.astype(np.uint8), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(resized, dtype=np.uint8)


def _flow(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Where each pixel of the next slice was on the one before, as columns and rows."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = np.zeros((*before.shape, 2), np.float32)
    return np.asarray(search.calc(after, before, flow), dtype=np.float32)
