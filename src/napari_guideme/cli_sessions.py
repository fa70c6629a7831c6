"""Sessions in the shell: saved by a command, and replayed by another one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from tqdm import tqdm

from napari_guideme.errors import InputError
from napari_guideme.files import TIFF, check_writable, read_image, write_labels
from napari_guideme.networks.card import NetworkCard, read_card
from napari_guideme.networks.catalogue import catalogue, open_network
from napari_guideme.session_file import (
    ImageReference,
    NetworkReference,
    SessionFile,
    Setup,
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
    from napari_guideme.guidance.refining import Step
    from napari_guideme.object_session import ObjectSession
    from napari_guideme.session import GuideSession

    AnySession = GuideSession | ObjectSession

LABEL_FILES = (*TIFF, ".png")


def save(
    options: argparse.Namespace, pixels: NDArray[Any], session: AnySession, setup: Setup
) -> None:
    """Write what was done to an image."""
    name, network = options.network, session.network
    is_file = name not in catalogue() and Path(name).exists()
    card = read_card(options.card).to_dict() if options.card else None
    contents = SessionFile(
        ImageReference.of(pixels, options.image),
        NetworkReference(Path(name) if is_file else name, network.fingerprint, card),
        (saved_part(session, setup, digest(pixels)),),
        options.instances,
    )
    save_session(options.save_session, contents)


def replay(options: argparse.Namespace) -> int:
    """Do again what a session file tells; the labels are the same, bit for bit."""
    check_writable(options.output, LABEL_FILES)
    contents = read_session(options.session)
    path = _image_of(contents, options)
    pixels, _ = read_image(path)
    contents.check_image(pixels, path.name)
    source, told = options.network or contents.network.source, contents.network.card
    card = NetworkCard.from_dict(told) if told else None
    network = open_network(source, options.device, card)
    contents.check_network(network.fingerprint, Path(source).name)
    ids = network.interaction is not None or contents.instances
    labels = None
    for part in contents.parts:
        used = part.setup.text_guide
        guide = load_text_guide(used, source, network) if used else None
        session = reopened(part, network, pixels, guide)
        watched(session.replay(part.history), "replaying")
        found = labels_of(session, instances=contents.instances)
        labels = with_part(labels, contents.image, part, found, ids=ids)
    assert labels is not None, "a session file without parts is not read"
    write_labels(options.output, labels)
    entries = sum(len(part.history.entries) for part in contents.parts)
    print(f"{entries} entries of the history replayed")
    return 0


def watched(steps: Iterator[Step], description: str) -> None:
    """Go all steps, and show how far that is."""
    with tqdm(desc=description, unit="step", disable=None) as bar:
        for step in steps:
            bar.total = step.total
            bar.update(step.index - bar.n)


def _image_of(contents: SessionFile, options: argparse.Namespace) -> Path:
    """Return where the image of a session is."""
    path: Path | None = options.image or contents.image.path
    name = options.session.name
    if path is None:
        raise InputError(f"{name} does not say where its image is; give it with --image IMAGE")
    if not options.image and not path.is_file():
        raise InputError(
            f"the image {path.name} of {name} is not in {path.parent.resolve()} any more; "
            "say with --image IMAGE where it is now"
        )
    return path
