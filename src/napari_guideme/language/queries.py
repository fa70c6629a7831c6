"""Queries that a user could have given: drawn from what a network got wrong, and put in words.

References
----------
Rupprecht et al., *Guide Me*, CVPR 2018, section 3.3 and figure 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, product
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from napari_guideme.errors import InputError
from napari_guideme.hints import GRID, Cell, Operation, TextHint

#: What a query may be about; ``"either"`` is find or remove, by chance.
Asked = Literal["find", "remove", "replace", "either"]

#: Connected mistakes that fill less of the image are not spoken of.
LEAST_SHARE = 5e-4
#: A place has to hold so much of what is wrong.
ENOUGH = 0.8

_EVERYWHERE: tuple[Cell, ...] = tuple(product(range(GRID), repeat=2))

#: How to say an operation; the first is the plain one.
_SAID: dict[Operation, tuple[str, ...]] = {
    "find": (
        "find the {name}{place}",
        "the {name} is missing{place}",
        "there is a {name}{place}",
        "there should be a {name}{place}",
        "you missed the {name}{place}",
    ),
    "remove": (
        "remove the {name}{place}",
        "there is no {name}{place}",
        "the {name} is not visible{place}",
        "there should be no {name}{place}",
        "delete the {name}{place}",
    ),
    "replace": (
        "find the {name} instead of the {other}{place}",
        "there is a {name} where you predicted {other}{place}",
        "the {name} was mistaken for {other}{place}",
        "the {other} is a {name}{place}",
    ),
}


_ALL = (0, 1, 2)
#: Rows, columns, and how to name the cells that they share; the first name is the plain one.
PLACES: tuple[tuple[tuple[int, ...], tuple[int, ...], tuple[str, ...]], ...] = (
    ((0,), (0,), ("on the top left", "on the upper left", "in the top left corner")),
    ((0,), (1,), ("on the top centre", "on the upper centre")),
    ((0,), (2,), ("on the top right", "on the upper right", "in the top right corner")),
    ((1,), (0,), ("on the middle left",)),
    ((1,), (1,), ("in the middle", "in the centre", "in the center")),
    ((1,), (2,), ("on the middle right",)),
    ((2,), (0,), ("on the bottom left", "on the lower left", "in the bottom left corner")),
    ((2,), (1,), ("on the bottom centre", "on the lower centre")),
    ((2,), (2,), ("on the bottom right", "on the lower right", "in the bottom right corner")),
    ((0,), _ALL, ("at the top", "on the top")),
    ((1,), _ALL, ("in the middle row",)),
    ((2,), _ALL, ("at the bottom", "on the bottom")),
    (_ALL, (0,), ("on the left", "on the left side")),
    (_ALL, (1,), ("in the middle column",)),
    (_ALL, (2,), ("on the right", "on the right side")),
    ((0, 1), _ALL, ("in the upper half",)),
    ((1, 2), _ALL, ("in the lower half",)),
    (_ALL, (0, 1), ("in the left half",)),
    (_ALL, (1, 2), ("in the right half",)),
    (_ALL, _ALL, ("", "in the image")),
)
_NAMED: dict[tuple[Cell, ...], tuple[str, ...]] = {
    tuple(product(rows, columns)): names for rows, columns, names in PLACES
}


def _choices() -> tuple[list[tuple[Cell, ...]], NDArray[np.intp]]:
    """Named places and pairs of them, and how much each is to say: a cell more for an *and*."""
    costs = {place: len(place) for place in _NAMED}
    for one, other in combinations(_NAMED, 2):
        both = tuple(sorted({*one, *other}))
        costs.setdefault(both, len(both) + 1)
    return list(costs), np.array(list(costs.values()))


_CHOICES, _COSTS = _choices()
_HOLDS = np.array([[cell in place for cell in _EVERYWHERE] for place in _CHOICES])


def draw_query(
    predicted: NDArray[np.integer],
    truth: NDArray[np.integer],
    classes: Sequence[str],
    random: np.random.Generator,
    operation: Asked = "either",
) -> TextHint | None:
    """Draw what a user could say about the mistakes of a network.

    Parameters
    ----------
    predicted
        Index of the found class, (rows, columns).
    truth
        Index of the true one; what is negative does not count.
    classes
        Names of the classes. One is drawn in proportion to the pixels that can be
        gained.
    random
        Source of chance; the same one gives the same query.
    operation
        What may be said.

    Returns
    -------
    A hint whose place is the smallest that can be named and holds most of the
    mistakes of its class, or ``None`` if nothing worth saying is wrong.

    Raises
    ------
    InputError
        If the operation is unknown.
    """
    if operation not in get_args(Asked):
        raise InputError(f"unknown operation {operation!r}; choose {', '.join(get_args(Asked))}")
    for one in _in_turn(operation, random):
        gains = _gains(predicted, truth, len(classes), one)
        if total := gains.sum():
            pair = int(random.choice(len(gains), p=gains.sum(1) / total))
            true, found = (classes[index] for index in divmod(pair, len(classes)))
            place = place_of(gains[pair])
            if one == "replace":
                return TextHint(one, true, place, instead_of=found)
            return TextHint(one, true if one == "find" else found, place)
    return None


def _in_turn(operation: Asked, random: np.random.Generator) -> tuple[Operation, ...]:
    """What to try, one after the other."""
    if operation != "either":
        return (operation,)
    return ("find", "remove") if random.integers(2) else ("remove", "find")


def _gains(
    predicted: NDArray[np.integer],
    truth: NDArray[np.integer],
    n_classes: int,
    operation: Operation,
) -> NDArray[np.intp]:
    """Pixels to be gained, (K * K, cells): by true and found class, 0 for what is not said."""
    true = truth.astype(np.intp) if operation != "remove" else np.zeros(truth.shape, np.intp)
    found = predicted.astype(np.intp) if operation != "find" else np.zeros(truth.shape, np.intp)
    mistaken = (truth >= 0) & (predicted != truth)
    pairs = np.where(mistaken, true * n_classes + found, -1)
    regions = label(pairs, background=-1, connectivity=1)
    sizes = np.bincount(regions.ravel())
    said = mistaken & (sizes[regions] >= LEAST_SHARE * truth.size)
    rows, columns = ((np.arange(n) * GRID) // n for n in truth.shape)
    cells = rows[:, None] * GRID + columns
    counts = np.bincount(pairs[said] * GRID**2 + cells[said], minlength=n_classes**2 * GRID**2)
    return counts.reshape(n_classes**2, GRID**2)


def place_of(gains: NDArray[np.integer]) -> tuple[Cell, ...]:
    """Cells of the place to be named, empty for everywhere.

    Parameters
    ----------
    gains
        What can be gained in each cell of the grid, (cells,), row by row.
    """
    held = _HOLDS @ gains
    ordered = np.lexsort((-held, _COSTS))
    place = _CHOICES[next(i for i in ordered if held[i] >= ENOUGH * gains.sum())]
    return () if place == _EVERYWHERE else place


def phrase(hint: TextHint, random: np.random.Generator | None = None) -> str:
    """Put a hint in words.

    Parameters
    ----------
    hint
        About an image of two axes.
    random
        Source of chance for one of many ways to say it; the plain one without.

    Raises
    ------
    InputError
        If the place has another number of axes.
    """
    names = [_one_of(_NAMED[part], random) for part in _parts(hint.place or _EVERYWHERE)]
    said = _one_of(_SAID[hint.operation], random)
    place = " and ".join(names)
    return said.format(
        name=_spoken(hint.class_name),
        other=_spoken(hint.instead_of or ""),
        place=f" {place}" if place else "",
    )


def words(text: str) -> list[str]:
    """Words of a phrase, in lower case."""
    return text.casefold().split()


def vocabulary(classes: Iterable[str], *, plain: bool = False) -> list[str]:
    """All words of phrases about these classes, or of the plain ones alone, sorted."""
    ways = [*_SAID.values(), *_NAMED.values()]
    said = [text for way in ways for text in (way[:1] if plain else way)]
    texts = [text.format(name="", other="", place="") for text in said]
    return sorted(
        {word for text in [*texts, "and", *map(_spoken, classes)] for word in words(text)}
    )


def _parts(place: tuple[Cell, ...]) -> list[tuple[Cell, ...]]:
    """Part a place into named ones, large ones first."""
    if not set(place) <= set(_EVERYWHERE):
        raise InputError("a text guide knows places in images of two axes alone")
    left, parts = set(place), []
    while left:
        inside = [named for named in _NAMED if set(named) <= set(place)]
        parts.append(max(inside, key=lambda named: (len(left & set(named)), -len(named))))
        left -= set(parts[-1])
    return parts


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _one_of(ways: Sequence[str], random: np.random.Generator | None) -> str:
    return ways[0] if random is None else ways[int(random.integers(len(ways)))]
