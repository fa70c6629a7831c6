"""One object of a volume: outlined by clicks on some slices, and carried to others."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from napari_guideme.cli.opening import watched, were_given
from napari_guideme.cli.results import Results
from napari_guideme.errors import InputError
from napari_guideme.files import Picture
from napari_guideme.guidance import DEFAULT_OBJECT_METHOD
from napari_guideme.hints import Hints, Mark, by_slice

if TYPE_CHECKING:
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.object_session import ObjectSession
    from napari_guideme.planes import Slices
    from napari_guideme.volumes.outlines import CarriedOutline

#: Options of no use here, and what they are for.
_ELSEWHERE = {
    "say": "networks with classes",
    "slice": "words, which are about one slice",
    "zoom": "networks with classes",
    "mask": "single images, not for slices of a volume",
    "save_session": "single images and for networks with classes",
}


def is_outlined(picture: Picture, network: FrozenNetwork) -> bool:
    """Whether an image is a volume on whose slices an object is clicked."""
    takes_slices = network.interaction is not None and network.preparation.ndim == 2
    return takes_slices and len(picture.label_shape) == 3


def outline_in_volume(
    options: argparse.Namespace, picture: Picture, network: FrozenNetwork, hints: Hints
) -> int:
    """Outline the object on the slices that hints lie in, and carry that on."""
    from napari_guideme.planes import Slices

    _check(options, network, hints)
    hints.check(picture.label_shape, network.classes)
    slices = Slices(picture.pixels, options.axis or 0, picture.channel_axis)
    spacing = options.spacing or (picture.geometry.spacing[-3:] if picture.geometry else None)
    in_plane = spacing and [size for a, size in enumerate(spacing) if a != slices.axis]
    told = by_slice(hints.marks, picture.label_shape, slices.axis)
    sessions = {
        index: _outlined(options, slices, network, in_plane, index, told[index])
        for index in sorted(told)
    }
    labels, states = _drawn(options, picture, slices.axis, sessions)
    reports = [session.report() for session in sessions.values()]
    satisfied, given = sum(r.satisfied for r in reports), sum(r.hints for r in reports)
    report = {
        "method": options.method or DEFAULT_OBJECT_METHOD,
        "hints": given,
        "satisfied": satisfied,
        "carried": options.carry or "slice",
        "slices": states,
    }
    Results(labels, network, picture, report).write(options)
    carried = sum(state["state"] == "carried" for state in states)
    print(
        f"{satisfied} of {given} hints satisfied; slices: {len(sessions)} outlined, "
        f"{carried} carried"
    )
    return 0


def _check(options: argparse.Namespace, network: FrozenNetwork, hints: Hints) -> None:
    """Refuse what would be ignored."""
    if hints.texts:
        raise InputError(f"words are for networks with classes; {network.name} takes clicks")
    for name in were_given(options, _ELSEWHERE):
        raise InputError(
            f"--{name.replace('_', '-')} is for {_ELSEWHERE[name]}; {network.name} outlines one "
            "object of a volume, by clicks on its slices"
        )
    if options.carry == "volume":
        raise InputError("an object is carried onward, until it no longer fits: --carry onward")


def _outlined(
    options: argparse.Namespace,
    slices: Slices,
    network: FrozenNetwork,
    in_plane: Sequence[float] | None,
    index: int,
    marks: Sequence[Mark],
) -> ObjectSession:
    """Outline the object on one slice."""
    from napari_guideme.object_session import ObjectSession

    session = ObjectSession(
        slices.pixels(index),
        network,
        method=options.method or DEFAULT_OBJECT_METHOD,
        channel_axis=slices.channel_axis,
        channels=options.channels,
        spacing=in_plane,
    )
    session.add(*marks)
    watched(session.refine(), f"slice {index}")
    return session


def _drawn(
    options: argparse.Namespace,
    picture: Picture,
    axis: int,
    sessions: Mapping[int, ObjectSession],
) -> tuple[NDArray[np.uint8], list[dict[str, Any]]]:
    """Labels of all slices, and what became of each that has some."""
    labels = np.zeros(picture.label_shape, np.uint8)
    along = np.moveaxis(labels, axis, 0)
    states = {}
    for index, session in sessions.items():
        along[index] = session.labels()
        states[index] = _state(index, "corrected", None)
    outlines = {index: along[index].copy() for index in sessions if along[index].any()}
    for step in _carried(options, picture, axis, outlines):
        along[step.index] = step.mask
        states[step.index] = _state(step.index, "carried", step.fit)
    return labels, [states.get(i, _state(i, "own", None)) for i in range(len(along))]


def _state(index: int, state: str, agreement: float | None) -> dict[str, Any]:
    return {"index": index, "state": state, "agreement": agreement}


def _carried(
    options: argparse.Namespace,
    picture: Picture,
    axis: int,
    outlines: Mapping[int, NDArray[np.uint8]],
) -> Iterator[CarriedOutline]:
    """Carry the outlines on, if that is wanted, and show how far that is."""
    from napari_guideme.volumes import carry_outlines

    if options.carry != "onward" or not outlines:
        return
    with tqdm(desc="carried", unit="slice", disable=None) as bar:
        channels = picture.channel_axis
        for step in carry_outlines(picture.pixels, outlines, axis=axis, channel_axis=channels):
            bar.total = step.total
            bar.update(step.done - bar.n)
            yield step
