"""Which class a sentence names, when nobody lists the classes there are."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from napari_guideme.language.word_forms import plural, singulars
from napari_guideme.referring.grammar import readings, request

#: What a thing is called of which no class is told.
NAMELESS = "object"

#: Words that a name has none of.
_NEVER = """
a an the this that these those all both of in on at to from by with and or but not is are it its
which who whose left right above below over under inside within between near beside behind before
one ones first second third fourth last two three four five six
"""
#: What people and animals are told by; word vectors know it as they know "wing" and "building".
_DOING = """
wearing holding carrying sitting standing lying leaning riding driving walking running playing
eating drinking looking watching talking facing having using
"""
_DETERMINERS = re.compile(r"(?:(?:the|that|this|these|those|an?|any|some|all|every|each) )+")
_WHOLE = re.compile(r",? (?:in|on|of) (?:the|this) (?:whole )?(?:image|picture|photo|photograph)$")


@dataclass(frozen=True)
class _AnyName:
    """Takes whatever may be a name for one; `known` words are parts of names, too."""

    known: Collection[str] = ()
    classes: tuple[str, ...] = ()
    longest: int = 3

    def meant(self, phrase: str) -> tuple[str, ...]:
        words = phrase.split()
        # "The man wearing a shirt" is no wearing.
        doing = any(
            word in _DOING.split() or (word.endswith("ing") and word not in self.known)
            for word in words[1:]
        )
        return () if doing or not {",", *_NEVER.split()}.isdisjoint(words) else (phrase,)


def without_articles(sentence: str) -> str:
    """Return what is left of a sentence without what a name is only asked for with."""
    text = _WHOLE.sub("", request(sentence))
    return text[found.end() :] if (found := _DETERMINERS.match(text)) else text


def names_nothing(sentence: str) -> bool:
    """Whether no class is named, as in "the left one", "the largest"."""
    text = without_articles(sentence)
    if any(not read.names for read in readings(text, _AnyName())):
        return True
    elliptic = readings(f"the {text} one", _AnyName())
    # "The orange" is a fruit, though.
    return any(read.picked and not read.names and not read.conditions for read in elliptic)


def class_of(sentence: str, known: Collection[str] = ()) -> str:
    """Return the noun that a sentence is about, such as "nucleus"; else "object".

    Parameters
    ----------
    sentence
        Such as "the larger nucleus at the bottom".
    known
        Words among which the singular of "of the three cups" is looked up.
    """
    text = without_articles(sentence)
    if names_nothing(text) or (name := _name(text, _AnyName(known))) in (None, "background"):
        return NAMELESS
    # "The fluffy largest cell": what is unknown in front of another word is no part of a name.
    words = name.split()
    behind = [i for i, word in enumerate(words[:-1], 1) if names_nothing(word)]
    name = " ".join(words[max(behind, default=0) :])
    ones = (one for one in singulars(name) if plural(one) == name != one)
    return next((one for one in ones if {*one.split()} <= {*known}), name)


def _name(text: str, names: _AnyName) -> str | None:
    """Read a sentence, or as much of it as is understood, and take the shortest name."""
    words = text.split()
    for start in range(len(words)):
        for stop in range(len(words), start, -1):
            found = readings(" ".join(words[start:stop]).rstrip(","), names)
            named = [read.names[0] for read in found if read.names]
            if named:
                return min(named, key=lambda name: len(name.split()))
    return None
