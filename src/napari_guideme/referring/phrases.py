"""Putting in words what tells one object from others."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from napari_guideme.language.word_forms import plural
from napari_guideme.referring.claims import Claim, Landmark, Pick

Random = np.random.Generator

#: Shares of sentences without an article, and about "one", where all have one class.
_BARE, _ONE = 0.12, 0.25
#: After words with these ends no "one" is needed.
_NAMELESS = ("er", "est", "most", "first", "second", "third")
#: In which order things are said before a name, and behind it.
_BEFORE = ("size", "order", "brightness", "place", "colour", "relation")
_BEHIND = ("size", "order", "brightness", "colour", "place", "relation")


@dataclass(frozen=True)
class _Said:
    """What is said around a name."""

    kind: str
    before: str
    behind: str

    @classmethod
    def of(cls, kind: str, way: str) -> _Said:
        before, _, behind = (text.strip() for text in way.partition("_"))
        return cls(kind, before, behind)


def most_counted() -> int:
    """Most objects whose number is said."""
    return len(_phrases()["count"]["numbers"]) + 1


def solid() -> set[str]:
    """Classes inside of which nothing is."""
    return set(_phrases()["solid"])


def masses() -> set[str]:
    """Classes whose parts nobody compares or counts."""
    return set(_phrases()["masses"])


def sentence(
    name: str,
    parts: Sequence[Claim | Pick],
    random: Random,
    *,
    counted: int | None = None,
    alone: bool = False,
) -> str:
    """Put in words what an object is told by.

    Parameters
    ----------
    name
        Of its class.
    parts
        What is true of it alone, two at most.
    random
        Source of chance for one of many ways to say it.
    counted
        How many objects of its class there are, if that is to be said.
    alone
        Whether no other class is there, so that "one" may stand for it.
    """
    said = [_drawn(part, name, random, plain=len(parts) > 1) for part in parts]
    if counted is not None:
        return _of_several(name, counted, said[0], random)
    if alone and parts and random.random() < _ONE:
        return f"the {_around('one', said, random)}"
    words = _around(name, said, random)
    return words if random.random() < _BARE else f"the {words}"


def _of_several(name: str, counted: int, said: _Said, random: Random) -> str:
    group = f"of the {_phrases()['count']['numbers'][counted - 2]} {plural(name)}"
    if said.before and random.random() < 0.7:
        one = "" if said.before.endswith(_NAMELESS) and random.random() < 0.7 else " one"
        return f"the {said.before}{one} {group} {said.behind}".strip()
    comma = "," if random.random() < 0.5 else ""
    return f"{group}{comma} the {_around('one', [said], random)}"


def _around(name: str, said: Sequence[_Said], random: Random) -> str:
    before = [s.before for s in sorted(said, key=lambda s: _BEFORE.index(s.kind)) if s.before]
    behind = [s for s in sorted(said, key=lambda s: _BEHIND.index(s.kind)) if s.behind]
    words = " ".join([*before, name])
    for last, part in zip([None, *behind], behind, strict=False):
        # "At the bottom left of the cup" would be another place.
        parted = last is not None and (last.kind, part.kind) == ("place", "relation")
        words += _one_of((", ", " that is "), random) if parted else " "
        words += part.behind
    return words


def _drawn(part: Claim | Pick, name: str, random: Random, *, plain: bool) -> _Said:
    """Draw one way of saying a part; a plain one can be joined with others."""
    if isinstance(part, Pick):
        ways = _ways_to_pick(part, plain=plain)
        return _Said.of(part.kind, _one_of(ways, random))
    kind = part.kinds[0]
    if part.landmark:
        other = referring_to(part.landmark, random)
        way = _one_of(_phrases()["relation"][part.word], random)
        return _Said.of(kind, way.format(other=other))
    if kind == "colour":
        worn = "dressed" if name in _phrases()["dressed"] else "painted"
        ways = _phrases()["colour"][worn]
        ways = [way for way in ways if not (plain and " that is " in way)]
        return _Said.of(kind, _one_of(ways, random).format(colour=part.word))
    return _Said.of(kind, _one_of(_phrases()["place"][part.word], random))


def referring_to(landmark: Landmark, random: Random) -> str:
    """Refer to an object by which another one is told."""
    if landmark.pick is None:
        return f"the {landmark.name}"
    ways = [way for way in _phrases()["pick"][landmark.pick.word] if way.endswith(" _")]
    return "the " + _one_of(ways, random).replace("_", landmark.name)


def _ways_to_pick(pick: Pick, *, plain: bool) -> list[str]:
    ways: list[str] = _phrases()["pick"][pick.word]
    return [way for way in ways if not way.startswith("_")] if plain else ways


def _one_of(ways: Sequence[str], random: Random) -> str:
    return ways[int(random.integers(len(ways)))]


@cache
def _phrases() -> dict[str, Any]:
    text = (files(__package__) / "phrases.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
