"""Volumes that were corrected slice by slice: what is kept of them, and doing it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_guideme.errors import InputError
from napari_guideme.session_file.contents import Part, SessionFile, Setup, channels_last, digest
from napari_guideme.session_file.replaying import saved_part

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.language.text_guide import TextGuide
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.volumes import VolumeSession


def parts_of(
    session: VolumeSession, volume: Any, channel_axis: int | None, setup: Setup
) -> tuple[Part, ...]:
    """Tell what was done in the corrected slices of a volume.

    Parameters
    ----------
    session
        On it.
    volume, channel_axis
        What the session was opened with.
    setup
        What its slices were opened with besides: channels, words, sides of the patient.
    """
    last = None if channel_axis is None else -1
    setup = replace(setup, channel_axis=last, spacing=session.planes.in_plane)
    seen, axis = channels_last(volume, channel_axis), session.planes.axis
    found = []
    for index in session.corrected:
        place = tuple(index if a == axis else 0 for a in range(3))
        begun = session.inherited(index)
        part = saved_part(session.session(index), setup, "", _across(axis), place, begun)
        found.append(replace(part, sha256=digest(part.pixels(seen))))
    return tuple(found)


def open_volume(
    contents: SessionFile,
    network: FrozenNetwork,
    volume: Any,
    channel_axis: int | None,
    text_guide: TextGuide | None = None,
) -> VolumeSession:
    """Open the session of a volume as it was opened.

    Parameters
    ----------
    contents
        That tell of a volume.
    network
        Which was corrected.
    volume, channel_axis
        The image, and the axis that holds its channels.
    text_guide
        That follows words, if one does.

    Raises
    ------
    InputError
        If the image is another one, or cannot be used in that way.
    """
    from napari_guideme.language.places import View
    from napari_guideme.volumes import VolumeSession

    told, setup = contents.volume, contents.parts[0].setup
    assert told is not None, "the session is about a volume"
    if digest(volume) != told.sha256:
        raise InputError("the image is not that of the session, or was changed since")
    return VolumeSession(
        volume,
        network,
        axis=told.axis,
        channel_axis=channel_axis,
        channels=setup.channels,
        spacing=told.spacing,
        guide_point=next((p.setup.calibrated for p in contents.parts if p.setup.calibrated), None),
        telling=setup.telling,
        text_guide=text_guide,
        view=View.upright(2, setup.patient),
    )


def replay_volume(contents: SessionFile, session: VolumeSession) -> Iterator[Step]:
    """Do again what was done in the slices of a volume.

    Raises
    ------
    InputError
        If a part is no slice along the axis of the volume.
    """
    axis = session.planes.axis
    for part in contents.parts:
        if part.index is None or part.axes != _across(axis) or len(part.index) != 3:
            raise InputError(f"a part is no slice along axis {axis}")
        index = part.index[axis]
        session.inherit(index, part.inherited)
        yield from session.session(index).replay(part.history)


def _across(axis: int) -> tuple[int, ...]:
    """Return the axes that span the slices along an axis."""
    return tuple(a for a in range(3) if a != axis)
