"""What words mean, without any image."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_guideme.hints import TextHint
    from napari_guideme.language.places import View
    from napari_guideme.language.vocabulary import WordVectors

    #: Lets a session know what a sentence says.
    Tell = Callable[[str, WordVectors | None], Sequence[TextHint]]


def understand(options: argparse.Namespace) -> int:
    """Say what a sentence means, without any image."""
    from napari_guideme.language.places import View
    from napari_guideme.language.understanding import (
        NotUnderstood,
        described,
        to_json,
    )
    from napari_guideme.language.understanding import understand as read
    from napari_guideme.language.vocabulary import WordVectors

    view = View.upright(2, options.patient or ())
    vectors = WordVectors.read(options.vectors) if options.vectors else None
    try:
        hints = read(options.sentence, options.classes, view, vectors)
    except NotUnderstood as error:
        if not options.json:
            raise
        told = {"error": error.why, "understood": error.understood}
        print(json.dumps({**told, "suggestions": error.suggestions}))
        return 2
    if options.json:
        print(json.dumps([to_json(hint, view) for hint in hints]))
    else:
        print("\n".join(described(hint, view) for hint in hints))
    return 0


def say(options: argparse.Namespace, tell: Tell, view: View) -> list[dict[str, Any]]:
    """Tell a session some sentences; return what was understood."""
    from napari_guideme.language.understanding import to_json
    from napari_guideme.language.vocabulary import WordVectors

    vectors = WordVectors.read(options.vectors) if options.vectors else None
    told = [hint for said in options.say for hint in tell(said, vectors)]
    return [to_json(hint, view) for hint in told]


def fetch_wordnet(_: argparse.Namespace) -> int:
    """Download WordNet once, so that more words for classes are understood."""
    from napari_guideme.language.wordnet import fetch_wordnet as fetch
    from napari_guideme.language.wordnet import find_wordnet

    if find_wordnet() is None:
        fetch()
    print("WordNet is installed")
    return 0
