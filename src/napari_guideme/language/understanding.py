"""From a sentence to text hints, or to a clear word on what was not understood."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from napari_guideme.errors import InputError, check_kind
from napari_guideme.hints import GRID, TextHint
from napari_guideme.language.grammar import Statement, Unreadable, read
from napari_guideme.language.place_words import DIRECTION
from napari_guideme.language.places import CELL_NAMES, View, named
from napari_guideme.language.units import Unit, units, unknown
from napari_guideme.language.vocabulary import Vocabulary, WordVectors
from napari_guideme.language.word_forms import side_first
from napari_guideme.language.wordnet import HOW_TO_GET, find_wordnet

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import WordNetCorpusReader


#: What the thirds along an axis are called, by the side of the patient to which it leads.
_THIRDS = {
    "": ("first", "middle", "last"),
    "S": ("inferior", "middle", "superior"),
    "I": ("superior", "middle", "inferior"),
    "A": ("posterior", "middle", "anterior"),
    "P": ("anterior", "middle", "posterior"),
    "L": ("patient's right", "middle", "patient's left"),
    "R": ("patient's left", "middle", "patient's right"),
}


#: So many classes are suggested at most for a general word.
_MOST_KINDS = 4


class NotUnderstood(InputError):
    """A sentence that is not acted on.

    Attributes
    ----------
    understood
        What was understood of it, in words.
    suggestions
        Sentences, or words, that are near and would be.
    """

    def __init__(self, why: str, understood: Sequence[str], suggestions: Sequence[str]) -> None:
        self.why = why
        self.understood = tuple(understood)
        self.suggestions = tuple(suggestions)
        message = f"not understood: {why}"
        if understood:
            message += f"; understood: {', '.join(understood)}"
        if suggestions:
            message += f"; try {' or '.join(map(repr, suggestions))}"
        super().__init__(message)


def understand(
    sentence: str,
    classes: Sequence[str],
    view: View | None = None,
    vectors: WordVectors | None = None,
) -> tuple[TextHint, ...]:
    """Understand a sentence.

    Parameters
    ----------
    sentence
        English, about some classes and places, such as "find the nucleus on the
        top left" or "there is no sky".
    classes
        Names of the classes.
    view
        How the image's axes are seen; by default two, the rows from the top.
    vectors
        Word vectors to tell classes by, besides spelling and WordNet.

    Raises
    ------
    NotUnderstood
        With what was understood, what was not, and what would be.
    """
    check_kind("sentence", sentence, str, "a text")
    view = view or View.upright(2)
    vocabulary = _vocabulary(tuple(classes), vectors)
    found = units(sentence, vocabulary)
    understood = [shown for unit in found if (shown := _shown(unit))]
    if strange := list(unknown(found)):
        why = f"{strange[0]!r} is none of the classes {', '.join(classes)}"
        if vocabulary.wordnet is None:
            why += f" ({HOW_TO_GET})"
        raise NotUnderstood(why, understood, _suggested(strange[0], found, vocabulary))
    try:
        statements = read(found)
    except Unreadable as error:
        raise NotUnderstood(str(error), understood, _examples(found, classes)) from None
    return _hints(statements, view, understood)


def described(hint: TextHint, view: View | None = None) -> str:
    """Say in short what was understood, as "find · nucleus · top left"."""
    view = view or View.upright(2)
    about = hint.class_name
    if hint.instead_of:
        about += f" instead of {hint.instead_of}"
    place = "; ".join(named(spots) + third for third, spots in _thirds(hint, view))
    return f"{hint.operation} · {about} · {place}"


def cell_names(hint: TextHint, view: View | None = None) -> list[str]:
    """Name the cells of a hint's place as they are seen, row by row."""
    if not hint.place:
        return list(CELL_NAMES)
    thirds = _thirds(hint, view or View.upright(2))
    return [
        CELL_NAMES[GRID * row + column] + third for third, spots in thirds for row, column in spots
    ]


def to_json(hint: TextHint, view: View | None = None) -> dict[str, Any]:
    """Return a hint as plain values."""
    return {
        "operation": hint.operation,
        "class": hint.class_name,
        "place": cell_names(hint, view),
        "instead_of": hint.instead_of,
    }


def _thirds(hint: TextHint, view: View) -> list[tuple[str, list[tuple[int, int]]]]:
    """Where a place is seen, and in which thirds along an axis that is not seen if in some."""
    seen = zip(view.down_world, view.right_world, strict=True)
    unseen = [axis for axis, steps in enumerate(seen) if not any(steps)]
    if not hint.place or len(unseen) != 1:
        return [("", view.spots(hint.place))]
    (axis,) = unseen
    letter = view.letters[axis] if view.letters else ""
    thirds: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for number, name in enumerate(_THIRDS[letter]):
        spots = view.spots([cell for cell in hint.place if cell[axis] == number])
        if spots:
            thirds.setdefault(tuple(spots), []).append(name)
    return [
        ("" if len(names) == GRID else f", {' and '.join(names)} third", list(spots))
        for spots, names in thirds.items()
    ]


@cache
def _cached_vocabulary(classes: tuple[str, ...], wordnet: WordNetCorpusReader | None) -> Vocabulary:
    return Vocabulary(classes, wordnet)


def _vocabulary(classes: tuple[str, ...], vectors: WordVectors | None) -> Vocabulary:
    wordnet = find_wordnet()
    if vectors is not None:
        return Vocabulary(classes, wordnet, vectors)
    return _cached_vocabulary(classes, wordnet)


def _hints(
    statements: Sequence[Statement], view: View, understood: Sequence[str]
) -> tuple[TextHint, ...]:
    """Place statements on the grid of the array."""
    hints: dict[TextHint, None] = {}
    for statement in statements:
        if strange := sorted(statement.region.axes - view.axes):
            side = {"patient": "left and right of the patient"}.get(strange[0], strange[0])
            about = f"{'remove' if statement.operation == 'remove' else 'find'} the"
            raise NotUnderstood(
                f"how the patient lies is not known here ({side})",
                understood,
                [f"{about} {statement.class_name} {at}" for at in ("on the left", "at the top")],
            )
        place = view.cells(statement.region)
        if not place:
            raise NotUnderstood("that place is nowhere in the image", understood, [])
        if len(place) == GRID ** len(view.down_world):
            place = ()
        hint = TextHint(statement.operation, statement.class_name, place, statement.instead_of)
        if rival := next((h for h in hints if _contradict(h, hint)), None):
            raise NotUnderstood(
                f"{described(rival, view)} and {described(hint, view)} contradict each other",
                understood,
                [],
            )
        hints[hint] = None
    return tuple(hints)


def _contradict(a: TextHint, b: TextHint) -> bool:
    overlap = not a.place or not b.place or bool(set(a.place) & set(b.place))
    return (
        overlap
        and a.class_name == b.class_name
        and {a.operation, b.operation} in ({"find", "remove"}, {"replace", "remove"})
    )


def _shown(unit: Unit) -> str | None:
    """Say what was understood of one unit."""
    if unit.kind == "C":
        meant = " or ".join(unit.classes)
        return meant if meant == unit.words else f"{unit.words} = {meant}"
    return _as_said(unit.words) if unit.kind in "PMFRIKWGrq" else None


def _as_said(words: str) -> str:
    return re.sub(r"\bpatient(?=left|right)", "patient's ", words)


def _suggested(word: str, found: Sequence[Unit], vocabulary: Vocabulary) -> list[str]:
    near = get_close_matches(word, vocabulary.classes, n=2, cutoff=0.75)
    meant = near or [*vocabulary.kinds_of(word)][:_MOST_KINDS] or [*vocabulary.alike(word)]
    return meant or _examples(found, vocabulary.classes)


def _examples(found: Sequence[Unit], classes: Sequence[str]) -> list[str]:
    """Sentences about what was named that would be understood."""
    about = side_first(next((c for unit in found for c in unit.classes), classes[-1]))
    place = next((f" {_place(unit.words)}" for unit in found if unit.kind == "P"), "")
    if re.match("(?:left|right) ", about):
        place = ""
    return [f"find the {about}{place}", f"remove the {about}{place}"]


def _place(words: str) -> str:
    """Say a place behind a class: "in the upper half", "at the top left", "on the left"."""
    directed = re.match(rf"(?:the )?(?:{DIRECTION})\b.*", words)
    if directed is None:
        return re.sub("^from ", "in ", _as_said(words))
    said = _as_said(words.removeprefix("the "))
    if said in ("left", "right") or "patient" in said:
        return f"on the {said}"
    return f"at the {said}" if re.search("(?:left|right|top|bottom)$", said) else f"in the {said}"
