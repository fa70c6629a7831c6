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
    return _deepest(_depth((truth >= 0) & (labels != truth), asked), truth)


def object_click(
    labels: NDArray[np.integer], truth: NDArray[np.integer], clicked: Collection[Position] = ()
) -> Answer | None:
    """Click the centre of what is missed of one object or of what is too much, the deeper one.

    Unlike for :func:`largest_error_click`, a miss and a surplus that touch are
    two errors. Where they are equally deep the surplus is clicked.

    Parameters
    ----------
    labels
        1 on what was found, else 0.
    truth
        1 on the object, 0 elsewhere, negative where it does not matter.
    clicked
        Pixels that were clicked before and are not clicked again.

    Returns
    -------
    Pixel and its true class, or ``None`` if nothing is left to click.

    References
    ----------
    Xu et al., *Deep Interactive Object Selection*, CVPR 2016, section 4; Sofiiuk
    et al., *f-BRS*, CVPR 2020, section 5.
    """
    missed = _depth((truth == 1) & (labels == 0), clicked)
    surplus = _depth((truth == 0) & (labels != 0), clicked)
    return _deepest(missed if missed.max() > surplus.max() else surplus, truth)


def _depth(wrong: NDArray[np.bool_], asked: Collection[Position]) -> NDArray[np.float64]:
    """Distance of each wrong pixel to what is not wrong, 0 at those that were asked for."""
    padded = ndimage.distance_transform_edt(np.pad(wrong, 1))
    depth: NDArray[np.float64] = padded[(slice(1, -1),) * wrong.ndim]
    for position in asked:
        depth[position] = 0
    return depth


def _deepest(depth: NDArray[np.float64], truth: NDArray[np.integer]) -> Answer | None:
    if not depth.any():
        return None
    position = tuple(int(i) for i in np.unravel_index(int(depth.argmax()), depth.shape))
    return position, int(truth[position])
