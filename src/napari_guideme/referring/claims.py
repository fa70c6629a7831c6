"""What can be said of objects, and of which of them it is clearly true or clearly false.

A *claim* holds of each object by itself (it is red, at the top, left of the bowl); a *pick*
tells one of several objects from the others (the largest, the second from the left). Where
neither is clear nobody should say so: a claim may be unclear, and a pick has a margin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_guideme.hints import GRID
from napari_guideme.language.queries import PLACES
from napari_guideme.referring.colours import COLOURS
from napari_guideme.referring.scenes import MeasuredObject, MeasuredScene

#: What an expression tells an object by.
Kind = Literal["class", "size", "place", "order", "relation", "colour", "brightness", "count"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: How many times as large as the next one an object has to be to be called larger.
LARGER = 1.4
#: An object is in a place with so much of it, and is not with so little.
IN_PLACE, OUT_OF_PLACE = 0.75, 0.25
#: Centres of objects that are counted off have to be so far apart, of the longer side.
APART = 0.06
#: An object is of a colour with so much of it, and is not with so little.
COLOURED, UNCOLOURED = 0.5, 0.15
#: So much brighter, on a scale of 1, is brighter; so much makes it *the bright one*.
BRIGHTER, BRIGHT = 0.12, 0.25
#: An object is inside another one with so much of it, and is not with so little.
INSIDE, OUTSIDE = 0.9, 0.3
#: Along the way from one to the other, an object may overlap another one by so much of itself.
OVERLAP = 0.25
#: An object is clearly not beside another one if it lies so little further along that way, of
#: the longer side, or so little compared with how far it lies across it.
_LEVEL, _STEEP = 0.02, 0.4
#: What fills more of an image is no landmark.
LANDMARK = 0.4
#: The last one that is counted off, and the most objects among which it is.
_LAST, _MOST = 3, 6

_SIDES = {"left": (1, 1), "right": (1, -1), "above": (0, 1), "below": (0, -1)}


@dataclass(frozen=True)
class Claim:
    """Something that each object is or is not.

    Attributes
    ----------
    kinds
        What it tells objects by.
    word
        What is said: a colour, a relation, or the plain name of a place.
    verdicts
        1 where it is clearly true, 0 where it clearly is not, else -1, (objects,).
    landmark
        Of a relation, how to refer to the other object.
    """

    kinds: tuple[Kind, ...]
    word: str
    verdicts: NDArray[np.int_]
    landmark: Landmark | None = None


@dataclass(frozen=True)
class Pick:
    """One of several objects.

    Attributes
    ----------
    kind
        What it is told by.
    word
        What is said, such as "largest" or "second from the left".
    index
        Of the object.
    """

    kind: Kind
    word: str
    index: int


@dataclass(frozen=True)
class Landmark:
    """An object that others are told by: the only one of its class, or one that is picked."""

    index: int
    name: str
    pick: Pick | None = None


def both(one: NDArray[np.int_], other: NDArray[np.int_]) -> NDArray[np.int_]:
    """Verdicts on two claims: what is clearly false of one is false of both."""
    return np.where((one == 0) | (other == 0), 0, np.minimum(one, other))


def claims(scene: MeasuredScene, landmarks: Sequence[Landmark], solid: set[str]) -> list[Claim]:
    """Return all claims that are clearly true of an object.

    Parameters
    ----------
    scene
        What is spoken of.
    landmarks
        To which others stand in relation.
    solid
        Classes inside of which nothing is.
    """
    made = [*_places(scene), *_colours(scene), *_relations(scene, landmarks, solid)]
    return [claim for claim in made if (claim.verdicts == 1).any()]


def picks(scene: MeasuredScene, among: Sequence[int], masses: set[str]) -> Iterator[Pick]:
    """Return what tells one of some objects clearly from the others.

    Parameters
    ----------
    scene
        What is spoken of.
    among
        Indices of the objects, two or more of one class.
    masses
        Classes whose parts nobody compares or counts off, such as sky.
    """
    if scene.objects[among[0]].name in masses:
        return
    yield from _by_size(scene, among)
    yield from _by_brightness(scene, among)
    for axis, (first, last) in enumerate((("top", "bottom"), ("left", "right"))):
        yield from _by_order(scene, among, axis, first, last)


def _verdict(value: float, yes: float, no: float) -> int:
    return 1 if value >= yes else 0 if value <= no else -1


def _places(scene: MeasuredScene) -> Iterator[Claim]:
    for rows, columns, ways in PLACES:
        cells = np.ix_(rows, columns)
        # Halves hold two thirds of the picture, and nobody speaks of middle rows.
        if len(rows) * len(columns) == 1 or _outer(rows, columns):
            shares = [float(thing.cells[cells].sum()) for thing in scene.objects]
            verdicts = [_verdict(share, IN_PLACE, OUT_OF_PLACE) for share in shares]
            yield Claim(("place",), ways[0], np.array(verdicts))


def _outer(rows: Sequence[int], columns: Sequence[int]) -> bool:
    """Whether a place is a whole row or column at an edge."""
    across = sorted((rows, columns), key=len)
    return len(across[1]) == GRID and len(across[0]) == 1 and across[0][0] != GRID // 2


def _colours(scene: MeasuredScene) -> Iterator[Claim]:
    if not all(thing.colours for thing in scene.objects):
        return
    for colour in COLOURS:
        shares = [thing.colours.get(colour, 0.0) for thing in scene.objects]
        verdicts = [_verdict(share, COLOURED, UNCOLOURED) for share in shares]
        yield Claim(("colour",), colour, np.array(verdicts))


def _relations(
    scene: MeasuredScene, landmarks: Sequence[Landmark], solid: set[str]
) -> Iterator[Claim]:
    for mark in landmarks:
        other = scene.objects[mark.index]
        kinds: tuple[Kind, ...] = ("relation", *((mark.pick.kind,) if mark.pick else ()))
        top, left, bottom, right = other.box
        if (bottom - top) * (right - left) <= LANDMARK:
            for word, (axis, sign) in _SIDES.items():
                verdicts = [_beside(thing, other, axis, sign) for thing in scene.objects]
                yield Claim(kinds, word, np.array(verdicts), mark)
        if other.name not in solid:
            held = [scene.within.get((thing.id, other.id), 0.0) for thing in scene.objects]
            verdicts = [_verdict(share, INSIDE, OUTSIDE) for share in held]
            yield Claim(kinds, "inside", np.array(verdicts), mark)


def _beside(thing: MeasuredObject, other: MeasuredObject, axis: int, sign: int) -> int:
    """Whether one object clearly comes before (sign 1) or after another along an axis."""
    along = sign * (other.centre[axis] - thing.centre[axis])
    across = abs(other.centre[1 - axis] - thing.centre[1 - axis])
    if along <= max(_LEVEL, _STEEP * across):
        return 0
    start, stop = thing.box[axis], thing.box[axis + 2]
    beyond = stop - other.box[axis] if sign > 0 else other.box[axis + 2] - start
    clear = along >= max(APART, across) and beyond <= OVERLAP * (stop - start)
    return 1 if clear else -1


def _by_size(scene: MeasuredScene, among: Sequence[int]) -> Iterator[Pick]:
    ordered = sorted(among, key=lambda i: scene.objects[i].share)
    sizes = [scene.objects[i].share for i in ordered]
    words = ("smaller", "larger") if len(ordered) == 2 else ("smallest", "largest")
    if sizes[1] >= LARGER * sizes[0]:
        yield Pick("size", words[0], ordered[0])
    if sizes[-1] >= LARGER * sizes[-2]:
        yield Pick("size", words[1], ordered[-1])


def _by_brightness(scene: MeasuredScene, among: Sequence[int]) -> Iterator[Pick]:
    ordered = sorted(among, key=lambda i: scene.objects[i].brightness)
    values = [scene.objects[i].brightness for i in ordered]
    words = ("darker", "brighter") if len(ordered) == 2 else ("darkest", "brightest")
    ends = ((ordered[0], values[1] - values[0]), (ordered[-1], values[-1] - values[-2]))
    for word, plain, (index, gap) in zip(words, ("dark", "bright"), ends, strict=True):
        if gap >= BRIGHTER:
            yield Pick("brightness", word, index)
        if gap >= BRIGHT:
            yield Pick("brightness", plain, index)


def _by_order(
    scene: MeasuredScene, among: Sequence[int], axis: int, first: str, last: str
) -> Iterator[Pick]:
    ordered = sorted(among, key=lambda i: scene.objects[i].centre[axis])
    gaps = [
        after.centre[axis] - before.centre[axis] >= APART
        for before, after in pairwise(scene.objects[i] for i in ordered)
    ]
    two = len(ordered) == 2
    if gaps[0]:
        yield Pick("order", f"{first} of two" if two else f"first from the {first}", ordered[0])
    if gaps[-1]:
        yield Pick("order", f"{last} of two" if two else f"first from the {last}", ordered[-1])
    if len(ordered) > _MOST:
        return
    for place, word in zip(range(1, _LAST), ("second", "third"), strict=True):
        if place < len(ordered) - 1 and all(gaps[: place + 1]):
            yield Pick("order", f"{word} from the {first}", ordered[place])
        if place < len(ordered) - 1 and all(gaps[-place - 1 :]):
            yield Pick("order", f"{word} from the {last}", ordered[-place - 1])
    if len(ordered) == 3 and all(gaps):
        yield Pick("order", f"middle from {first} to {last}", ordered[1])
