"""A click that refuses the middle of what was found: what is meant is smaller.

The first click on an organ may find the whole body. One that refuses the body beside it is followed
where it lies, and the body stays: seen whole, there is nothing in it for the network that one could
mean. Seen closer, around the clicks on the object, there is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from torch import Tensor

from napari_guideme.guidance.zoom import Window
from napari_guideme.hints import HintPixels
from napari_guideme.outlines import BACKGROUND, OBJECT, Patch

#: The place that is refused reaches this share of the way to the nearest click on the object, and
#: so many pixels of what the network sees at least.
_PLACE, _LEAST = 0.5, 4.0

#: So much of that place was found before, and so much of it stays, if a click means more than it.
_FILLED, _STAYS = 0.95, 0.5

#: What to look at reaches this share of the way to the refused click.
_REACH = 0.7


def within(pixels: HintPixels, window: Window) -> HintPixels:
    """Return hinted pixels that lie in a window."""
    held = (pixels.positions >= window.start) & (pixels.positions < window.stop)
    return _of(pixels, held.all(axis=1))


def on_object(pixels: HintPixels) -> HintPixels:
    """Return hinted pixels that belong to the object."""
    return _of(pixels, pixels.classes == OBJECT)


def smaller(before: Patch, now: Patch, pixels: HintPixels) -> NDArray[np.intp] | None:
    """Tell where a smaller object is to be looked for.

    Parameters
    ----------
    before, now
        What was found without the newest hints, and with them.
    pixels
        Of all hints.

    Returns
    -------
    Opposite corners around the hinted pixels of the object, (2n, ndim); ``None`` if no hint refuses
    more than what it took away.
    """
    window = before.window
    held = within(pixels, window)
    own = _cells(on_object(held), window)
    if not len(own):
        return None
    was, stays = (before.logits > 0).cpu(), now.seen(window) > 0.5
    refused = _of(held, held.classes == BACKGROUND)
    ways = [
        way
        for place, way in _nearest(refused, _cells(refused, window), KDTree(own))
        if _share(was, place, way) >= _FILLED and _share(stays, place, way) > _STAYS
    ]
    if not ways:
        return None
    reach = np.ceil(_REACH * min(ways) * np.divide(window.shape, window.grid)).astype(int)
    positions = on_object(pixels).positions
    return np.concatenate([positions - reach, positions + reach])


def _of(pixels: HintPixels, chosen: Any) -> HintPixels:
    return replace(
        pixels,
        positions=pixels.positions[chosen],
        classes=pixels.classes[chosen],
        owners=pixels.owners[chosen],
    )


def _cells(pixels: HintPixels, window: Window) -> NDArray[np.floating]:
    """Where hinted pixels lie on the grid of a window, (n, ndim)."""
    return window.places(torch.from_numpy(pixels.positions)).numpy()


def _nearest(
    pixels: HintPixels, cells: NDArray[np.floating], own: KDTree
) -> list[tuple[NDArray[np.floating], float]]:
    """Of each hint the place that is nearest to the object's, and how far it lies from there."""
    ways = own.query(cells)[0] if len(cells) else np.empty(0)
    nearest = [
        min(np.flatnonzero(pixels.owners == owner), key=ways.__getitem__)
        for owner in np.unique(pixels.owners)
    ]
    return [(cells[index], float(ways[index])) for index in nearest]


def _share(mask: Tensor, place: NDArray[np.floating], way: float) -> float:
    """How much of the surroundings of a place lies in a mask."""
    radius = max(_LEAST, _PLACE * way)
    first = np.maximum(np.floor(place - radius), 0).astype(int)
    last = np.minimum(np.ceil(place + radius).astype(int) + 1, mask.shape)
    box = tuple(map(slice, first, last))
    centres = np.stack(np.meshgrid(*map(np.arange, first, last), indexing="ij"), -1)
    near = np.linalg.norm(centres - place, axis=-1) <= radius
    return float(mask.numpy()[box][near].mean())
