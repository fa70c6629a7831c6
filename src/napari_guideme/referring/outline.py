"""From a heat map to the outline of the one thing that it is about."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_guideme.localize.grabcut import from_likelihood

Mask = NDArray[np.bool_]

#: Share of the highest heat that belongs to the thing.
_SHARE = 0.4


def outlined(image: NDArray[Any], heat: NDArray[np.float32], grabcut: bool = True) -> Mask:
    """Outline the one connected thing that most of the heat is on.

    A network that learned from few images is seldom sure: what counts is where the heat is
    highest, not whether it is above one half, as in the paper.

    Parameters
    ----------
    image
        (rows, columns), or with channels first or last; of any type.
    heat
        (rows, columns) from 0 to 1.
    grabcut
        Whether the outline follows the colours of the image; else it is where the heat is
        0.4 of the highest or more.

    Returns
    -------
    (rows, columns); empty if the heat is the same everywhere.
    """
    mask = from_likelihood(image, heat) if grabcut else heat > max(_SHARE * heat.max(), heat.min())
    parts, number = ndimage.label(mask)
    if number > 1:
        own = ndimage.sum(heat, parts, range(1, number + 1))
        mask = parts == 1 + int(np.argmax(own))
    return mask
