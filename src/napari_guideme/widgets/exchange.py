"""What passes between the GUI thread and the background: hints one way, labels the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_guideme.hints import Click, Hint, Hints
from napari_guideme.widgets.slices import Slice

if TYPE_CHECKING:
    from napari_guideme.session import GuideSession, Report


@dataclass(frozen=True)
class Outcome:
    """What a finished refinement shows."""

    part: Slice
    session: GuideSession
    labels: NDArray[np.integer]
    changed: NDArray[np.bool_]
    unmet: list[tuple[float, ...]]
    report: Report


@dataclass(frozen=True)
class Kept:
    """The kept labels of a slice, and how many were added."""

    part: Slice
    labels: NDArray[np.integer]
    count: int


def tell(session: GuideSession, hints: list[Hint], method: str) -> None:
    """Let the session have these hints, those it knows in the order it knows them."""
    known = [hint for hint in session.hints if hint in hints]
    session.method = method
    session.replace(Hints().added([*known, *(hint for hint in hints if hint not in known)]))


def is_inside(click: Click, part: Slice) -> bool:
    """Whether a click lies in its slice."""
    return all(-0.5 <= x < n - 0.5 for x, n in zip(click.at, part.shape, strict=True))


def centre(hint: Hint) -> tuple[float, ...]:
    """Where to ring a hint: the click, or the middle of the first line of a scribble."""
    if isinstance(hint, Click):
        return hint.at
    middle = hint.paths[len(hint.paths) // 2]
    return tuple(float(x) for x in np.mean(middle, axis=0))
