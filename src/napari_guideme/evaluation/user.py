"""The two simulated users: one clicks mistakes, one answers questions.

Positions are array axes. Both know the truth, and both say nothing twice.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

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
    return _answer(_without(depth, asked, 0), truth, 0)


def most_uncertain_question(
    probabilities: NDArray[np.floating[Any]],
    truth: NDArray[np.integer],
    asked: Collection[Position] = (),
) -> Answer | None:
    """Answer for the pixel of which the network is least certain.

    That is where the gap between the two likeliest classes is smallest; of
    several the first.

    Parameters
    ----------
    probabilities
        Of every class, (K, *spatial) with K at least 2.
    truth
        Class of every pixel, (*spatial); negative where it is not known.
    asked
        Pixels that were asked for before and are not asked for again.

    Returns
    -------
    Pixel and its true class, or ``None`` if there is nothing left to ask for.

    References
    ----------
    Rupprecht et al., *Guide Me*, CVPR 2018, section 4.1.
    """
    second, first = np.partition(probabilities, (-2, -1), axis=0)[-2:]
    doubt = np.where(truth >= 0, 1 - (first - second), -np.inf)
    return _answer(_without(doubt, asked, -np.inf), truth, -np.inf)


def _without(
    score: NDArray[np.floating[Any]], asked: Collection[Position], lowest: float
) -> NDArray[np.floating[Any]]:
    for position in asked:
        score[position] = lowest
    return score


def _answer(
    score: NDArray[np.floating[Any]], truth: NDArray[np.integer], lowest: float
) -> Answer | None:
    """Pixel of the highest score, unless even that is the lowest there is."""
    position = tuple(int(i) for i in np.unravel_index(int(score.argmax()), score.shape))
    return None if score[position] <= lowest else (position, int(truth[position]))
