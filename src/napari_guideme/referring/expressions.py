"""Expressions without annotators: sentences that refer to one object of a mask, and only to it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError, whole_number
from napari_guideme.referring.claims import (
    KINDS,
    Claim,
    Kind,
    Landmark,
    Pick,
    both,
    claims,
    picks,
)
from napari_guideme.referring.phrases import masses, most_counted, sentence, solid
from napari_guideme.referring.scenes import MeasuredScene, measured_scene

#: Objects that fill less of an image are not referred to.
LEAST = 0.002
#: What a landmark may be told by, if its class is there more than once.
_MARKING: tuple[Kind, ...] = ("size", "brightness")

#: Sides from which those are counted that a place or a relation holds of.
_ACROSS = {
    **dict.fromkeys(("at the top", "at the bottom", "above", "below"), ("left", "right")),
    **dict.fromkeys(("on the left", "on the right", "left", "right"), ("top", "bottom")),
}

Random = np.random.Generator


@dataclass(frozen=True)
class Expression:
    """A sentence that refers to an object.

    Attributes
    ----------
    sentence
        Such as "the larger nucleus at the bottom".
    object_id
        What it refers to.
    kinds
        What it tells the object by, a selection of `KINDS`; empty if nobody said so.
    """

    sentence: str
    object_id: int
    kinds: tuple[Kind, ...] = ()


@dataclass(frozen=True)
class _Description:
    """What is true of one object alone, yet to be put in words."""

    index: int
    parts: tuple[Claim | Pick, ...] = ()
    counted: int | None = None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        found = {
            kind for p in self.parts for kind in (p.kinds if isinstance(p, Claim) else [p.kind])
        }
        if self.counted is not None:
            found.add("count")
        return tuple(kind for kind in KINDS if kind in found) or ("class",)


def expressions(
    image: NDArray[Any],
    ids: NDArray[np.integer],
    names: Mapping[int, str] | str,
    random: np.random.Generator,
    *,
    channel_axis: int | None = None,
    kinds: Collection[str] = KINDS,
    most: int | None = None,
    least: float = LEAST,
) -> list[Expression]:
    """Say all that tells an object of an image clearly from all others.

    Each sentence is true of one object alone, and clearly so: whatever it says of
    sizes, places, colours and so on holds with a margin, and of all other objects
    of the class it clearly does not hold.

    Parameters
    ----------
    image, ids, names, channel_axis
        See :func:`~napari_guideme.referring.scenes.measured_scene`; a mask of classes
        becomes objects by :func:`~napari_guideme.referring.scenes.objects_of_classes`.
    random
        Source of chance for how things are said, from :func:`numpy.random.default_rng`; one of the
        same seed gives the same sentences.
    kinds
        By what objects may be told, a selection of `KINDS`. A sentence has one or two.
    most
        Sentences per object: of different kinds, as far as there are any.
    least
        Share of the image that an object has to fill to be referred to. Smaller ones are
        not, but sentences have to be false of them.

    Raises
    ------
    InputError
        If image, ids and names do not fit each other, a kind is unknown, or a limit is none.
    """
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise InputError(f"unknown kind {unknown[0]!r}; choose {', '.join(KINDS)}")
    if most is not None and whole_number("most", most) < 1:
        raise InputError(f"most has to be 1 or more, or None for all sentences, not {most}")
    if not 0 <= least <= 1:
        raise InputError(f"least has to be a share of the image from 0 to 1, not {least}")
    scene = measured_scene(image, ids, names, channel_axis)
    told: dict[int, list[_Description]] = {}
    for description in _descriptions(scene, least):
        if set(description.kinds) <= set(kinds) and _is_shown(scene, description.index, least):
            told.setdefault(description.index, []).append(description)
    return [
        _said(scene, description, random)
        for index in sorted(told)
        for description in _chosen(told[index], most, random)
    ]


def _said(scene: MeasuredScene, description: _Description, random: Random) -> Expression:
    thing = scene.objects[description.index]
    text = sentence(
        thing.name,
        description.parts,
        random,
        counted=description.counted,
        alone=len(scene.names) == 1 and len(scene.objects) > 1,
    )
    return Expression(text, thing.id, description.kinds)


def _chosen(told: list[_Description], most: int | None, random: Random) -> list[_Description]:
    """Draw some descriptions, of as many kinds as possible."""
    if most is None:
        return told
    by_kinds: dict[tuple[Kind, ...], list[_Description]] = {}
    for i in random.permutation(len(told)):
        by_kinds.setdefault(told[i].kinds, []).append(told[i])
    turns = max(map(len, by_kinds.values()))
    in_turn = [
        group[turn] for turn in range(turns) for group in by_kinds.values() if turn < len(group)
    ]
    return in_turn[:most]


def _descriptions(scene: MeasuredScene, least: float) -> Iterator[_Description]:
    """Return all that is true of one object alone, class by class."""
    held = claims(scene, list(_landmarks(scene, least)), solid())
    for name in scene.names:
        among = [i for i, thing in enumerate(scene.objects) if thing.name == name]
        if len(among) == 1:
            yield _Description(among[0])
            continue
        found = [
            *(_Description(pick.index, (pick,)) for pick in picks(scene, among, masses())),
            *_by_claims(scene, among, held),
        ]
        yield from found
        countable = name not in masses() and len(among) <= most_counted()
        if countable and all(_is_shown(scene, i, least) for i in among):
            for description in found:
                if len(description.kinds) == 1:
                    yield _Description(description.index, description.parts, len(among))


def _by_claims(
    scene: MeasuredScene, among: Sequence[int], held: Sequence[Claim]
) -> Iterator[_Description]:
    """Return what one or two claims, or a claim and a pick, tell."""
    telling = [(claim, claim.verdicts[list(among)]) for claim in held]
    telling = [(claim, verdicts) for claim, verdicts in telling if (verdicts == 1).any()]
    for claim, verdicts in telling:
        kept = _kept(among, verdicts)
        if len(kept) == 1:
            yield _Description(kept[0], (claim,))
        elif 1 < len(kept) < len(among) and len(claim.kinds) == 1:
            for pick in picks(scene, kept, masses()):
                if _can_be_joined(claim, pick):
                    yield _Description(pick.index, (claim, pick))
    for (one, true), (other, too) in combinations(telling, 2):
        if len(one.kinds) > 1 or len(other.kinds) > 1 or one.kinds == other.kinds:
            continue
        kept = _kept(among, both(true, too))
        if len(kept) == 1 and all((v != 0).sum() > 1 for v in (true, too)):
            yield _Description(kept[0], (one, other))


def _kept(among: Sequence[int], verdicts: NDArray[np.int_]) -> list[int]:
    """Return of which objects a claim is true; none unless it is clear of all of them."""
    if (verdicts < 0).any():
        return []
    return [i for i, holds in zip(among, verdicts, strict=True) if holds]


def _can_be_joined(claim: Claim, pick: Pick) -> bool:
    """Whether a pick goes with a claim: "the upper one at the top" would be odd."""
    if pick.kind != "order":
        return True
    across = _ACROSS.get(claim.word)
    if across is None:
        return claim.kinds != ("place",)
    return any(side in pick.word for side in across)


def _landmarks(scene: MeasuredScene, least: float) -> Iterator[Landmark]:
    """Return objects that are easily told: by their class, or as the largest of it."""
    for name in scene.names:
        among = [i for i, thing in enumerate(scene.objects) if thing.name == name]
        if len(among) == 1:
            found = [Landmark(among[0], name)]
        else:
            chosen = [pick for pick in picks(scene, among, masses()) if pick.kind in _MARKING]
            found = [Landmark(pick.index, name, pick) for pick in chosen]
        yield from (mark for mark in found if _is_shown(scene, mark.index, least))


def _is_shown(scene: MeasuredScene, index: int, least: float) -> bool:
    return scene.objects[index].share >= least
