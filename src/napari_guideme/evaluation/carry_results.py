"""What carrying a correction brought, in figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

#: A slice is near the one that was clicked if it is at most so many away.
NEAR = 2


@dataclass(frozen=True)
class CarriedSlice:
    """One slice or image to which a correction was carried.

    Attributes
    ----------
    clicked, index
        Numbers of the slice that was clicked and of this one.
    before, after, unchecked
        Mean IoU of the classes of objects that are there: of the network alone, with what
        was carried, and with what would have been carried without the check.
    state, agreement, why
        See `SliceState`.
    """

    clicked: int
    index: int
    before: float
    after: float
    unchecked: float
    state: str
    agreement: float | None
    why: str


@dataclass(frozen=True)
class Evaluated:
    """What is evaluated: a network, a method, how many clicks, and how far they are carried."""

    network: str
    method: str
    hints: int
    extent: str


@dataclass(frozen=True)
class CarryResult:
    """What carrying brought.

    Attributes
    ----------
    network, method, hints, extent
        What was evaluated.
    clicked_before, clicked_after
        Mean IoU of the slices that were clicked.
    near_before, near_after
        Of slices at most two away from them.
    others_before, others_after
        Of all others.
    worst
        Largest change for the worse on any of them, 0 if there is none.
    unchecked_after, unchecked_worst
        The same with the check off.
    stopped_at
        First slices to which nothing was carried any more, below and above the clicked one;
        ``None`` where it went on to the end.
    slices
        All of them.
    """

    network: str
    method: str
    hints: int
    extent: str
    clicked_before: float
    clicked_after: float
    near_before: float
    near_after: float
    others_before: float
    others_after: float
    worst: float
    unchecked_after: float
    unchecked_worst: float
    stopped_at: tuple[int | None, int | None]
    slices: tuple[CarriedSlice, ...]

    @classmethod
    def of(
        cls,
        told: Evaluated,
        clicked: Sequence[tuple[float, float]],
        slices: Sequence[CarriedSlice],
        stopped_at: tuple[int | None, int | None] = (None, None),
    ) -> CarryResult:
        """Sum up what became of slices.

        Parameters
        ----------
        told
            What was evaluated.
        clicked
            Mean IoU of every slice that was clicked, before and after.
        slices, stopped_at
            See the attributes.
        """
        near = [row for row in slices if abs(row.index - row.clicked) <= NEAR] or slices
        return cls(
            **asdict(told),
            clicked_before=_mean(before for before, _ in clicked),
            clicked_after=_mean(after for _, after in clicked),
            near_before=_mean(row.before for row in near),
            near_after=_mean(row.after for row in near),
            others_before=_mean(row.before for row in slices),
            others_after=_mean(row.after for row in slices),
            worst=_worst(row.after - row.before for row in slices),
            unchecked_after=_mean(row.unchecked for row in slices),
            unchecked_worst=_worst(row.unchecked - row.before for row in slices),
            stopped_at=stopped_at,
            slices=tuple(slices),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {"protocol": "carry", **asdict(self)}

    def __str__(self) -> str:
        gain = self.clicked_after - self.clicked_before
        rows = [
            ("clicked", self.clicked_before, self.clicked_after),
            ("near", self.near_before, self.near_after),
            ("all others", self.others_before, self.others_after),
        ]
        lines = [
            f"{name:10}  {before:6.1%} -> {after:6.1%}"
            + (f"  {(after - before) / gain:4.0%} of the gain" if gain > 0 else "")
            for name, before, after in rows
        ]
        return "\n".join(
            [
                f"{self.network}, {self.method}, {self.hints} hints, carried {self.extent}",
                *lines,
                f"worst slice {self.worst:+.1%}; without the check all others "
                f"{self.unchecked_after:6.1%}, worst slice {self.unchecked_worst:+.1%}",
                f"stopped at {self.stopped_at[0]} and {self.stopped_at[1]}",
            ]
        )


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else float("nan")


def _worst(changes: Iterable[float]) -> float:
    return min([0.0, *changes])
