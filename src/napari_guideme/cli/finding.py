"""Proxies answer ``segment``: labels of a classifier stand in for names."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_guideme.cli.opening import with_progress
from napari_guideme.cli.segmented import (
    Segmented,
    corrected,
    is_corrected,
    method_of,
    setup_of,
)
from napari_guideme.errors import InputError
from napari_guideme.guidance import DEFAULT_METHOD, FOUND_METHODS
from napari_guideme.localize import usual_outline, usual_views
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER
from napari_guideme.session_file import (
    ByLabels,
    NameSearch,
    NetworkReference,
    Setup,
    source_of,
    with_channels,
)

if TYPE_CHECKING:
    from napari_guideme.files import Picture
    from napari_guideme.hints import Hints
    from napari_guideme.language.vocabulary import WordVectors
    from napari_guideme.localize.finding import Found
    from napari_guideme.networks.classifier import FrozenClassifier


def by_proxies(
    options: argparse.Namespace, picture: Picture, hints: Hints | None = None
) -> Segmented:
    """Find things by their names."""
    from napari_guideme.localize.attention import open_attention
    from napari_guideme.localize.finding import labels_of
    from napari_guideme.networks.classifier import open_classifier

    method = method_of(options, DEFAULT_METHOD, FOUND_METHODS)
    classifier = open_classifier(options.classifier, options.device)
    asks = options.method == "proxies" or is_corrected(options)
    answering = ByLabels(classifier, open_attention(device=options.device) if asks else None)
    setup = setup_of(options, picture)
    searches = _searches(options, picture, classifier, setup)
    found = [_found(answering, search, picture, setup) for search in searches]
    session = None
    if is_corrected(options):
        session = answering.session(found[0], searches[0], setup, picture.pixels, method)
        found = [replace(found[0], mask=corrected(session, hints))]
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
        session=session,
        search=searches[0],
        network=answering.reference(searches[0]) if session else None,
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


def _searches(
    options: argparse.Namespace, picture: Picture, classifier: FrozenClassifier, setup: Setup
) -> list[NameSearch]:
    """Choose labels for each name, or take those that were told."""
    from napari_guideme.localize.finding import chosen_stand_ins
    from napari_guideme.localize.photographs import as_photograph, limits_of

    pixels = with_channels(picture.pixels, setup.channels, setup.channel_axis)
    limits = limits_of(pixels)
    seen = as_photograph(pixels, limits)
    source = source_of(options.classifier, DEFAULT_CLASSIFIER)
    searches = []
    for name in options.names:
        chosen = chosen_stand_ins(
            name,
            classifier,
            seen,
            picture.channel_axis,
            by=options.by,
            vectors=_vectors(options),
            positive=options.stand_ins or (),
            negative=options.distractors or (),
        )
        searches.append(
            NameSearch(
                name,
                NetworkReference(source, classifier.fingerprint),
                chosen.positive,
                chosen.negative,
                options.method,
                usual_views(options.method) if options.views is None else options.views,
                options.outline or usual_outline(options.method),
                limits,
            )
        )
    return searches


def _found(answering: ByLabels, search: NameSearch, picture: Picture, setup: Setup) -> Found:
    return with_progress(
        search.name,
        "map",
        lambda progress: answering.find(search, setup, picture.pixels, progress),
    )


def _told(one: Found, classifier: FrozenClassifier) -> dict[str, Any]:
    # What distracts is only looked at for the network that draws a likelihood.
    against = () if one.likelihood is None else one.stand_ins.negative
    return {
        "name": one.name,
        "stand_ins": [classifier.labels[label] for label in one.stand_ins.positive],
        "distractors": [classifier.labels[label] for label in against],
        "box": one.box,
        "pixels": int(one.mask.sum()),
    }


def _described(one: Found, told: dict[str, Any]) -> str:
    by, against = ", ".join(told["stand_ins"]), ", ".join(told["distractors"])
    distracting = f"; distracting: {against}" if against else ""
    return f"{one.name} {one.mask.mean():.1%}, by proxies: {by}{distracting}"
