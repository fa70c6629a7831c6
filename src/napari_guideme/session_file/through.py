"""Objects that went through a stack, carried again from the slices they were outlined on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError

if TYPE_CHECKING:
    from napari_guideme.outlines import Kept
    from napari_guideme.session_file.contents import Part
    from napari_guideme.session_file.replaying import AnySession

#: What was outlined, on which slice.
Outlined = tuple["Part", "Kept"]


def kept_in(session: AnySession) -> tuple[Kept, ...]:
    """The objects that were kept in a session; with networks that take no clicks, none."""
    from napari_guideme.object_session import ObjectSession

    return session.kept if isinstance(session, ObjectSession) else ()


def carry_again(
    labels: NDArray[np.integer], image: NDArray[Any], outlined: Iterable[Outlined]
) -> None:
    """Draw objects on all slices that they were carried to, each under one number.

    Parameters
    ----------
    labels
        Of the whole image, with what was outlined; is changed.
    image
        Its pixels, channels last if there are any.
    outlined
        The objects that were kept, on which slices.
    """
    things: dict[int, list[Outlined]] = {}
    for part, kept in outlined:
        if kept.across and part.index is not None:
            things.setdefault(kept.across, []).append((part, kept))
    for thing in things.values():
        _carry(labels, image, thing)


def _carry(labels: NDArray[np.integer], image: NDArray[Any], thing: list[Outlined]) -> None:
    from napari_guideme.volumes import carry_outlines

    (part, _), *_ = thing
    assert part.axes is not None, "slices have axes"
    assert part.index is not None, "and a place"
    hidden = [a for a, n in enumerate(labels.shape) if a not in part.axes and n > 1]
    if not hidden:
        raise InputError("the session tells of an object through slices of an image that has none")
    axis = hidden[-1]
    seen = sorted((*part.axes, axis))
    cut = tuple(slice(None) if a in seen else i for a, i in enumerate(part.index))
    along = np.moveaxis(labels[cut], seen.index(axis), 0)
    outlines = {}
    number: int = 0
    for other, kept in thing:
        assert other.index is not None, "slices have a place"
        index = other.index[axis]
        outlines[index] = mask = kept.drawn(along.shape[1:])
        here = along[index]
        own = int(np.bincount(here[mask]).argmax())
        number = number or own
        here[mask & (here == own)] = number
    channels = len(seen) if image.ndim > labels.ndim else None
    for step in carry_outlines(image[cut], outlines, axis=seen.index(axis), channel_axis=channels):
        free = step.mask & (along[step.index] == 0)
        along[step.index][free] = number
