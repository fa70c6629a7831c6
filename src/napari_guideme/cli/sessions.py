"""Sessions in the shell: saved by a command, and replayed by another one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_guideme.cli.opening import card_of, open_picture, watched, write
from napari_guideme.errors import InputError
from napari_guideme.files import Picture
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.catalogue import catalogue, open_network
from napari_guideme.session_file import (
    ImageReference,
    NetworkReference,
    SessionFile,
    digest,
    labels_of,
    load_text_guide,
    read_session,
    reopened,
    save_session,
    saved_part,
    with_part,
)

if TYPE_CHECKING:
    from numpy import integer
    from numpy.typing import NDArray

    from napari_guideme.cli.opening import Opened
    from napari_guideme.networks.frozen import FrozenNetwork


def save(options: argparse.Namespace, opened: Opened) -> None:
    """Write what was done to an image."""
    picture, session = opened.picture, opened.session
    name, network = options.network, session.network
    is_file = name not in catalogue() and Path(name).exists()
    card = card_of(options)
    image = ImageReference.of(
        picture.pixels,
        # The path of a patient's images may hold a name.
        None if picture.private else options.image,
        series=picture.kept.get("series"),
        volume=options.volume,
        channel_axis=options.channel_axis,
    )
    contents = SessionFile(
        image,
        NetworkReference(
            Path(name) if is_file else name, network.fingerprint, card.to_dict() if card else None
        ),
        (saved_part(session, opened.setup, digest(picture.pixels)),),
        options.instances,
    )
    save_session(options.save_session, contents)


def replay(options: argparse.Namespace) -> int:
    """Do again what a session file tells; the labels are the same, bit for bit."""
    contents = read_session(options.session)
    picture = _picture(contents, options)
    source, told = options.network or contents.network.source, contents.network.card
    card = NetworkCard.from_dict(told) if told else None
    network = open_network(source, options.device, card)
    contents.check_network(network.fingerprint, Path(source).name)
    labels = _labels(contents, picture, network, source)
    write(options.output, labels, network, picture, instances=contents.instances)
    entries = sum(len(part.history.entries) for part in contents.parts)
    print(f"{entries} entries of the history replayed")
    return 0


def _labels(
    contents: SessionFile, picture: Picture, network: FrozenNetwork, source: str | Path
) -> NDArray[integer]:
    """Replay all parts of an image."""
    ids = network.interaction is not None or contents.instances
    labels = None
    for part in contents.parts:
        used = part.setup.text_guide
        guide = load_text_guide(used, source, network) if used else None
        session = reopened(part, network, picture.pixels, guide)
        watched(session.replay(part.history), "replaying")
        found = labels_of(session, instances=contents.instances)
        labels = with_part(labels, contents.image, part, found, ids=ids)
    assert labels is not None, "a session file without parts is not read"
    return labels


def _picture(contents: SessionFile, options: argparse.Namespace) -> Picture:
    """Open the image of a session as it was opened then."""
    image, path = contents.image, _path(contents, options)
    series = options.series or (None if image.series is None else str(image.series))
    picture = open_picture(path, options.output, series=series, channel_axis=image.channel_axis)
    # A session of the widget is about all that a layer holds.
    if not image.fits(picture.pixels):
        picture = picture.volume(image.volume)
    contents.check_image(picture.pixels, picture.kind if picture.private else path.name)
    return picture


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
