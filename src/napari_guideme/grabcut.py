"""From a map of where something may be, or a mask of it, to one that follows the image's colours.

GrabCut is OpenCV's. Of a large image it sees a smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.networks import cancelling
from napari_guideme.networks.preparation import Preparation

Mask = NDArray[np.bool_]

#: Length of the longest side that GrabCut sees.
_LONGEST = 320

#: Gaussians of a colour model; OpenCV cannot fit them to fewer pixels.
_GAUSSIANS = 5

#: How far an outline may move: a share of the depth of what it encloses, in pixels at least.
_BAND, _NARROWEST = 0.07, 2.0

#: The background beside an object reaches as far as so many bands, and some pixels more.
_BESIDE, _MORE = 3, 8

#: Share of an object that may be turned; what would turn more is not its outline.
_TURNED = 0.5

#: Below this percentile of a saliency map lies the background (Simonyan et al.).
_BACKGROUND = 30.0


def from_saliency(
    image: NDArray[Any], saliency: NDArray[Any], percentile: float = 95, iterations: int = 3
) -> Mask:
    """Cut out what has the colours of the most salient pixels.

    Parameters
    ----------
    image
        (rows, columns), or with channels first or last; of any type.
    saliency
        (rows, columns), high where the object may be.
    percentile
        Of the map: the pixels above it are object.
    iterations
        Of GrabCut.

    Returns
    -------
    The largest connected part of what was found; empty if the map is constant.

    Raises
    ------
    InputError
        If shapes differ, values are not finite, or the percentile is not above 30 and
        below 100.

    References
    ----------
    Simonyan et al., *Deep Inside Convolutional Networks*, ICLR workshop 2014, section
    3.2: models of colours seeded above the 95th and below the 30th percentile.
    """
    if not _BACKGROUND < percentile < 100:
        raise InputError(
            f"percentile is {percentile}; it has to be above {_BACKGROUND:g} and below 100"
        )
    small, values = _reduced(image, saliency)
    low, middle, high = np.percentile(
        values, (_BACKGROUND, (_BACKGROUND + percentile) / 2, percentile)
    )
    zones = _zones(values, low, middle, high)
    return _largest(_enlarged(_cut(small, zones, iterations), saliency.shape))


def from_likelihood(
    image: NDArray[Any],
    likelihood: NDArray[Any],
    background: float = 0.15,
    unknown: float = 0.5,
    foreground: float = 0.7,
    iterations: int = 5,
) -> Mask:
    """Cut out the object, given how likely each pixel belongs to it.

    Three thresholds, shares of the range of the map, part it into four zones: surely
    background, probably background, probably object, surely object.

    Parameters
    ----------
    image
        (rows, columns), or with channels first or last; of any type.
    likelihood
        (rows, columns), high where the object may be.
    background, unknown, foreground
        The thresholds, rising from 0 to 1.
    iterations
        Of GrabCut.

    Returns
    -------
    The mask; empty if the map is constant.

    Raises
    ------
    InputError
        If shapes differ, values are not finite, or thresholds do not rise.
    """
    if not 0 <= background <= unknown <= foreground <= 1:
        raise InputError(
            f"the thresholds {background:g}, {unknown:g}, {foreground:g} do not rise from 0 to 1"
        )
    small, values = _reduced(image, likelihood)
    low, high = values.min(), values.max()
    zones = _zones(values, *(low + t * (high - low) for t in (background, unknown, foreground)))
    return _enlarged(_cut(small, zones, iterations), likelihood.shape)


def along_outline(colours: NDArray[np.uint8], mask: Mask, held: Mask, finest: float = 1.0) -> Mask:
    """Move the outline of an object to where the colours change, if that is close by.

    Parameters
    ----------
    colours
        (rows, columns, 3).
    mask
        (rows, columns), where the object is.
    held
        (rows, columns), pixels that stay as they are, such as those that were clicked.
    finest
        Of how many pixels a side the colours tell apart, more than one where they are enlarged.

    Returns
    -------
    The mask, turned in a narrow band around its outline only; as it was if the band is finer
    than what the colours tell apart, or object or background are too small for a model of
    their colours.
    """
    if mask.all() or not mask.any():
        return mask
    inside, outside = (
        cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5) for part in (mask, ~mask)
    )
    band = _BAND * inside.max()
    if band < finest:
        return mask
    band = max(band, _NARROWEST)
    surely = held | (np.where(mask, inside, outside) > band)
    zones = np.where(
        mask,
        np.where(surely, cv2.GC_FGD, cv2.GC_PR_FGD),
        np.where(surely, cv2.GC_BGD, cv2.GC_PR_BGD),
    ).astype(np.uint8)
    near = _box(outside <= _BESIDE * band + _MORE)
    moved = mask.copy()
    moved[near] = _cut(np.ascontiguousarray(colours[near]), np.ascontiguousarray(zones[near]), 1)
    return moved if (moved != mask).sum() <= _TURNED * mask.sum() else mask


def eight_bit(
    image: NDArray[Any],
    channel_axis: int | None,
    size: tuple[int, int],
    channels: Sequence[int] | None = None,
) -> NDArray[np.uint8]:
    """Colours (rows, columns, 3) of an image of any type, at a size."""
    preparation = Preparation(
        # A single hot pixel must not leave everything else black.
        value_range="dtype" if image.dtype == np.uint8 else "percentile",
        size=size,
    )
    x = preparation.prepare(image, channel_axis=channel_axis, channels=channels)[0][0]
    pixels = (255 * x.permute(1, 2, 0).numpy()).round().clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels)


def bounding_box(mask: NDArray[Any]) -> tuple[int, int, int, int] | None:
    """First row and column of a mask and those behind its last ones; None if it is empty."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return None
    return int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1


def _reduced(
    image: NDArray[Any], values: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """8-bit colours and the map, both of the size that GrabCut sees."""
    image, values = np.asarray(image), np.asarray(values, dtype=np.float32)
    if image.shape == values.shape:
        channel_axis = None
    elif image.shape[:-1] == values.shape:
        channel_axis = -1
    elif image.shape[1:] == values.shape:
        channel_axis = 0
    else:
        raise InputError(f"a map of shape {values.shape} does not fit the image of {image.shape}")
    if not np.isfinite(values).all():
        raise InputError("the map has pixels that are NaN or infinite")
    share = min(_LONGEST / max(values.shape), 1.0)
    rows, columns = (max(round(n * share), 1) for n in values.shape)
    colours = eight_bit(image, channel_axis, (rows, columns))
    resized = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)
    return colours, np.asarray(resized, np.float32)


def _box(mask: Mask) -> tuple[slice, slice]:
    """What selects the rows and columns in which a mask has pixels."""
    first_row, first_column, row, column = bounding_box(mask) or (0, 0, 0, 0)
    return slice(first_row, row), slice(first_column, column)


def _zones(
    values: NDArray[np.float32], low: float, middle: float, high: float
) -> NDArray[np.uint8]:
    zones = np.full(values.shape, cv2.GC_BGD, np.uint8)
    zones[values > low] = cv2.GC_PR_BGD
    zones[values > middle] = cv2.GC_PR_FGD
    zones[values >= high] = cv2.GC_FGD
    return zones if values.max() > values.min() else np.full_like(zones, cv2.GC_BGD)


def _cut(pixels: NDArray[np.uint8], zones: NDArray[np.uint8], iterations: int) -> Mask:
    def found() -> Mask:
        mask: Mask = (zones == cv2.GC_FGD) | (zones == cv2.GC_PR_FGD)
        return mask

    if min(found().sum(), (~found()).sum()) < _GAUSSIANS:
        return found()
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # Its k-means begins anywhere; the same mask is found in every run.
    for iteration in range(iterations):
        cancelling.check()
        mode = cv2.GC_EVAL if iteration else cv2.GC_INIT_WITH_MASK
        cv2.grabCut(pixels, zones, (0, 0, 0, 0), *models, 1, mode)
    return found()


def _enlarged(mask: Mask, shape: tuple[int, ...]) -> Mask:
    enlarged = cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST)
    found: Mask = enlarged.astype(bool)
    return found


def _largest(mask: Mask) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    found: Mask = labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])
    return found
