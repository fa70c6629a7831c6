"""Volumes slice by slice: labels of all slices, and corrections that are carried on."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from napari_guideme.cli.opening import carried, labels_of_volume, watched, write
from napari_guideme.cli.sessions import save_volume
from napari_guideme.errors import InputError
from napari_guideme.files import Picture, write_json
from napari_guideme.hints import Hints

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
    asked = {"--axis": options.axis is not None, "--carry": options.carry in ("onward", "volume")}
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
    session = _session(options, picture, network)
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
    if options.say or hints.texts:
        raise InputError("words are about a whole image; in slices of a volume, give clicks")
    for name in ("zoom", "mask"):
        if getattr(options, name):
            told = name.replace("_", "-")
            raise InputError(f"--{told} is for single images, not for slices of a volume")
    if options.save_session and not hints.marks:
        raise InputError("there is no correction to save: the file of hints is empty")
    session = _session(options, picture, network)
    session.add(*hints.marks)
    for index in session.corrected:
        watched(session.refine(index), f"slice {index}")
    extent = options.carry or "slice"
    carried(session, extent)
    if options.save_session:
        save_volume(options, picture, session, extent)
    if options.save_guidance:
        session.guidance().save(options.save_guidance)
    labels = labels_of_volume(session, instances=options.instances)
    write(options.output, labels, network, picture, instances=options.instances)
    counts = Counter(state.state for state in session.states)
    reports = [session.session(index).report() for index in session.corrected]
    satisfied, given = sum(r.satisfied for r in reports), sum(r.hints for r in reports)
    if options.json:
        report = {
            "network": options.network,
            "image": picture.kind if picture.private else str(options.image),
            "method": session.method,
            "hints": given,
            "satisfied": satisfied,
            "carried": extent,
            "slices": [asdict(state) for state in session.states],
        }
        write_json(options.json, report)
    states = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    print(f"{satisfied} of {given} hints satisfied; slices: {states}")
    return 0


def check_guidance_name(path: Path) -> None:
    """Raise `InputError` early if guidance cannot be saved there."""
    from napari_guideme.guidance.saved import check_name

    check_name(path)


def _session(
    options: argparse.Namespace, picture: Picture, network: FrozenNetwork
) -> VolumeSession:
    from napari_guideme.guidance import DEFAULT_METHOD
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
    )
