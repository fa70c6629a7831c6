"""What words did: whether they are followed, and how far they move pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_guideme.hints import TextHint


def is_followed(
    hint: TextHint,
    labels: NDArray[np.integer],
    own: NDArray[np.integer],
    classes: Sequence[str],
) -> bool:
    """Whether there is more of a class in a place than the network finds itself, or less.

    Parameters
    ----------
    hint
        What was said.
    labels, own
        Classes (*spatial) as they are now, and as the network finds them itself.
    classes
        Names of the network's classes.
    """
    index = list(classes).index(hint.class_name)
    place = hint.mask(labels.shape)
    now, before = ((found == index) & place for found in (labels, own))
    if hint.operation == "remove":
        return not now.any() or bool((before & ~now).any())
    return bool((now & ~before).any()) or bool(now[place].all())


def moved(
    hints: Sequence[TextHint], told: Tensor, before: Tensor, classes: Sequence[str]
) -> NDArray[np.float32]:
    """How far words move what they are about, (*spatial), from 0 to 1.

    That is the largest change of the probability of a class that was named.

    Parameters
    ----------
    hints
        What was said.
    told, before
        Logits (K, *spatial) that follow it, and those that do not.
    classes
        Names of the network's classes.
    """
    named = sorted({list(classes).index(hint.class_name) for hint in hints})
    change = (told.softmax(0) - before.softmax(0))[named].abs().amax(0)
    values: NDArray[np.float32] = change.float().cpu().numpy()
    return values
