"""What a sentence that refers to one object may mean.

A sentence is read from left to right, word by word, in all ways that its words allow: "on the
left of the cup at the bottom" may be about the cup at the bottom. Of each way a
:class:`Reference` is made. Nothing of what writes expressions is known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from napari_guideme.hints import Cell
from napari_guideme.language.place_words import read_place, rewritten
from napari_guideme.language.places import View
from napari_guideme.referring.colours import COLOURS

T = TypeVar("T")


class Names(Protocol):
    """What names classes, such as a :class:`~napari_guideme.language.vocabulary.Vocabulary`."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names that are known as such."""

    @property
    def longest(self) -> int:
        """Words of the longest name."""

    def meant(self, phrase: str) -> tuple[str, ...]:
        """Classes that a phrase can mean."""


#: What objects are ordered by: the pixels they fill, brightness, row, column.
SIZE, BRIGHTNESS, ROW, COLUMN = "size", "brightness", "row", "column"


@dataclass(frozen=True)
class Picked:
    """The object that comes at some rank when they are put in order.

    Attributes
    ----------
    by
        What they are ordered by, from the least on.
    rank
        From 0 on, -1 for the last one, ``None`` for the middle one.
    of_two
        Whether there have to be two, as there are if one is larger.
    """

    by: str
    rank: int | None
    of_two: bool = False


@dataclass(frozen=True)
class InPlace:
    """Those in some cells of a 3 x 3 grid."""

    cells: frozenset[Cell]


@dataclass(frozen=True)
class Coloured:
    """Those of a colour."""

    colour: str


@dataclass(frozen=True)
class Related:
    """Those to one side of another object, or inside it."""

    relation: str
    other: Reference


@dataclass(frozen=True)
class Reference:
    """What is said of an object.

    Attributes
    ----------
    names
        Classes that it may be of, empty if none is named.
    conditions
        What it fulfils.
    picked
        Which one of those that do it is.
    counted
        How many of its class there are.
    definite
        Whether it is the only one.
    """

    names: tuple[str, ...] = ()
    conditions: tuple[InPlace | Coloured | Related, ...] = ()
    picked: Picked | None = None
    counted: int | None = None
    definite: bool = True

    def with_condition(self, condition: InPlace | Coloured | Related) -> Reference:
        """Add something that it fulfils."""
        return replace(self, conditions=(*self.conditions, condition))


#: A reading so far: what is understood, a rank that waits for its order, and the rest.
_Read = tuple[Reference, int | None, str]

_NUMBERS = {
    word: n
    for n, words in enumerate(("two 2 both", "three 3", "four 4", "five 5", "six 6"), 2)
    for word in words.split()
}
_RANKS = {
    word: rank
    for rank, words in enumerate(("first 1st", "second 2nd", "third 3rd", "fourth 4th"))
    for word in words.split()
} | {"last": -1}


def _picks(listed: str, by: str, rank: int, *, of_two: bool = False) -> dict[str, Picked]:
    return dict.fromkeys(listed.split("|"), Picked(by, rank, of_two))


_PICKS = {
    **_picks("larger|bigger|greater|of larger size", SIZE, -1, of_two=True),
    **_picks("smaller|tinier|littler|of smaller size", SIZE, 0, of_two=True),
    **_picks("largest|biggest|greatest|big|large|huge", SIZE, -1),
    **_picks("smallest|tiniest|littlest|small|tiny|little", SIZE, 0),
    **_picks("brighter|lighter", BRIGHTNESS, -1, of_two=True),
    **_picks("darker|dimmer", BRIGHTNESS, 0, of_two=True),
    **_picks("brightest|lightest|bright|light", BRIGHTNESS, -1),
    **_picks("darkest|dimmest|dark|dim", BRIGHTNESS, 0),
    **_picks("upper|higher|top|further up|farther up", ROW, 0, of_two=True),
    **_picks("lower|bottom|further down|farther down", ROW, -1, of_two=True),
    **_picks("left|left hand|further left|further to the left", COLUMN, 0, of_two=True),
    **_picks("right|right hand|further right|further to the right", COLUMN, -1, of_two=True),
    **_picks("topmost|uppermost|highest|furthest up", ROW, 0),
    **_picks("bottommost|lowermost|lowest|furthest down", ROW, -1),
    **_picks("leftmost|furthest left|furthest to the left", COLUMN, 0),
    **_picks("rightmost|furthest right|furthest to the right", COLUMN, -1),
}
_ORDERS = {"left": (COLUMN, 1), "right": (COLUMN, -1), "top": (ROW, 1), "bottom": (ROW, -1)}
_RELATIONS = {
    "left": "(?:(?:to|on|at) the )?left(?: hand)?(?: side)? of",
    "right": "(?:(?:to|on|at) the )?right(?: hand)?(?: side)? of",
    "above": "above|over|higher than",
    "below": "below|under|beneath|underneath|lower than",
    "inside": "inside(?: of)?|within|in|contained in|enclosed by|surrounded by",
}
_COLOURS = {**{colour: colour for colour in COLOURS}, "gray": "grey", "violet": "purple"}
#: "The light blue cup" is no light one.
_SHADE = re.compile(rf"(?:light|dark|bright|deep|pale) (?=(?:{'|'.join(_COLOURS)}) )")
#: Words by which something is picked, counted or coloured, and those of sizes among them.
TELLING = frozenset({*_PICKS, *_RANKS, *_NUMBERS, *_COLOURS})
SIZES = frozenset(word for word, picked in _PICKS.items() if picked.by == SIZE)
_NOBODY_NAMED = ("one", "object", "thing", "item")
_DO = "find|segment|select|show|mark|outline|give|highlight|pick|choose|get|see|locate|label|take"
#: What only asks: "hi, could you please find me", "I'd like to see", "where is".
_ASKING = re.compile(
    r"(?:(?:please|pls|hi|hello|ok|now),? )*"
    r"(?:(?:can|could|would|will) (?:you|we|i) (?:please )?)?"
    r"(?:(?:i|we)(?: want| need| would like| ?['’]?d like)(?: you)?(?: to)? )?"
    rf"(?:(?:(?:{_DO})(?: me| us)?|where (?:is|are)|is there|are there|(?:what|how) about|which) "
    r"(?!(?:of|on|in|at|with|to|that|left|right|above|below|beside|next)\b))?"
)
_THANKING = re.compile(r"(?:,? (?:please|pls|thanks|thank you|thx|for me))+$")


def readings(sentence: str, vocabulary: Names) -> list[Reference]:
    """Return all that a sentence may mean, given the classes that are there."""
    text = rewritten(request(sentence))
    found = [
        reference
        for reference, rest in (*_of_several(text, vocabulary), *_phrase(text, vocabulary))
        if not rest
    ]
    return list(dict.fromkeys(found))


def request(sentence: str) -> str:
    """Return what a sentence asks for: lower case, without the words that only ask."""
    text = re.sub(r"[.!?]+$", "", sentence.strip().lower()).replace("-", " ")
    text = re.sub(r"\bo['’]clock\b", "oclock", text)
    text = re.sub(r"\b(left|right|top|bottom|upper|lower|front) most\b", r"\1most", text)
    text = re.sub(r"\s*,\s*", ", ", " ".join(text.split()))
    asked = _ASKING.match(text)
    return _THANKING.sub("", text[asked.end() :] if asked else text)


def _of_several(text: str, vocabulary: Names) -> Iterator[tuple[Reference, str]]:
    """Read "of the three cups, the red one"."""
    for names, n, rest in _group(text, vocabulary):
        for reference, left in _phrase(rest.removeprefix(",").strip(), vocabulary):
            if not reference.names and reference.counted is None:
                yield replace(reference, names=names, counted=n), left


def _group(text: str, vocabulary: Names) -> Iterator[tuple[tuple[str, ...], int, str]]:
    """Read "of the three cups": classes, their number, the rest."""
    for number, rest in _choices(text, _NUMBERS, "of (?:the |these |all )?"):
        yield from ((names, number, left) for names, left in _noun(rest, vocabulary))


def _phrase(text: str, vocabulary: Names) -> Iterator[tuple[Reference, str]]:
    """Read an article, what comes before a name, the name, and what follows it."""
    start = Reference()
    if found := re.match(r"(?:the|that|this|a|an|some) ", text):
        start = replace(start, definite=found.group() not in ("a ", "an ", "some "))
        text = text[found.end() :]
    for reference, rank, rest in _before((start, None, text)):
        for names, left in _noun(rest, vocabulary):
            yield from _behind((replace(reference, names=names), rank, left), vocabulary)
        # "The largest of the three cups" names them later.
        if rest.startswith("of "):
            yield from _behind((reference, rank, rest), vocabulary)


def _before(read: _Read) -> Iterator[_Read]:
    """Read any number of words that stand before a name."""
    yield read
    reference, rank, text = read
    text = _SHADE.sub("", text)
    for picked, rest in _choices(text, _PICKS):
        if (chosen := _ranked(picked, rank)) and reference.picked is None:
            yield from _before((replace(reference, picked=chosen), None, rest))
    for place, rest in _corner(text):
        yield from _before((reference.with_condition(place), rank, rest))
    for colour, rest in _choices(text, _COLOURS):
        yield from _before((reference.with_condition(Coloured(colour)), rank, rest))
    if rank is None and reference.picked is None:
        for waiting, rest in _choices(text, _RANKS):
            yield from _before((reference, waiting, rest))
        if found := re.match(r"middle (?=.*\bfrom (left to right|top to bottom)\b)", text):
            by = COLUMN if found.group(1).startswith("left") else ROW
            yield from _before((replace(reference, picked=Picked(by, None)), None, text[7:]))


def _corner(text: str) -> Iterator[tuple[InPlace, str]]:
    """Read two directions before a name, or its being in the middle: "the top left cup"."""
    pattern = r"((?:top|bottom|upper|lower|middle) (?:left|right|centre|center|middle)|central) "
    if (found := re.match(pattern, text)) and (place := read_place(found.group(1))):
        yield InPlace(frozenset(View.upright(2).cells(place[0]))), text[found.end() :]


def _ranked(picked: Picked, rank: int | None) -> Picked | None:
    """Put a rank to an order, as in "the second largest one"."""
    if rank is None:
        return picked
    if picked.of_two or rank < 0 or picked.rank is None:
        return None
    return replace(picked, rank=rank if picked.rank == 0 else -1 - rank)


def _noun(text: str, vocabulary: Names) -> Iterator[tuple[tuple[str, ...], str]]:
    """Read a class, in all lengths that are known; nothing is named by "one"."""
    words = text.replace(",", " ,").split()
    for n in range(1, 1 + min(len(words), vocabulary.longest)):
        name = " ".join(words[:n])
        rest = " ".join(words[n:]).replace(" ,", ",")
        if name in _NOBODY_NAMED and name not in vocabulary.classes:
            yield (), rest
        elif not _tells_which(name, vocabulary) and (names := vocabulary.meant(name)):
            yield names, rest


def _tells_which(name: str, vocabulary: Names) -> bool:
    """Whether it begins with a word such as "second" or "white", while classes are known."""
    listed = vocabulary.classes
    return bool(listed) and name not in listed and name.split()[0] in {*_RANKS, *_COLOURS}


def _behind(read: _Read, vocabulary: Names) -> Iterator[tuple[Reference, str]]:
    """Read any number of words that follow a name; what else follows is left over."""
    reference, rank, text = read
    if rank is None:
        yield reference, text
    text = re.sub(r"^,? ?(?:and )?(?:(?:that|which|who) (?:is|lies|stands) )?(?:the )?", "", text)
    for after in _following((reference, rank, text), vocabulary):
        yield from _behind(after, vocabulary)


def _following(read: _Read, vocabulary: Names) -> Iterator[_Read]:
    reference, rank, text = read
    if place := read_place(text):
        region, end = place
        cells = frozenset(View.upright(2).cells(region))
        yield reference.with_condition(InPlace(cells)), rank, text[end:].strip()
    for colour, rest in _choices(text, _COLOURS, "(?:(?:wearing|dressed in|in|painted) )?"):
        yield reference.with_condition(Coloured(colour)), rank, rest
    for relation, pattern in _RELATIONS.items():
        if found := re.match(f"(?:{pattern}) ", text):
            for other, rest in _phrase(text[found.end() :], vocabulary):
                yield reference.with_condition(Related(relation, other)), rank, rest
    if reference.counted is None:
        for names, number, rest in _group(text, vocabulary):
            if not reference.names:
                yield replace(reference, names=names, counted=number), rank, rest
    yield from _picked_behind(read)


def _picked_behind(read: _Read) -> Iterator[_Read]:
    """Read orders: "second from the left", "larger", "in the middle from left to right"."""
    reference, rank, text = read
    if reference.picked is not None:
        if found := re.match(r"from (left to right|top to bottom)(?: |$)", text):
            by = COLUMN if found.group(1).startswith("left") else ROW
            if reference.picked == Picked(by, None):
                yield reference, rank, text[found.end() :]
        return
    if rank is not None:
        for (by, sign), rest in _choices(text, _ORDERS, "from (?:the )?"):
            # "From the top left" is no order, unlike "from the top left of the pole".
            if re.match("(?:left|right)(?! (?:hand )?(?:side )?of )", rest):
                continue
            place = rank if sign > 0 else -1 - rank
            yield replace(reference, picked=Picked(by, place)), None, rest
        return
    for waiting, rest in _choices(text, _RANKS):
        yield reference, waiting, rest
    for picked, rest in _choices(text, _PICKS):
        yield replace(reference, picked=picked), None, rest
    if found := re.match(r"in the middle from (left|top) to (?:right|bottom)(?: |$)", text):
        by = COLUMN if found.group(1) == "left" else ROW
        yield replace(reference, picked=Picked(by, None)), None, text[found.end() :]


def _choices(text: str, known: Mapping[str, T], lead: str = "") -> Iterator[tuple[T, str]]:
    """Read what a text begins with, whole words, and what is left of it."""
    if begun := re.match(lead, text):
        text = text[begun.end() :]
        for words, meant in known.items():
            if found := re.match(rf"{words}(?: |$|(?=,))", text):
                yield meant, text[found.end() :]
