"""Volumes slice by slice: labels of all slices, and corrections that are carried on."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_guideme.cli.opening import (
    Telling,
    carried,
    labels_of_volume,
    telling_of,
    watched,
    were_given,
    write,
)
from napari_guideme.cli.results import Results
from napari_guideme.cli.sessions import contents_of_volume
from napari_guideme.cli.understanding import say
from napari_guideme.errors import InputError
from napari_guideme.files import Picture
from napari_guideme.hints import Hints
from napari_guideme.session_file import Setup

if TYPE_CHECKING:
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.volumes import VolumeSession


def is_sliced(options: argparse.Namespace, picture: Picture, network: FrozenNetwork) -> bool:
    """Whether an image is a volume that is worked on slice by slice.

    Raises
    ------
    InputError
        If the user asks for slices, and there are none to work on.
    """
    asked = {
        "--axis": options.axis is not None,
        "--carry": options.carry in ("onward", "volume"),
        "--slice": options.slice is not None,
    }
    option = next((name for name, is_asked in asked.items() if is_asked), None)
    axes = len(picture.label_shape)
    if network.interaction is None and axes == 3:
        return network.preparation.ndim == 2 or option is not None or options.carry is not None
    if option and axes != 3:
        raise InputError(f"{option} is for volumes; the image has {axes} axes")
    if option:
        raise InputError(f"{option} is for networks with classes; {network.name} takes clicks")
    return False


def predict_volume(options: argparse.Namespace, picture: Picture, network: FrozenNetwork) -> int:
    """Write a network's own labels of all slices."""
    session = _session(options, picture, network, Telling())
    write(
        options.output,
        labels_of_volume(session, instances=options.instances),
        network,
        picture,
        instances=options.instances,
    )
    print(f"{len(session)} slices")
    return 0


def refine_volume(
    options: argparse.Namespace, picture: Picture, network: FrozenNetwork, hints: Hints
) -> int:
    """Refine the slices that hints lie in, and carry that on."""
    _check_words(options, hints)
    for name in were_given(options, ("zoom", "mask")):
        raise InputError(f"--{name} is for single images, not for slices of a volume")
    if options.save_session and not (hints or options.say):
        raise InputError("there is no correction to save: the file of hints is empty")
    telling = telling_of(options, network)
    session = _session(options, picture, network, telling)
    said = _correct(session, options, hints)
    extent = options.carry or "slice"
    carried(session, extent)
    labels = labels_of_volume(session, instances=options.instances)
    setup = _setup(options, picture, telling)
    counts = Counter(state.state for state in session.states)
    reports = [session.session(index).report() for index in session.corrected]
    satisfied, given = sum(r.satisfied for r in reports), sum(r.hints for r in reports)
    report = {
        "method": session.method,
        "said": said,
        "hints": given,
        "satisfied": satisfied,
        "carried": extent,
        "slices": [asdict(state) for state in session.states],
    }
    Results(
        labels,
        network,
        picture,
        report,
        contents_of_volume(options, picture, session, extent, setup)
        if options.save_session
        else None,
        session.guidance() if options.save_guidance else None,
    ).write(options)
    states = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    print(f"{satisfied} of {given} hints satisfied; slices: {states}")
    return 0


def check_guidance(path: Path, method: str | None) -> None:
    """Raise `InputError` early if guidance cannot be saved there, or a method finds none."""
    from napari_guideme.guidance.saved import check_method, check_name

    check_name(path)
    if method is not None:
        check_method(method)


def _check_words(options: argparse.Namespace, hints: Hints) -> None:
    """Words are about one slice, as in the widget about the one that is shown."""
    has_words = bool(options.say or hints.texts)
    if has_words and options.slice is None:
        raise InputError("words are about one slice of a volume; say with --slice N about which")
    if options.slice is not None and not has_words:
        raise InputError("--slice is of no use without --say")


def _correct(
    session: VolumeSession, options: argparse.Namespace, hints: Hints
) -> list[dict[str, Any]]:
    """Refine all slices that something is told about; return what was understood of words."""
    said = _say(session, options) if options.say else []
    if hints.texts:
        session.add_to(options.slice, *hints.texts)
    session.add(*hints.marks)
    for index in session.corrected:
        watched(session.refine(index), f"slice {index}")
    return said


def _say(session: VolumeSession, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Tell a slice some sentences; return what was understood."""
    tell, view = partial(session.tell, options.slice), session.session(options.slice).view
    return say(options, tell, view)


def _setup(options: argparse.Namespace, picture: Picture, telling: Telling) -> Setup:
    """Tell how the sessions of all slices are opened."""
    return Setup(
        channels=tuple(options.channels) if options.channels else None,
        telling=telling.way,
        text_guide=telling.file,
        patient=_patient(options, picture),
    )


def _patient(options: argparse.Namespace, picture: Picture) -> tuple[str, ...]:
    """To which side of the patient rows and columns of a slice lead."""
    known = picture.geometry.letters[-3:] if picture.geometry else ()
    letters: tuple[str, ...] = options.patient or known
    across = (options.axis or 0) % 3
    return letters if len(letters) < 3 else letters[:across] + letters[across + 1 :]


def _session(
    options: argparse.Namespace, picture: Picture, network: FrozenNetwork, telling: Telling
) -> VolumeSession:
    from napari_guideme.guidance import DEFAULT_METHOD
    from napari_guideme.language.places import View
    from napari_guideme.volumes import VolumeSession

    geometry = picture.geometry
    return VolumeSession(
        picture.pixels,
        network,
        axis=options.axis or 0,
        channel_axis=picture.channel_axis,
        channels=options.channels,
        spacing=options.spacing or (geometry.spacing if geometry else None),
        method=options.method or DEFAULT_METHOD,
        telling=telling.way,
        text_guide=telling.guide,
        view=View.upright(2, _patient(options, picture)),
    )
