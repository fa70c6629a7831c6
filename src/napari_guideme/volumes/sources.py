"""What a corrected slice gives to the others: its clicks, and what was said about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from napari_guideme.guidance.carrying import Anchors
from napari_guideme.planes import Planes
from napari_guideme.session import GuideSession
from napari_guideme.volumes.sayings import Saying
from napari_guideme.volumes.states import Carried


def anchors_of(index: int, session: GuideSession, planes: Planes, known: Carried | None) -> Anchors:
    """Return the anchors of a corrected slice, with what had been carried to it before.

    Parameters
    ----------
    index, session
        Number of the slice, and its session.
    planes
        The volume.
    known
        What its session began from, if anything had been carried there.
    """
    own = _measured(session.anchors(index), planes, index)
    if known is None:
        return own
    labels = torch.from_numpy(session.labels().astype(np.int64)).to(session.network.device)
    return known.anchors.standing(labels).joined(own)


def sayings_of(
    index: int, session: GuideSession, planes: Planes, known: Carried | None
) -> tuple[Saying, ...]:
    """Return what was said about a corrected slice, after what had been told to it before.

    Parameters
    ----------
    index, session, planes, known
        See :func:`anchors_of`.
    """
    scene = planes.scene(index)
    said = [Saying.of(hint, changed, scene, index) for hint, changed in session.changed_by_words()]
    own = [replace(s, anchors=_measured(s.anchors, planes, index)) for s in said if s is not None]
    return (*(known.sayings if known else ()), *own)


def _measured(anchors: Anchors, planes: Planes, index: int) -> Anchors:
    beside = [n for n in (index - 1, index + 1) if 0 <= n < len(planes)]
    return anchors.measured(planes.scene(index), [planes.scene(n) for n in beside])
