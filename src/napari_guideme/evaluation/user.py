"""The simulated user who clicks mistakes; positions are array axes."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Position = tuple[int, ...]
Answer = tuple[Position, int]


def largest_error_click(
    labels: NDArray[np.integer], truth: NDArray[np.integer], asked: Collection[Position] = ()
) -> Answer | None:
    """Click the centre of the largest error.

    The centre is the wrongly labelled pixel that is furthest from all pixels
    that are not, where the outside of the image is not; of several the first.

    Parameters
    ----------
    labels
        Class of every pixel.
    truth
        Class that it should have, of the same shape; negative where it does
        not matter.
    asked
        Pixels that were clicked before and are not clicked again.

    Returns
    -------
    Pixel and its true class, or ``None`` if nothing is wrong.

    References
    ----------
    The evaluation protocol of f-BRS: Sofiiuk et al., CVPR 2020, section 5.
    """
    wrong = (truth >= 0) & (labels != truth)
    depth = ndimage.distance_transform_edt(np.pad(wrong, 1))[(slice(1, -1),) * wrong.ndim]
    for position in asked:
        depth[position] = 0
    if not depth.any():
        return None
    position = tuple(int(i) for i in np.unravel_index(int(depth.argmax()), depth.shape))
    return position, int(truth[position])
