"""See-through-Text answers ``segment``: a sentence picks one thing among many."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.cli.opening import with_progress
from napari_guideme.cli.segmented import (
    Segmented,
    corrected,
    is_corrected,
    method_of,
    setup_of,
)
from napari_guideme.errors import InputError
from napari_guideme.guidance import DEFAULT_FOLLOWED_METHOD, FOLLOWED_METHODS
from napari_guideme.referring import OUTLINES
from napari_guideme.session_file import BySentence, SentenceSearch

if TYPE_CHECKING:
    from napari_guideme.files import Picture
    from napari_guideme.hints import Hints
    from napari_guideme.referring.following import Followed


def by_network(
    options: argparse.Namespace, picture: Picture, hints: Hints | None, answering: BySentence
) -> Segmented:
    """Find what a sentence refers to."""
    if len(options.names) > 1:
        raise InputError("see-through-text follows one sentence; write it in quotes")
    method = method_of(options, DEFAULT_FOLLOWED_METHOD, FOLLOWED_METHODS)
    (sentence,) = options.names
    search = SentenceSearch(sentence, options.outline or OUTLINES[0])
    setup = setup_of(options, picture)
    found = with_progress(
        sentence,
        "step",
        lambda progress: answering.find(search, setup, picture.pixels, progress),
    )
    session = None
    if is_corrected(options):
        session = answering.session(found, search, setup, picture.pixels, method)
        found = replace(found, mask=corrected(session, hints))
    return Segmented(
        found.mask.astype(np.uint8),
        {(sentence, "likelihood"): found.likelihood, **_maps_of_steps(found)},
        [_told(found)],
        [f"{sentence} {found.mask.mean():.1%}, by see-through-text"],
        _notices(found),
        session,
        search,
        answering.reference(search),
    )


def _notices(found: Followed) -> list[str]:
    from napari_guideme.referring.reader import MOST_WORDS, is_too_long

    notices = []
    if is_too_long(found.sentence):
        notices.append(f"see-through-text reads the first {MOST_WORDS} words of a sentence")
    if found.unknown:
        unknown = ", ".join(found.unknown)
        notices.append(f"see-through-text did not learn these words: {unknown}")
    if found.several:
        notices.append(
            f"see-through-text finds one thing, and {found.sentence!r} may mean several; "
            "click on the others with --hints, or in napari"
        )
    return notices


def _maps_of_steps(found: Followed) -> dict[tuple[str, str], NDArray[np.float32]]:
    return {
        (found.sentence, f"step-{number:02}-{kind}"): heat
        for kind, heats in (("heat", found.steps.heats), ("refined", found.steps.refined))
        for number, heat in enumerate(heats, 1)
    }


def _told(found: Followed) -> dict[str, Any]:
    return {
        "sentence": found.sentence,
        "name": found.name,
        "words": list(found.steps.words),
        "unknown_words": list(found.unknown),
        "attention": [[round(float(a), 4) for a in step] for step in found.steps.attention],
        "box": found.box,
        "pixels": int(found.mask.sum()),
    }
