"""What commands begin with: an image, a network, a session; and the labels they end with."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from napari_guideme.errors import InputError
from napari_guideme.files import (
    Picture,
    check_labels_fit,
    check_labels_writable,
    open_image,
    write_labels,
)
from napari_guideme.language import DEFAULT_TELLING
from napari_guideme.networks.card import NetworkCard, read_card
from napari_guideme.networks.catalogue import catalogue, open_network
from napari_guideme.networks.watching import watching
from napari_guideme.referring import REFERRING
from napari_guideme.session_file import FileReference, Setup, open_session

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.language.text_guide import TextGuide
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.session_file.replaying import AnySession
    from napari_guideme.volumes import VolumeSession

T = TypeVar("T")


@dataclass(frozen=True)
class Opened:
    """A session, the image it is about, and what it was opened with."""

    picture: Picture
    session: AnySession
    setup: Setup


@dataclass(frozen=True)
class Telling:
    """How words are followed, and the trained guide that follows them, if one does."""

    way: str = DEFAULT_TELLING
    file: FileReference | None = None
    guide: TextGuide | None = None


def were_given(options: argparse.Namespace, names: Iterable[str]) -> Iterator[str]:
    """Which of some options, that are nothing by default, a user gave."""
    for name in names:
        value = getattr(options, name)
        # A given 0 is no False.
        if value is not None and value is not False and value != []:
            yield name


def begun(options: argparse.Namespace) -> tuple[Picture, FrozenNetwork]:
    """Open image and network; torch is only loaded here, after cheap checks."""
    picture = open_picture(
        options.image, options.output, series=options.series, channel_axis=options.channel_axis
    ).volume(options.volume)
    check_labels_fit(options.output, picture.label_shape)
    return picture, network_of(options)


def opened(options: argparse.Namespace, picture: Picture, network: FrozenNetwork) -> Opened:
    """Open a session on a whole image."""
    picture = replace(picture, pixels=np.asarray(picture.pixels))
    telling = telling_of(options, network)
    setup = Setup(
        channel_axis=picture.channel_axis,
        channels=tuple(options.channels) if options.channels else None,
        telling=telling.way,
        text_guide=telling.file,
        patient=_patient(options, network, picture),
        zoom=options.zoom,
        spacing=_spacing(options, network, picture),
    )
    session = open_session(setup, network, picture.pixels, telling.guide, options.method)
    return Opened(picture, session, setup)


def open_picture(
    path: Path, output: Path, *, series: str | None = None, channel_axis: int | None = None
) -> Picture:
    """Open an image, once it is known that its labels have somewhere to go."""
    check_labels_writable(output)
    picture = open_image(path, series=series)
    if channel_axis is not None:
        picture = picture.with_channels(channel_axis)
    check_labels_writable(output, picture)
    return picture


def card_of(options: argparse.Namespace) -> NetworkCard | None:
    """Return what is told of a network beside its file."""
    card = read_card(options.card) if options.card else None
    if options.window is None:
        return card
    window = {"value_range": "limits", "limits": options.window}
    return NetworkCard(preparation=window).completed(card or NetworkCard())


def network_of(options: argparse.Namespace) -> FrozenNetwork:
    """Open the network that was chosen; one that follows sentences labels nothing else."""
    if options.network == REFERRING:
        raise InputError(
            f"{REFERRING} follows a sentence: napari-guideme segment IMAGE SENTENCE -o LABELS; "
            f"here choose {', '.join(catalogue())}, or another network"
        )
    return open_network(options.network, options.device, card_of(options))


def text_guide_of(options: argparse.Namespace, network: FrozenNetwork) -> TextGuide | None:
    """Open the text guide of a network, if there is one."""
    from napari_guideme.language.text_guide import load

    path = _text_guide_file(options)
    return None if path is None else load(path, network)


def telling_of(options: argparse.Namespace, network: FrozenNetwork) -> Telling:
    """Tell how words are followed; a text guide is only opened where there are some."""
    if not options.say or network.interaction is not None:
        return Telling()
    way = options.telling or ("text-guide" if options.text_guide else DEFAULT_TELLING)
    path = None if way == "words" else _text_guide_file(options)
    if path is None:
        return Telling(way)
    file = FileReference.of(path, is_found=not options.text_guide)
    return Telling(way, file, text_guide_of(options, network))


def watched(steps: Iterator[Step], description: str) -> None:
    """Go all steps, and show how far that is."""
    with tqdm(desc=description, unit="step", disable=None) as bar:
        for step in steps:
            bar.total = step.total
            bar.update(step.index - bar.n)


def with_progress(what: str, unit: str, work: Callable[[Callable[[int, int], None]], T]) -> T:
    """Do some work that tells what is done and how much there is in all."""
    with tqdm(desc=what, unit=unit, disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return work(show)


@contextmanager
def tiles_shown() -> Iterator[None]:
    """Show how far a network is with an image that is too large for one pass."""
    bar = tqdm(disable=True)

    def show(done: int, total: int) -> None:
        nonlocal bar
        if done == 1:
            bar = tqdm(desc="network", total=total, unit="tile", disable=None)
        bar.update()
        if done == total:
            bar.close()

    with watching(show):
        yield


def carried(session: VolumeSession, extent: str) -> None:
    """Carry the corrections of a volume on, and show how far that is."""
    with tqdm(desc="carried", unit="slice", disable=None) as bar:
        for step in session.carry(extent):
            bar.total = step.total
            bar.update(step.done - bar.n)


def labels_of_volume(session: VolumeSession, *, instances: bool) -> NDArray[np.integer]:
    """Labels of all slices; objects are numbered within the whole volume."""
    from napari_guideme.networks.objects import objects

    labels = with_progress("labelled", "slice", session.labels)
    if not instances:
        return labels
    return objects(labels, session.network.separator_index, session.planes.spacing)


def write(
    path: Path,
    labels: NDArray[np.integer],
    network: FrozenNetwork,
    picture: Picture,
    *,
    instances: bool,
) -> None:
    """Write labels on the image's grid; segments are called as classes are."""
    # A viewer may have taken channels for planes; its labels lie on no grid of the file's.
    like = picture if labels.shape == picture.label_shape else None
    numbered = instances or labels.max(initial=0) >= len(network.classes)
    write_labels(path, labels, like, () if numbered else network.classes)


def _text_guide_file(options: argparse.Namespace) -> Path | None:
    from napari_guideme.language.text_guide import find

    path: Path | None = options.text_guide or find(options.network)
    return path


def _patient(
    options: argparse.Namespace, network: FrozenNetwork, picture: Picture
) -> tuple[str, ...]:
    """To which side of the patient the network's axes lead."""
    if options.patient or picture.geometry is None:
        return options.patient or ()
    return picture.geometry.letters[-network.preparation.ndim :]


def _spacing(
    options: argparse.Namespace, network: FrozenNetwork, picture: Picture
) -> tuple[float, ...] | None:
    """Size of a pixel along each of the network's axes, if anybody told."""
    told: tuple[float, ...] | None = options.spacing
    if told or picture.geometry is None:
        return told
    return picture.geometry.spacing[-network.preparation.ndim :]
