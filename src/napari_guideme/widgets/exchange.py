"""What passes between the GUI thread and the background: hints one way, labels the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_guideme.errors import InputError
from napari_guideme.hints import Click, Hint, Hints, Mark, Scribble, TextHint
from napari_guideme.widgets.slices import Slice

if TYPE_CHECKING:
    from napari_guideme.guidance.questions import Question
    from napari_guideme.localize.finding import Found
    from napari_guideme.referring.following import Followed
    from napari_guideme.report import Report
    from napari_guideme.session import GuideSession
    from napari_guideme.session_file.replaying import AnySession


@dataclass(frozen=True)
class Outcome:
    """What a finished refinement shows.

    Attributes
    ----------
    shares
        How much of the slice each class has.
    unmet, unmet_words
        Where drawn hints are that the labels do not follow, and the words they do not follow.
    """

    part: Slice
    session: AnySession
    labels: NDArray[np.integer]
    changed: NDArray[np.bool_]
    shares: NDArray[np.floating]
    unmet: list[tuple[float, ...]]
    unmet_words: list[TextHint]
    report: Report

    @classmethod
    def of(cls, part: Slice, session: AnySession, found: Found | Followed | None = None) -> Outcome:
        """Read it off a refined session; what was `found` changed by hints alone."""
        labels, classes = session.labels(), session.network.classes
        if found is None:
            report, changed = session.report(), session.changed()
        else:
            report = cast("GuideSession", session).report(found.mask)
            changed = labels != found.mask
        listed = list(session.hints)
        unmet = [listed[index] for index in report.unmet]
        drawn = [centre(hint) for hint in unmet if not isinstance(hint, TextHint)]
        words = [hint for hint in unmet if isinstance(hint, TextHint)]
        shares = np.bincount(labels.ravel(), minlength=len(classes)) / labels.size
        return cls(part, session, labels, changed, shares, drawn, words, report)


@dataclass(frozen=True)
class Asked:
    """A question about a slice, found with these hints; ``None`` if nothing is uncertain."""

    part: Slice
    session: GuideSession
    hints: Hints
    question: Question | None


def tell(session: AnySession, hints: list[Hint], method: str) -> None:
    """Let the session have these hints: words as they were said, then what was drawn.

    What it knows of that keeps its order; layers know none.
    """
    said = [hint for hint in hints if isinstance(hint, TextHint)]
    drawn = [hint for hint in hints if not isinstance(hint, TextHint)]
    still = set(drawn)
    known = [hint for hint in session.hints if hint in still]
    session.method = method
    still -= set(known)
    session.replace(Hints().added([*said, *known, *(hint for hint in drawn if hint in still)]))


def strokes(painted: NDArray[np.integer], classes: Sequence[str]) -> list[Scribble]:
    """Read scribbles from painted pixels: 0 is nothing, k + 1 is class k."""
    found = []
    for index, box in enumerate(ndimage.find_objects(painted)):
        if box is None:
            continue
        if index >= len(classes):
            raise InputError(
                f"scribbles with label {index + 1} have no class; choose one with the "
                f"buttons (labels 1 to {len(classes)})"
            )
        regions, _ = ndimage.label(painted[box] == index + 1, np.ones((3, 3)))
        for number, part in enumerate(ndimage.find_objects(regions), start=1):
            corner = tuple(a.start + b.start for a, b in zip(box, part, strict=True))
            found.append(Scribble.from_mask(regions[part] == number, classes[index], corner))
    return found


def is_inside(click: Click, part: Slice) -> bool:
    """Whether a click lies in its slice."""
    return all(-0.5 <= x < n - 0.5 for x, n in zip(click.at, part.shape, strict=True))


def centre(hint: Mark) -> tuple[float, ...]:
    """Where to ring a hint: the click, or the middle of the middle line of a scribble."""
    if isinstance(hint, Click):
        return hint.at
    middle = hint.paths[len(hint.paths) // 2]
    return tuple(float(x) for x in np.mean(middle, axis=0))
