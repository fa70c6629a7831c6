"""Finding the object that a sentence refers to, among those that were measured."""

from __future__ import annotations

from functools import lru_cache

from napari_guideme.errors import InputError
from napari_guideme.language.vocabulary import Vocabulary
from napari_guideme.referring.grammar import (
    BRIGHTNESS,
    COLUMN,
    ROW,
    SIZE,
    Coloured,
    InPlace,
    Picked,
    Reference,
    Related,
    readings,
)
from napari_guideme.referring.scenes import MeasuredObject, MeasuredScene

#: An object is in a place, or inside another one, with more than half of it.
_HALF = 0.5
#: It is of a colour with more than a third of it.
_COLOURED = 1 / 3
#: How far beside another one it lies at least, of the image's longer side, and how much less
#: far along than across it may.
_BESIDE, _SLANTED = 0.03, 0.7

_MEASURES = {
    SIZE: lambda thing: thing.share,
    BRIGHTNESS: lambda thing: thing.brightness,
    ROW: lambda thing: thing.centre[0],
    COLUMN: lambda thing: thing.centre[1],
}
_SIDES = {"left": (1, -1), "right": (1, 1), "above": (0, -1), "below": (0, 1)}

Objects = list[MeasuredObject]


def find_referred(sentence: str, scene: MeasuredScene) -> int:
    """Find the one object that a sentence refers to.

    Parameters
    ----------
    sentence
        Such as "the larger nucleus at the bottom" or "the second cup from the left".
    scene
        From :func:`~napari_guideme.referring.scenes.measured_scene`.

    Returns
    -------
    Id of the object.

    Raises
    ------
    InputError
        If the sentence is not understood, is true of no object, or may mean several.
    """
    meant = readings(sentence, _vocabulary(scene.names))
    if not meant:
        raise InputError(
            f"{sentence!r} is not understood; say which of {', '.join(scene.names) or 'nothing'} "
            "it is: by size, place, order, colour, brightness, or beside what"
        )
    found = [_referred(reference, scene) for reference in meant]
    # "The cup above the bowl at the bottom": what is true of no object was not meant.
    told = {things[0].id for things in found if len(things) == 1}
    if len(told) == 1:
        return told.pop()
    several = sorted(told or {thing.id for things in found for thing in things})
    if not several:
        raise InputError(f"{sentence!r} is true of no object")
    raise InputError(f"{sentence!r} may mean the objects {', '.join(map(str, several))}")


@lru_cache(maxsize=64)
def _vocabulary(names: tuple[str, ...]) -> Vocabulary:
    return Vocabulary(names)


def _referred(reference: Reference, scene: MeasuredScene) -> Objects:
    """Return the objects that a reference is true of."""
    things = [t for t in scene.objects if not reference.names or t.name in reference.names]
    if reference.counted not in (None, len(things)):
        return []
    for condition in reference.conditions:
        if isinstance(condition, InPlace):
            things = [t for t in things if _in_place(t, condition)]
        elif isinstance(condition, Coloured):
            things = [t for t in things if t.colours.get(condition.colour, 0) > _COLOURED]
        else:
            things = _related(things, condition, scene)
    return things if reference.picked is None else _picked(things, reference.picked)


def _in_place(thing: MeasuredObject, place: InPlace) -> bool:
    return sum(float(thing.cells[cell]) for cell in place.cells) > _HALF


def _related(things: Objects, condition: Related, scene: MeasuredScene) -> Objects:
    others = _referred(condition.other, scene)
    if condition.other.definite and len(others) != 1:
        return []
    return [
        thing
        for thing in things
        if any(_holds(condition.relation, thing, other, scene) for other in others)
    ]


def _holds(
    relation: str, thing: MeasuredObject, other: MeasuredObject, scene: MeasuredScene
) -> bool:
    if relation == "inside":
        return scene.within.get((thing.id, other.id), 0) > _HALF
    axis, sign = _SIDES[relation]
    along = sign * (thing.centre[axis] - other.centre[axis])
    across = abs(thing.centre[1 - axis] - other.centre[1 - axis])
    return along > max(_BESIDE, _SLANTED * across)


def _picked(things: Objects, picked: Picked) -> Objects:
    if picked.of_two and len(things) != 2:
        return []
    ordered = sorted(things, key=_MEASURES[picked.by])
    if picked.rank is None:
        return [ordered[len(ordered) // 2]] if len(ordered) % 2 else []
    place = picked.rank % len(ordered) if -len(ordered) <= picked.rank < len(ordered) else None
    return [] if place is None else [ordered[place]]
