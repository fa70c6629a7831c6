"""Proxies answer ``segment``: labels of a classifier stand in for names."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_guideme.cli.segmented import Segmented, corrected, method_of, with_progress
from napari_guideme.errors import InputError
from napari_guideme.guidance import DEFAULT_METHOD, FOUND_METHODS
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER

if TYPE_CHECKING:
    from napari_guideme.files import Picture
    from napari_guideme.hints import Hints
    from napari_guideme.language.vocabulary import WordVectors
    from napari_guideme.localize.finding import Found
    from napari_guideme.localize.proxies import StandIns
    from napari_guideme.networks.classifier import FrozenClassifier
    from napari_guideme.networks.frozen import FrozenNetwork


def by_proxies(
    options: argparse.Namespace, picture: Picture, hints: Hints | None = None
) -> Segmented:
    """Find things by their names."""
    from napari_guideme.localize.attention import open_attention
    from napari_guideme.localize.finding import as_photograph, labels_of, scene_of
    from napari_guideme.networks.classifier import open_classifier

    method = method_of(options, DEFAULT_METHOD, FOUND_METHODS)
    picture = replace(picture, pixels=as_photograph(picture.pixels))
    classifier = open_classifier(options.classifier, options.device)
    asks = options.method == "proxies" or hints is not None
    network = open_attention(device=options.device) if asks else None
    chosen = [_stand_ins(options, name, picture, classifier) for name in options.names]
    found = [
        _found(options, name, picture, classifier, labels, network)
        for name, labels in zip(options.names, chosen, strict=True)
    ]
    if hints is not None and network is not None:
        scene = scene_of(found[0], picture.pixels, network, picture.channel_axis)
        found = [replace(found[0], mask=corrected(scene, hints, method))]
    told = [_told(one, classifier) for one in found]
    return Segmented(
        labels_of(found),
        {
            (one.name, kind): values
            for one in found
            for kind in ("positive", "negative", "likelihood")
            if (values := getattr(one, kind)) is not None
        },
        told,
        [_described(one, entry) for one, entry in zip(found, told, strict=True)],
    )


def is_known_name(options: argparse.Namespace, name: str) -> bool:
    """Whether labels of the chosen classifier may stand in for a phrase as a whole."""
    from napari_guideme.localize.known_labels import KnownLabels
    from napari_guideme.localize.proxies import is_name
    from napari_guideme.networks.classifier import open_classifier

    own = options.classifier != DEFAULT_CLASSIFIER
    known = open_classifier(options.classifier, options.device) if own else KnownLabels.imagenet()
    return is_name(name, known, options.by, _vectors(options))


def _vectors(options: argparse.Namespace) -> WordVectors | None:
    from napari_guideme.language.vocabulary import WordVectors

    if options.by == "vectors" and not options.vectors:
        raise InputError("--by vectors needs --vectors NPZ")
    return WordVectors.read(options.vectors) if options.vectors else None


def _stand_ins(
    options: argparse.Namespace, name: str, picture: Picture, classifier: FrozenClassifier
) -> StandIns:
    """Choose labels, or take those that were told."""
    from napari_guideme.localize.finding import chosen_stand_ins

    return chosen_stand_ins(
        name,
        classifier,
        picture.pixels,
        picture.channel_axis,
        by=options.by,
        vectors=_vectors(options),
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

    return with_progress(
        name,
        "map",
        lambda progress: find(
            name,
            picture.pixels,
            classifier,
            labels,
            network=network,
            method=options.method,
            channel_axis=picture.channel_axis,
            views=options.views,
            grabcut=options.grabcut,
            progress=progress,
        ),
    )


def _told(one: Found, classifier: FrozenClassifier) -> dict[str, Any]:
    return {
        "name": one.name,
        "stand_ins": [classifier.labels[label] for label in one.stand_ins.positive],
        "distractors": [classifier.labels[label] for label in one.stand_ins.negative],
        "box": one.box,
        "pixels": int(one.mask.sum()),
    }


def _described(one: Found, told: dict[str, Any]) -> str:
    by, against = ", ".join(told["stand_ins"]), ", ".join(told["distractors"])
    return f"{one.name} {one.mask.mean():.1%}, by proxies: {by}; distracting: {against}"
