"""Which class a sentence names, when nobody lists the classes there are."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from napari_guideme.language.word_forms import plural, singulars
from napari_guideme.localize.kinds import joined, read_kinds
from napari_guideme.referring.grammar import SIZES, TELLING, request

#: What a thing is called of which no class is told.
NAMELESS = "object"

_PLACES = ("left", "right", "top", "bottom", "middle", "centre", "center", "front", "back")
_ALL = "all|every|each|both|these|those"
_SEVERAL = r"several|many|few|couple|two|three|four|five|six|[2-9]|\d\d+"
_DETERMINER = re.compile(
    rf"(?:(?:(?:the|that|this|an?|any|some|only|just|{_ALL}) )+(?:of (?=the |these |those ))?)+"
)
_MORE_THAN_ONE = re.compile(rf"(?:(?:the|a) )?(?:{_ALL}|{_SEVERAL}) ")
_WHOLE = re.compile(r",? (?:in|on|of) (?:the|this) (?:whole )?(?:image|picture|photo|photograph)$")


def without_articles(sentence: str) -> str:
    """Return what is left of a sentence without what a name is only asked for with."""
    text = _WHOLE.sub("", request(sentence))
    return text[found.end() :] if (found := _DETERMINER.match(text)) else text


def names_nothing(sentence: str) -> bool:
    """Whether no class is named, as in "the left one", "the largest"."""
    return not _named(sentence)


def names_several(sentence: str, known: Collection[str] = ()) -> bool:
    """Whether more than one thing is meant, as in "both cats", "the nuclei at the top".

    Parameters
    ----------
    sentence, known
        See :func:`class_of`.
    """
    text = request(sentence)
    name = "" if text.startswith("of ") else _named(text, among=False)
    return bool(name and (_MORE_THAN_ONE.match(text) or _singular(name, known) != name))


def class_of(sentence: str, known: Collection[str] = ()) -> str:
    """Return the noun that a sentence is about, such as "nucleus"; else "object".

    Parameters
    ----------
    sentence
        Such as "the larger nucleus at the bottom".
    known
        Words, besides those of the table of kinds, among which the singular of "of the three
        cups" is looked up.
    """
    name = _singular(_named(sentence), known)
    return NAMELESS if name in ("", "background") else name


def _singular(name: str, known: Collection[str]) -> str:
    """Return what a name is the plural of, if it is one of what is known."""
    if _is_kind(name):
        return name
    ones = (one for one in singulars(name) if plural(one) == name != one)
    return next((one for one in ones if {*one.split()} <= {*known} or _is_kind(one)), name)


def _is_kind(name: str) -> bool:
    return joined(name) in read_kinds().senses


def _named(sentence: str, *, among: bool = True) -> str:
    """Return the name in a sentence, or nothing; `among` others it may be "one of the cups"."""
    text = re.sub(r"\b(left|right) hand (?=\w)", r"\1 ", without_articles(sentence))
    words = re.findall(r"[\w']+|,", text.replace("’", "'"))
    while words:
        stop = next((i for i, word in enumerate(words) if word in _words("ends")), len(words))
        phrase, behind, words = words[:stop], words[stop : stop + 1], words[stop + 1 :]
        # "The cell overlapping the other": a noun elsewhere, but an article follows.
        if phrase[1:] and phrase[-1].endswith("ing") and _DETERMINER.match(f"{' '.join(behind)} "):
            phrase = phrase[:-1]
        if name := _name_in(phrase):
            return name
        # "The largest of the cups" is a cup, "left of the cup" is none.
        goes_on = ["of", "and"] if phrase else ["of", "the", "not"]
        if not among or {*phrase[-1:]} & {*_PLACES} or not {*behind} & {*goes_on}:
            break
    return ""


def _name_in(phrase: Sequence[str]) -> str:
    """Return what words name that no word parts: "dark traffic light" a traffic light."""
    own = max((i for i, word in enumerate(phrase, 1) if word.endswith("'s")), default=0)
    words = phrase[own:]
    telling = [_tells_which(word) for word in words]
    named = telling.index(False) if False in telling else len(words)
    # "Cars parked" are no kind of parked.
    doing = (i for i in range(named, len(words)) if telling[i] and _is_participle(words[i]))
    words = words[: next(doing, len(words))]
    while words:
        for start in range(len(words) - 1):
            if _is_name(whole := words[start:]):
                return " ".join(whole)
        if not _tells_which(words[-1]):
            last = max((i for i, told in enumerate(telling[: len(words)], 1) if told), default=0)
            return " ".join(words[last:])
        words = words[:-1]
    return next((word for word in reversed(phrase) if word in _words("things")), "")


def _is_name(words: Sequence[str]) -> bool:
    """Whether several words are known as one name, and not as "the big cat"."""
    whole = " ".join(words)
    is_known = whole in _lists()["names"] or bool(read_kinds().meanings(whole))
    return is_known and words[0] not in SIZES


def _tells_which(word: str) -> bool:
    """Whether a word tells which one is meant, as "third", "tallest" and "parked" do."""
    listed = TELLING | _words("describing") | _words("nameless")
    if word in listed or re.fullmatch(r"\d+(?:st|nd|rd|th)?", word):
        return True
    return _is_participle(word) or (_is_graded(word) and not _is_kind(word))


def _is_participle(word: str) -> bool:
    ends_so = len(word) > 4 and word.endswith(("ing", "ed"))
    return word in _words("doing") or (ends_so and not _is_kind(word))


def _is_graded(word: str) -> bool:
    """Whether it is "rounder", "roundest", "oddly", "greyish"."""
    if word.endswith(("est", "ly", "ish")):
        return len(word) > 4
    stem = word.removesuffix("er")
    bases = (stem, f"{stem}e", stem[:-1], f"{stem[:-1]}y")
    return stem != word and not _words("describing").isdisjoint(bases)


def _words(list_: str) -> frozenset[str]:
    return frozenset(_lists()[list_].split())


@cache
def _lists() -> dict[str, Any]:
    text = (files(__package__) / "names.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
