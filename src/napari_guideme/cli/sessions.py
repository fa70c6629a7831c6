"""Sessions in the shell: saved by a command, and replayed by another one."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_guideme.cli.opening import (
    card_of,
    carried,
    labels_of_volume,
    open_picture,
    tiles_shown,
    watched,
    with_progress,
    write,
)
from napari_guideme.cli.paths import check_apart
from napari_guideme.cli.segmented import setup_of
from napari_guideme.errors import InputError
from napari_guideme.files import Picture, check_labels_fit, check_writable
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.catalogue import catalogue, open_network
from napari_guideme.session_file import (
    ImageReference,
    NameSearch,
    NetworkReference,
    Part,
    Search,
    SessionFile,
    Setup,
    Volume,
    carry_again,
    check_name,
    digest,
    found_again,
    kept_in,
    labels_of,
    load_text_guide,
    open_finding,
    open_volume,
    parts_of,
    read_session,
    reopened,
    replay_volume,
    saved_part,
    source_of,
    with_part,
)

if TYPE_CHECKING:
    from numpy import integer
    from numpy.typing import NDArray

    from napari_guideme.cli.opening import Opened
    from napari_guideme.cli.segmented import Segmented
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.outlines import Kept
    from napari_guideme.session_file.replaying import AnySession
    from napari_guideme.volumes import VolumeSession

    Labels = NDArray[integer]


def check_session_writable(path: Path) -> None:
    """Raise `InputError` before a long computation if a session cannot be saved there."""
    check_name(path)
    check_writable(path, (".json",))


def contents_of(options: argparse.Namespace, opened: Opened) -> SessionFile:
    """Return what was done to an image."""
    picture, session = opened.picture, opened.session
    part = saved_part(session, opened.setup, digest(picture.pixels))
    return SessionFile(
        _reference(options, picture, volume=options.volume),
        _network(options, session.network),
        (part,),
        options.instances,
    )


def contents_of_volume(
    options: argparse.Namespace,
    picture: Picture,
    session: VolumeSession,
    extent: str,
    setup: Setup,
) -> SessionFile:
    """Return what was done to slices of a volume, and how far it was carried."""
    volume, axis = picture.pixels, picture.channel_axis
    return SessionFile(
        _reference(options, picture, volume=options.volume),
        _network(options, session.network),
        parts_of(session, volume, axis, setup),
        options.instances,
        Volume(session.planes.axis, extent, digest(volume), session.planes.spacing),
    )


def contents_of_found(
    options: argparse.Namespace, picture: Picture, found: Segmented
) -> SessionFile:
    """Return how a thing was found in an image, and what corrected it."""
    assert found.session is not None, "who saves a session opens one"
    assert found.network is not None, "who opens a session tells on which network"
    setup, sha256 = setup_of(options, picture), digest(picture.pixels)
    part = saved_part(found.session, setup, sha256, search=found.search)
    return SessionFile(_reference(options, picture), found.network, (part,))


def _network(options: argparse.Namespace, network: FrozenNetwork) -> NetworkReference:
    card = card_of(options)
    source = source_of(options.network, *catalogue())
    return NetworkReference(source, network.fingerprint, card.to_dict() if card else None)


def _reference(
    options: argparse.Namespace, picture: Picture, volume: int | None = None
) -> ImageReference:
    return ImageReference.of(
        picture.pixels,
        # The path of a patient's images may hold a name.
        None if picture.private else options.image,
        series=picture.kept.get("series"),
        volume=volume,
        channel_axis=options.channel_axis,
    )


@tiles_shown()
def replay(options: argparse.Namespace) -> int:
    """Do again what a session file tells; the labels are the same, bit for bit."""
    contents = read_session(options.session)
    picture = _picture(contents, options)
    if contents.parts[0].search is None:
        labels, network = _corrected_again(contents, picture, options)
    else:
        labels, network = _found_again(contents, picture, options)
    write(options.output, labels, network, picture, instances=contents.instances)
    entries = sum(len(part.history.entries) for part in contents.parts)
    print(f"{entries} entries of the history replayed")
    return 0


def _corrected_again(
    contents: SessionFile, picture: Picture, options: argparse.Namespace
) -> tuple[Labels, FrozenNetwork]:
    """Replay all parts of an image that a network labelled."""
    source, told = _source(contents, options), contents.network.card
    card = NetworkCard.from_dict(told) if told else None
    network = open_network(source, options.device, card)
    contents.check_network(network.fingerprint, Path(source).name)
    guides = [
        load_text_guide(used, source, network) if (used := part.setup.text_guide) else None
        for part in contents.parts
    ]
    if contents.volume is not None:
        volume = open_volume(contents, network, picture.pixels, picture.channel_axis, guides[0])
        watched(replay_volume(contents, volume), "replaying")
        carried(volume, contents.volume.extent)
        return labels_of_volume(volume, instances=contents.instances), network
    labels, seen = None, _seen(contents, picture)
    outlined: list[tuple[Part, Kept]] = []
    for part, guide in zip(contents.parts, guides, strict=True):
        session = reopened(part, network, seen, guide)
        labels = _replayed(labels, contents, part, session)
        outlined += [(part, kept) for kept in kept_in(session)]
    assert labels is not None, "a session file without parts is not read"
    carry_again(labels, seen, outlined)
    return labels, network


def _found_again(
    contents: SessionFile, picture: Picture, options: argparse.Namespace
) -> tuple[Labels, FrozenNetwork]:
    """Find a thing again in all parts of an image, and replay what corrected it."""
    labels = None
    for part in contents.parts:
        search, reference = _moved(part.search, contents.network, options.network)
        finding = open_finding(reference, search, options.device)
        contents.check_network(finding.reference(search).fingerprint, Path(reference.source).name)
        what = search.name if isinstance(search, NameSearch) else search.sentence
        pixels = _seen(contents, picture)
        again = partial(found_again, replace(part, search=search), finding, pixels)
        _, session = with_progress(what, "step", again)
        labels = _replayed(labels, contents, part, session)
    assert labels is not None, "a session file without parts is not read"
    return labels, session.network


def _moved(
    search: Search | None, network: NetworkReference, source: str | None
) -> tuple[Search, NetworkReference]:
    """Tell where what answers lies now: of names that is the classifier."""
    assert search is not None, "parts are all of one kind"
    if source is None:
        return search, network
    if isinstance(search, NameSearch):
        return replace(search, classifier=replace(search.classifier, source=source)), network
    return search, replace(network, source=source)


def _replayed(
    labels: Labels | None, contents: SessionFile, part: Part, session: AnySession
) -> Labels:
    """Replay a part in a session on it; return the labels so far with those of the part."""
    watched(session.replay(part.history), "replaying")
    found = labels_of(session, instances=contents.instances)
    ids = session.network.interaction is not None or contents.instances
    return with_part(labels, contents.image, part, found, ids=ids)


def _picture(contents: SessionFile, options: argparse.Namespace) -> Picture:
    """Open the image of a session as it was opened then."""
    image, path = contents.image, _path(contents, options)
    check_apart(argparse.Namespace(image=path, output=options.output))
    series = options.series or (None if image.series is None else str(image.series))
    picture = open_picture(path, options.output, series=series, channel_axis=image.channel_axis)
    # A session of the widget is about all that a layer holds.
    if not image.fits(picture.pixels):
        picture = picture.volume(image.volume)
    name = picture.kind if picture.private else path.name
    if contents.volume is not None:
        check_labels_fit(options.output, picture.label_shape)
    contents.check_image(picture.pixels, name, _seen(contents, picture))
    return picture


def _seen(contents: SessionFile, picture: Picture) -> NDArray[Any]:
    """Return the pixels that parts of a session are cut of."""
    seen: NDArray[Any] = contents.seen(picture.pixels, picture.channel_axis)
    return seen


def _source(contents: SessionFile, options: argparse.Namespace) -> str | Path:
    """Return what the network of a session is opened by."""
    source: str | Path = options.network or contents.network.source
    if not options.network and isinstance(source, Path) and not source.exists():
        raise InputError(
            f"the network {source.name} of {options.session.name} is not in "
            f"{source.parent.resolve()} any more; say with --network PATH where it is now"
        )
    return source


def _path(contents: SessionFile, options: argparse.Namespace) -> Path:
    """Return where the image of a session is."""
    path: Path | None = options.image or contents.image.path
    name = options.session.name
    if path is None:
        raise InputError(f"{name} does not say where its image is; give it with --image IMAGE")
    if not options.image and not path.exists():
        raise InputError(
            f"the image {path.name} of {name} is not in {path.parent.resolve()} any more; "
            "say with --image IMAGE where it is now"
        )
    return path
