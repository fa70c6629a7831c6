"""Places in an image: regions of what is seen, and how the axes of an array are seen.

A place is said as it is seen; a `View` turns it into cells of the array. World
coordinates only exist here and in the widgets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.hints import GRID, Cell

#: Where a cell lies as it is seen: -1, 0 or 1 by axis. Down and right are positive,
#: as are superior, anterior and the patient's left.
Spot = dict[str, int]

#: Names of the cells of a picture, row by row.
CELL_NAMES = (
    "top left",
    "top middle",
    "top right",
    "middle left",
    "middle",
    "middle right",
    "bottom left",
    "bottom middle",
    "bottom right",
)

#: Axis and side of each letter that medical readers use.
_LETTERS = {
    "S": ("superior", 1),
    "I": ("superior", -1),
    "A": ("anterior", 1),
    "P": ("anterior", -1),
    "L": ("patient", 1),
    "R": ("patient", -1),
}


@dataclass(frozen=True)
class Region:
    """A part of what is seen.

    Parameters
    ----------
    holds
        Whether a spot belongs to it.
    axes
        Along which it is bounded.
    """

    holds: Callable[[Spot], bool]
    axes: frozenset[str] = frozenset()

    def __and__(self, other: Region) -> Region:
        return Region(lambda s: self.holds(s) and other.holds(s), self.axes | other.axes)

    def __or__(self, other: Region) -> Region:
        return Region(lambda s: self.holds(s) or other.holds(s), self.axes | other.axes)

    def __invert__(self) -> Region:
        return Region(lambda s: not self.holds(s), self.axes)

    @classmethod
    def of(cls, axis: str, *sides: int) -> Region:
        """All spots that lie on one of some sides along an axis."""
        return cls(lambda spot: spot[axis] in sides, frozenset({axis}))


EVERYWHERE = Region(lambda _: True)
MIDDLE = Region.of("down", 0) & Region.of("right", 0)
CORNERS = ~Region.of("down", 0) & ~Region.of("right", 0)


@dataclass(frozen=True)
class View:
    """How the axes of an array are seen.

    Parameters
    ----------
    down_world, right_world
        How far one goes down and to the right, from one end of each axis of the
        array to the other.
    letters
        To which side of the patient each axis of the array leads, a letter of
        R, L, A, P, S, I, or ``""`` where that is not known.

    Raises
    ------
    InputError
        If a letter is another one, two axes lead along the same line, or
        there is not one letter for each axis.
    """

    down_world: tuple[float, ...] = (1.0, 0.0)
    right_world: tuple[float, ...] = (0.0, 1.0)
    letters: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if unknown := [letter for letter in self.letters if letter and letter not in _LETTERS]:
            raise InputError(
                f"{unknown[0]!r} is no side of a patient; choose {', '.join(_LETTERS)}"
            )
        if self.letters and len(self.letters) != len(self.down_world):
            raise InputError(
                f"{', '.join(self.letters)}: give one letter for each of the "
                f"{len(self.down_world)} axes"
            )
        along = [_LETTERS[letter][0] for letter in self.letters if letter]
        if len(set(along)) < len(along):
            raise InputError(
                f"{', '.join(self.letters)}: two axes cannot lead along one line of the patient"
            )

    @classmethod
    def upright(cls, ndim: int, letters: Sequence[str] = ()) -> View:
        """See the last two axes, rows from the top and columns from the left."""
        across = (0.0,) * (ndim - 2)
        return cls((*across, 1.0, 0.0), (*across, 0.0, 1.0), tuple(letters))

    @property
    def axes(self) -> frozenset[str]:
        """Axes along which something can be told apart."""
        return frozenset({"down", "right", *(_LETTERS[k][0] for k in self.letters if k)})

    def cells(self, region: Region) -> tuple[Cell, ...]:
        """Cells of the array's grid whose middle is seen in a region."""
        ndim = len(self.down_world)
        return tuple(
            cell
            for cell in product(range(GRID), repeat=ndim)
            if region.holds(self._spot(np.array(cell) - 1))
        )

    def spots(self, cells: Sequence[Cell]) -> list[tuple[int, int]]:
        """Rows and columns, from 0 on, at which cells of the array are seen."""
        seen = {(s["down"] + 1, s["right"] + 1) for s in map(self._spot, np.array(cells) - 1)}
        return sorted(seen)

    def _spot(self, cell: NDArray[np.intp]) -> Spot:
        """Where a cell, -1, 0 or 1 along each axis, is seen."""
        spot = dict(
            zip(("down", "right"), _sides(self.down_world, self.right_world, cell), strict=True)
        )
        for letter, step in zip(self.letters, cell, strict=False):
            if letter:
                axis, side = _LETTERS[letter]
                spot[axis] = side * int(step)
        return spot


def _sides(
    down_world: Sequence[float], right_world: Sequence[float], cell: NDArray[np.intp]
) -> tuple[int, int]:
    """In which of eight directions from the middle of the picture a cell is seen, if in any.

    However an image is turned, so each of them has a cell.
    """
    down, right = _share(down_world, cell), _share(right_world, cell)
    if max(abs(down), abs(right)) < 1 / GRID:
        return 0, 0
    least = np.tan(np.pi / 8)
    return (
        int(np.sign(down)) if abs(down) > least * abs(right) else 0,
        int(np.sign(right)) if abs(right) > least * abs(down) else 0,
    )


def _share(direction_world: Sequence[float], cell: NDArray[np.intp]) -> float:
    """How far a cell is from the middle, as a share of how far any is."""
    furthest = np.abs(direction_world).sum()
    return float(np.dot(direction_world, cell) / furthest) if furthest else 0.0


def named(spots: Sequence[tuple[int, int]]) -> str:
    """Say in a few words where rows and columns (from 0 on) of the picture are."""
    chosen = set(spots)
    if len(chosen) in (0, GRID**2):
        return "everywhere"
    for index, side in enumerate(("top", "middle row", "bottom")):
        if chosen == {(index, column) for column in range(GRID)}:
            return side
    for index, side in enumerate(("left", "middle column", "right")):
        if chosen == {(row, index) for row in range(GRID)}:
            return side
    if len(chosen) > GRID**2 / 2:
        rest = {(row, column) for row in range(GRID) for column in range(GRID)} - chosen
        return f"everywhere but {named(sorted(rest))}"
    return ", ".join(CELL_NAMES[GRID * row + column] for row, column in sorted(chosen))
