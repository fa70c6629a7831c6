"""From the courses of many corrected images to one table of figures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from napari_guideme.errors import InputError
from napari_guideme.evaluation.scores import (
    Confusion,
    foreground_iou,
    mean_iou,
    pixel_accuracy,
)

logger = logging.getLogger(__name__)

#: A hint does harm when the mean IoU of its image falls by more than this.
HARM = 0.01


@dataclass(frozen=True)
class Course:
    """How one image was corrected.

    Attributes
    ----------
    confusions
        Before the first hint and after each.
    seconds
        Of each hint.
    unmet
        How many hints were not satisfied in the end.
    forward
        Seconds of one pass of the whole network.
    """

    confusions: list[Confusion]
    seconds: list[float]
    unmet: int
    forward: float

    @property
    def harmful(self) -> int:
        """How many hints did harm."""
        ious = [mean_iou(counts) for counts in self.confusions]
        return sum(before - after > HARM for before, after in pairwise(ious))


@dataclass(frozen=True)
class KindResult:
    """Figures for one kind of image, see `Result`."""

    n_images: int
    foreground_iou: dict[str, float]
    harm_rate: float


@dataclass(frozen=True)
class Result:
    """What a simulated user achieved.

    Attributes
    ----------
    network, method, protocol, ask, operation, hints, seed
        What was evaluated; `ask` is the rule that chose the questions and
        `operation` what was spoken of, ``None`` without any, `hints` the number
        given per image at most.
    n_images
        How many images.
    miou, pixel_accuracy
        Of all images together, by number of hints: from the sum of their
        confusion matrices, mean over the classes in truth or labels.
    foreground_iou
        Mean over images of the IoU of all that is not background, by number of
        hints.
    by_kind
        Some of these for each kind of image, if the data name kinds.
    harm_rate
        Share of hints after which the mean IoU of their own image fell by more
        than one point.
    unmet
        How many hints were not satisfied in the end.
    seconds_per_hint
        From a hint to new labels, median over hints; ``None`` without hints.
    seconds_per_forward
        One pass of the whole network over the prepared image, median over
        images.
    """

    network: str
    method: str
    protocol: str
    ask: str | None
    operation: str | None
    hints: int
    seed: int
    n_images: int
    miou: dict[str, float]
    pixel_accuracy: dict[str, float]
    foreground_iou: dict[str, float]
    by_kind: dict[str, KindResult]
    harm_rate: float
    unmet: int
    seconds_per_hint: float | None
    seconds_per_forward: float

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        rows = [
            f"{count:>5}  {self.miou[count]:6.1%}  {self.pixel_accuracy[count]:8.1%}  "
            f"{self.foreground_iou[count]:10.1%}"
            for count in self.miou
        ]
        seconds = "" if self.seconds_per_hint is None else f"{self.seconds_per_hint:.2f} s a hint, "
        about = self.ask or self.operation
        asked = f" ({about})" if about else ""
        return "\n".join(
            [
                f"{self.network}, {self.method}, {self.protocol}{asked}, {self.n_images} images",
                "hints    mIoU  accuracy  foreground",
                *rows,
                f"{self.harm_rate:.1%} of hints did harm, {self.unmet} were not satisfied",
                f"{seconds}{self.seconds_per_forward:.2f} s a forward pass",
            ]
        )


@dataclass
class _Group:
    """Sums over the images of one kind."""

    foreground: list[list[float]] = field(default_factory=list)
    harmful: int = 0
    given: int = 0

    def add(self, confusions: list[Confusion], course: Course) -> None:
        self.foreground.append([foreground_iou(counts) for counts in confusions])
        self.harmful += course.harmful
        self.given += len(course.seconds)

    def result(self) -> KindResult:
        means = np.mean(self.foreground, axis=0).tolist()
        return KindResult(len(self.foreground), _by_hints(means), self.harmful / max(self.given, 1))


class Tally:
    """Sums over all images; its size does not grow with the images' sizes.

    Parameters
    ----------
    n_hints
        Hints per image at most.
    n_classes
        Classes of the network.
    """

    def __init__(self, n_hints: int, n_classes: int) -> None:
        self._n_hints = n_hints
        self._pooled = np.zeros((n_hints + 1, n_classes, n_classes), dtype=np.int64)
        self._all = _Group()
        self._kinds: dict[str, _Group] = {}
        self._seconds: list[float] = []
        self._forwards: list[float] = []
        self._unmet = 0

    def add(self, course: Course, kind: str | None) -> None:
        """Count one image, of some kind."""
        last = course.confusions[-1]
        confusions = course.confusions + [last] * (self._n_hints + 1 - len(course.confusions))
        for pooled, counts in zip(self._pooled, confusions, strict=True):
            pooled += counts
        self._all.add(confusions, course)
        if kind is not None:
            self._kinds.setdefault(kind, _Group()).add(confusions, course)
        self._seconds += course.seconds
        self._forwards.append(course.forward)
        self._unmet += course.unmet

    def result(self, about: dict[str, Any]) -> Result:
        """Return the figures; `about` says what was evaluated."""
        if not self._forwards:
            raise InputError("there is no image to evaluate")
        if not self._pooled[0, 1:].any():
            logger.warning("no pixel of the truth is of a class of objects of the network")
        everything = self._all.result()
        return Result(
            **about,
            hints=self._n_hints,
            n_images=everything.n_images,
            miou=_by_hints([mean_iou(counts) for counts in self._pooled]),
            pixel_accuracy=_by_hints([pixel_accuracy(counts) for counts in self._pooled]),
            foreground_iou=everything.foreground_iou,
            by_kind={kind: group.result() for kind, group in sorted(self._kinds.items())},
            harm_rate=everything.harm_rate,
            unmet=self._unmet,
            seconds_per_hint=median(self._seconds) if self._seconds else None,
            seconds_per_forward=median(self._forwards),
        )


def _by_hints(figures: Sequence[float]) -> dict[str, float]:
    return {str(count): figure for count, figure in enumerate(figures)}
