"""What the user said: clicks, scribbles and words, each about a class.

Positions are array axes, ``(row, column)`` or ``(plane, row, column)``, with
pixel centres at whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError, check_kind
from napari_guideme.segments import outside, segment_pixels, shown

Position = tuple[float, ...]
Operation = Literal["find", "remove", "replace"]

#: Places are cells of a grid of so many parts along each axis.
GRID = 3
#: The square of no number that is given overflows.
_LARGEST = 1e100
#: Part of the grid along each axis of the image, from 0 on.
Cell = tuple[int, ...]


@dataclass(frozen=True)
class Click:
    """One pixel named by the user.

    Parameters
    ----------
    at
        Position in array axes; it is rounded to the nearest pixel.
    class_name
        The class that this pixel belongs to.

    Raises
    ------
    InputError
        If the position is not two or three numbers.
    """

    at: Position
    class_name: str

    def __post_init__(self) -> None:
        _check_name(self.class_name)
        object.__setattr__(self, "at", _position(self.at))

    def pixels(self, shape: Sequence[int]) -> NDArray[np.intp]:
        """Pixels covered inside an image of this shape, (1, ndim)."""
        pixel = np.floor(np.asarray(self.at, dtype=float) + 0.5)
        if len(pixel) != len(shape) or not ((pixel >= 0) & (pixel < shape)).all():
            raise outside(f"the click at {shown(self.at)}", shape)
        return pixel.astype(np.intp)[None]


@dataclass(frozen=True)
class Scribble:
    """A stroke of some width, drawn in one go or in several.

    Parameters
    ----------
    paths
        Polylines, each a sequence of positions in array axes.
    class_name
        The class that all covered pixels belong to.
    width
        Diameter of the pen in pixels; pixels whose centre is at most half of it
        away from a line are covered.

    Raises
    ------
    InputError
        If a position is not two or three numbers, or the width not a positive one.
    """

    paths: tuple[tuple[Position, ...], ...]
    class_name: str
    width: float = 1.0

    def __post_init__(self) -> None:
        if not _is_number(self.width) or self.width <= 0:
            raise InputError(f"the width must be a positive number, not {self.width!r}")
        _check_name(self.class_name)
        object.__setattr__(self, "width", float(self.width))
        object.__setattr__(self, "paths", tuple(map(_path, _several("paths", self.paths))))

    @classmethod
    def from_mask(
        cls, mask: NDArray[np.bool_], class_name: str, corner: Sequence[int] | None = None
    ) -> Scribble:
        """Describe painted pixels exactly, as one line per run along the last axis.

        Parameters
        ----------
        mask
            Painted pixels, of the image or of a box in it.
        class_name
            Their class.
        corner
            Where the box starts in the image, if it is one.
        """
        origin = np.zeros(mask.ndim, dtype=int) if corner is None else np.asarray(corner)
        edges = np.diff(
            np.pad(mask.astype(np.int8), [(0, 0)] * (mask.ndim - 1) + [(1, 1)]), axis=-1
        )
        first = origin + np.argwhere(edges == 1)
        last = origin + np.argwhere(edges == -1) - np.eye(mask.ndim, dtype=int)[-1]
        return cls(tuple(zip(first.tolist(), last.tolist(), strict=True)), class_name)

    def pixels(self, shape: Sequence[int]) -> NDArray[np.intp]:
        """Pixels covered inside an image of this shape, (n, ndim); the rest is cut off."""
        covered = [
            segment_pixels(np.asarray(a), np.asarray(b), self.width / 2, shape)
            for path in self.paths
            for a, b in zip(path, path[1:] or path, strict=False)
        ]
        covered = [pixels for pixels in covered if len(pixels)]
        if not covered:
            raise outside(f"the scribble for {self.class_name!r}", shape)
        # Numbers are sorted far faster than rows.
        places = np.ravel_multi_index(tuple(np.concatenate(covered).T), tuple(shape))
        return np.stack(np.unravel_index(np.unique(places), tuple(shape)), -1)

    def check(self, shape: Sequence[int]) -> None:
        """Raise `InputError` if :meth:`pixels` would; of named pixels that is seen at once."""
        points = [point for path in self.paths for point in path]
        if any(len(point) != len(shape) for point in points) or not points:
            self.pixels(shape)
        places = np.array(points, dtype=float)
        is_pixel = (places == np.floor(places)) & (places >= 0) & (places < shape)
        if not is_pixel.all(axis=1).any():
            self.pixels(shape)


@dataclass(frozen=True)
class TextHint:
    """What a sentence says about one class.

    Parameters
    ----------
    operation
        ``"find"``: some of the class is missing. ``"remove"``: the class is found
        where it is not. ``"replace"``: it should be found instead of another class.
    class_name
        The class that is missing, or too much.
    place
        Cells of the grid where that holds, sorted; empty for everywhere.
    instead_of
        With ``"replace"``, the class that was found by mistake.

    Raises
    ------
    InputError
        If the operation is unknown or does not go with `instead_of`.
    """

    operation: Operation
    class_name: str
    place: tuple[Cell, ...] = ()
    instead_of: str | None = None

    def __post_init__(self) -> None:
        if self.operation not in get_args(Operation):
            allowed = ", ".join(get_args(Operation))
            raise InputError(f"unknown operation {self.operation!r}; choose {allowed}")
        if (self.operation == "replace") != (self.instead_of is not None):
            raise InputError("replace needs the class that was found by mistake, others have none")
        if self.instead_of == self.class_name:
            raise InputError(f"{self.class_name} cannot be found instead of itself")
        object.__setattr__(self, "place", tuple(sorted(set(self.place))))

    def mask(self, shape: Sequence[int]) -> NDArray[np.bool_]:
        """Pixels of the place in an image of this shape.

        Raises
        ------
        InputError
            If there is no such place, or no pixel in it.
        """
        if not self.place:
            return np.ones(shape, dtype=bool)
        chosen = np.zeros((GRID,) * len(shape), dtype=bool)
        for cell in self.place:
            if len(cell) != len(shape) or not all(0 <= part < GRID for part in cell):
                raise InputError(f"{cell} is no cell of a grid of {' x '.join('3' for _ in shape)}")
            chosen[cell] = True
        parts = [(np.arange(n) * GRID) // n for n in shape]
        mask: NDArray[np.bool_] = chosen[np.ix_(*parts)]
        if not mask.any():
            raise InputError(
                f"no pixel lies in the place that is told: the image has {_counted(shape)}, and "
                f"places are parts of it, {GRID} along each axis"
            )
        return mask


Mark = Click | Scribble
Hint = Mark | TextHint


@dataclass(frozen=True)
class HintPixels:
    """Hints drawn on the pixel grid: every pixel once, the newest hint wins.

    Attributes
    ----------
    positions
        (n, ndim) pixels.
    classes
        (n,) class index of each pixel.
    owners
        (n,) index of the hint that each pixel belongs to.
    """

    positions: NDArray[np.intp]
    classes: NDArray[np.intp]
    owners: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True)
class Hints:
    """All hints of a session, oldest first."""

    items: tuple[Hint, ...] = ()

    def __post_init__(self) -> None:
        for item in _several("hints", self.items):
            check_kind("a hint", item, (Click, Scribble, TextHint), "a Click or a Scribble")

    def __iter__(self) -> Iterator[Hint]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def added(self, hints: Iterable[Hint]) -> Hints:
        """Return these hints and new ones; what is said again counts once, as the newest."""
        newest_first = dict.fromkeys(reversed([*self.items, *Hints(tuple(hints))]))
        return Hints(tuple(reversed(newest_first)))

    def removed(self, hint: Hint) -> Hints:
        """Return these hints without one of them."""
        if hint not in self.items:
            raise InputError(f"there is no such hint: {hint}")
        return Hints(tuple(item for item in self.items if item != hint))

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Clicks and scribbles."""
        return tuple(hint for hint in self.items if not isinstance(hint, TextHint))

    @property
    def texts(self) -> tuple[TextHint, ...]:
        """What was said in words."""
        return tuple(hint for hint in self.items if isinstance(hint, TextHint))

    def check(self, shape: Sequence[int], classes: Sequence[str]) -> None:
        """Raise `InputError` if a hint is outside the image or of an unknown class."""
        for hint in self.items:
            class_index(hint.class_name, classes)
            if isinstance(hint, Click):
                hint.pixels(shape)
            elif isinstance(hint, Scribble):
                hint.check(shape)
            else:
                hint.mask(shape)
                if hint.instead_of is not None:
                    class_index(hint.instead_of, classes)

    def pixels(self, shape: Sequence[int], classes: Sequence[str]) -> HintPixels:
        """Draw clicks and scribbles on a grid of this shape.

        Where they contradict each other the newest wins, pixel by pixel.
        """
        drawn = [
            (owner, class_index(hint.class_name, classes), hint.pixels(shape))
            for owner, hint in enumerate(self.items)
            if not isinstance(hint, TextHint)
        ]
        counts = [len(pixels) for *_, pixels in drawn]
        empty = np.empty((0, len(shape)), dtype=np.intp)
        positions = np.concatenate([empty, *(pixels for *_, pixels in drawn)])
        said = np.array([told for *told, _ in drawn], dtype=np.intp).reshape(-1, 2)
        owners, indices = np.repeat(said, counts, axis=0).T
        first, last = _first_and_last(np.ravel_multi_index(tuple(positions.T), tuple(shape)))
        return HintPixels(positions[first], indices[last], owners[last])


def check_hints(hints: object) -> None:
    """Raise `InputError` if something is no `Hints`."""
    check_kind("hints", hints, Hints, "Hints, such as Hints((Click(at, class_name),))")


def by_slice(marks: Iterable[Mark], shape: Sequence[int], axis: int) -> dict[int, list[Mark]]:
    """Sort marks in a volume by the slices along an axis; there they have rows and columns.

    Parameters
    ----------
    marks
        Clicks and scribbles in array axes of the volume. A scribble that covers several
        slices becomes one on each.
    shape
        Of the volume.
    axis
        Along which the slices lie.
    """
    sorted_marks: dict[int, list[Mark]] = {}
    for mark in marks:
        pixels = mark.pixels(shape)
        for index in np.unique(pixels[:, axis]).tolist():
            sorted_marks.setdefault(index, []).append(_on_slice(mark, pixels, index, shape, axis))
    return sorted_marks


def _on_slice(
    mark: Mark, pixels: NDArray[np.intp], index: int, shape: Sequence[int], axis: int
) -> Mark:
    if isinstance(mark, Click):
        return Click(tuple(x for a, x in enumerate(mark.at) if a != axis), mark.class_name)
    covered = np.delete(pixels[pixels[:, axis] == index], axis, axis=1)
    mask = np.zeros([n for a, n in enumerate(shape) if a != axis], dtype=bool)
    mask[tuple(covered.T)] = True
    return Scribble.from_mask(mask, mark.class_name)


def _first_and_last(values: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each value comes for the first and for the last time, in the order of the first."""
    order = np.argsort(values, kind="stable")
    begins = np.flatnonzero(np.diff(values[order], prepend=-1))
    first, last = order[begins], order[np.append(begins, len(order))[1:] - 1]
    by_first = np.argsort(first)
    return first[by_first], last[by_first]


def class_index(name: str, classes: Sequence[str]) -> int:
    """Index of a class by name; the error lists the classes there are."""
    if name not in classes:
        raise InputError(f"unknown class {name!r}; the network's classes are {', '.join(classes)}")
    return list(classes).index(name)


def _check_name(class_name: object) -> None:
    check_kind("the class of a hint", class_name, str, "the name of a class")


def _several(name: str, values: Any) -> Sequence[Any]:
    check_kind(name, values, (list, tuple, np.ndarray), "a list")
    found: Sequence[Any] = values
    return found


def _path(positions: Any) -> tuple[Position, ...]:
    return tuple(map(_position, _several("a path", positions)))


def _position(at: Any) -> Position:
    try:
        numbers = tuple(at)
    except TypeError:
        numbers = ()
    if len(numbers) not in (2, 3) or not all(map(_is_number, numbers)):
        raise InputError(f"a position is [row, column] or [plane, row, column], not {at!r}")
    return tuple(map(float, numbers))


def _is_number(value: Any) -> bool:
    """Whether this is a number to compute with; NaN, infinity and booleans are none."""
    plain = value.item() if isinstance(value, np.generic) else value
    is_number = isinstance(plain, int | float) and not isinstance(plain, bool)
    return is_number and abs(plain) < _LARGEST


def _counted(shape: Sequence[int]) -> str:
    """Count planes, rows and columns in words."""
    names = ("planes", "rows", "columns")[-len(shape) :]
    return ", ".join(f"{n} {name}" for n, name in zip(shape, names, strict=True))
