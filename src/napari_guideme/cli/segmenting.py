"""Find things by their names."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from napari_guideme.cli.opening import open_picture, watched
from napari_guideme.errors import InputError
from napari_guideme.files import (
    check_writable,
    make_folder,
    read_hints,
    write_json,
    write_labels,
    write_picture,
)

if TYPE_CHECKING:
    from napari_guideme.files import Picture
    from napari_guideme.hints import Hints
    from napari_guideme.localize.finding import Found
    from napari_guideme.localize.proxies import StandIns
    from napari_guideme.networks.classifier import FrozenClassifier
    from napari_guideme.networks.frozen import FrozenNetwork


def segment(options: argparse.Namespace) -> int:
    """Find something by its name, also if no network here ever learned it."""
    _check(options)
    hints = read_hints(options.hints) if options.hints else None
    picture = _picture(options)
    from napari_guideme.localize.attention import open_attention
    from napari_guideme.localize.finding import labels_of
    from napari_guideme.networks.classifier import open_classifier

    classifier = open_classifier(options.classifier, options.device)
    asks = options.method == "proxies" or hints is not None
    network = open_attention(device=options.device) if asks else None
    chosen = [_stand_ins(options, name, picture, classifier) for name in options.names]
    found = [
        _found(options, name, picture, classifier, labels, network)
        for name, labels in zip(options.names, chosen, strict=True)
    ]
    if hints is not None and network is not None:
        found = [_corrected(found[0], picture, network, hints, options.correct)]
    if options.show_maps:
        _show(options.show_maps, found)
    write_labels(options.output, labels_of(found), picture, ("background", *options.names))
    if options.json:
        write_json(options.json, {"found": [_told(one, classifier) for one in found]})
    for one in found:
        print(_described(one, classifier))
    return 0


def _check(options: argparse.Namespace) -> None:
    """Refuse what can be refused before anything is loaded."""
    if options.json:
        check_writable(options.json, (".json",))
    if len(set(options.names)) < len(options.names):
        raise InputError("a name is told twice")
    told = ("hints", "stand_ins", "distractors")
    if len(options.names) > 1 and (given := [o for o in told if getattr(options, o)]):
        raise InputError(f"--{given[0].replace('_', '-')} is for a single name")
    if options.by == "vectors" and not options.vectors:
        raise InputError("--by vectors needs --vectors NPZ")
    if options.show_maps:
        make_folder(options.show_maps)


def _picture(options: argparse.Namespace) -> Picture:
    from napari_guideme.localize.finding import as_photograph

    picture = open_picture(options.image, options.output, channel_axis=options.channel_axis)
    if len(picture.label_shape) != 2:
        raise InputError(
            f"things are found by name in pictures of two axes; {options.image.name} has "
            f"{len(picture.label_shape)}"
        )
    pixels = np.asarray(picture.pixels)
    if options.channels:
        pixels = _with_channels(pixels, options.channels, picture.channel_axis)
    return replace(picture, pixels=as_photograph(pixels))


def _with_channels(pixels: NDArray[Any], channels: Sequence[int], axis: int | None) -> NDArray[Any]:
    if axis is None:
        raise InputError("the image has no channels; --channels is for one that has")
    if max(channels) >= pixels.shape[axis] or min(channels) < 0:
        raise InputError(f"the image has channels 0 to {pixels.shape[axis] - 1}")
    return pixels.take(channels, axis)


def _stand_ins(
    options: argparse.Namespace, name: str, picture: Picture, classifier: FrozenClassifier
) -> StandIns:
    """Choose labels, or take those that were told."""
    from napari_guideme.language.vocabulary import WordVectors
    from napari_guideme.localize.finding import chosen_stand_ins

    return chosen_stand_ins(
        name,
        classifier,
        picture.pixels,
        picture.channel_axis,
        by=options.by,
        vectors=WordVectors.read(options.vectors) if options.vectors else None,
        positive=options.stand_ins or (),
        negative=options.distractors or (),
    )


def _found(
    options: argparse.Namespace,
    name: str,
    picture: Picture,
    classifier: FrozenClassifier,
    labels: StandIns,
    network: FrozenNetwork | None,
) -> Found:
    from napari_guideme.localize.finding import find

    with tqdm(desc=name, unit="map", disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return find(
            name,
            picture.pixels,
            classifier,
            labels,
            network=network,
            method=options.method,
            channel_axis=picture.channel_axis,
            views=options.views,
            grabcut=options.grabcut,
            progress=show,
        )


def _corrected(
    found: Found, picture: Picture, network: FrozenNetwork, hints: Hints, method: str
) -> Found:
    """Let clicks correct what was found."""
    from napari_guideme.localize.finding import scene_of
    from napari_guideme.session import GuideSession

    scene = scene_of(found, picture.pixels, network, picture.channel_axis)
    session = GuideSession.on(scene, method=method)
    session.add(*hints)
    watched(session.refine(), session.method)
    return replace(found, mask=session.labels() == 1)


def _show(folder: Path, found: Sequence[Found]) -> None:
    for one in found:
        maps = {"positive": one.positive, "negative": one.negative, "likelihood": one.likelihood}
        for kind, values in maps.items():
            if values is not None:
                write_picture(folder / f"{_file_name(one.name)}-{kind}.tif", values)


def _file_name(name: str) -> str:
    """Return a name that leads into no other folder."""
    return re.sub(r"[^\w -]", "_", name)


def _told(one: Found, classifier: FrozenClassifier) -> dict[str, Any]:
    return {
        "name": one.name,
        "stand_ins": [classifier.labels[label] for label in one.stand_ins.positive],
        "distractors": [classifier.labels[label] for label in one.stand_ins.negative],
        "box": one.box,
        "pixels": int(one.mask.sum()),
    }


def _described(one: Found, classifier: FrozenClassifier) -> str:
    told = _told(one, classifier)
    by, against = ", ".join(told["stand_ins"]), ", ".join(told["distractors"])
    return f"{one.name} {one.mask.mean():.1%}, by {by}; distracting: {against}"
