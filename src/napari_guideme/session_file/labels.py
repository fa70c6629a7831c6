"""The labels of all parts of an image, as they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_guideme.session_file.contents import ImageReference, Part

if TYPE_CHECKING:
    from napari_guideme.session_file.replaying import AnySession

Labels = NDArray[np.integer]


def labels_of(session: AnySession, *, instances: bool = False) -> Labels:
    """Labels of a session; committed objects have their ids, and the present one the next."""
    from napari_guideme.object_session import ObjectSession

    if not isinstance(session, ObjectSession):
        return session.labels(instances=instances)
    ids, present = session.objects(), session.labels()
    if not ids.any():
        return present
    return np.where((ids == 0) & (present > 0), ids.max() + 1, ids)


def with_part(
    whole: Labels | None, image: ImageReference, part: Part, labels: Labels, *, ids: bool
) -> Labels:
    """Return the labels of the image so far with those of a part.

    Parameters
    ----------
    whole
        Labels so far, ``None`` at first.
    ids
        Whether labels number objects; those of another slice get ids of their own.
    """
    if part.index is None:
        return labels
    if whole is None:
        spatial = [n for axis, n in enumerate(image.shape) if axis != image.channel_axis]
        whole = np.zeros(spatial[: len(part.index)], np.int32 if ids else labels.dtype)
    highest = whole.max(initial=0) if ids else 0
    whole[part.slices] = np.where(labels > 0, labels + highest, 0)
    return whole
