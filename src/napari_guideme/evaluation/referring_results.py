"""How well sentences find what they refer to: from single sentences to figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.referring.claims import KINDS, Kind

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)

#: Among so many objects of its class one has to be picked.
FEWEST, MOST = 2, 6


@dataclass(frozen=True)
class Outcome:
    """How what was found compares with the objects of an image.

    Attributes
    ----------
    common, either
        Pixels of both the right object and what was found, and of any of them.
    other
        Highest intersection over union with any other object.
    """

    common: int
    either: int
    other: float = 0.0

    @property
    def iou(self) -> float:
        """Intersection over union with the right object."""
        return self.common / self.either

    @property
    def is_nearest(self) -> bool:
        """Whether no other object fits as well."""
        return self.iou > self.other

    @property
    def is_picked(self) -> bool:
        """Whether it fits, too."""
        return self.is_nearest and self.iou > THRESHOLDS[0]


def compared(mask: NDArray[np.bool_], ids: NDArray[np.integer], object_id: int) -> Outcome:
    """Compare what was found with the objects (rows, columns), one of which is the right one."""
    sizes = np.bincount(ids.ravel())
    common = np.bincount(ids[mask], minlength=len(sizes))
    either = sizes + np.count_nonzero(mask) - common
    ious = common / np.maximum(either, 1)
    ious[[0, object_id]] = 0
    return Outcome(int(common[object_id]), int(either[object_id]), float(ious.max()))


@dataclass(frozen=True)
class Referred:
    """A sentence, and what it found.

    Attributes
    ----------
    image
        Stem of the image.
    kinds
        What the sentence tells the object by.
    candidates
        How many objects of its class there are.
    outcome
        What was found.
    """

    image: str
    kinds: tuple[Kind, ...]
    candidates: int
    outcome: Outcome

    @property
    def says_where(self) -> bool:
        """Whether it says a place or a relation and there are two to six candidates."""
        where = not {"place", "relation"}.isdisjoint(self.kinds)
        return where and FEWEST <= self.candidates <= MOST


@dataclass(frozen=True)
class Figures:
    """Figures over some sentences; ``None`` where there are none.

    Attributes
    ----------
    n, n_images
        How many sentences, on how many images.
    miou
        Intersection over union of all pixels of all sentences together, as in the paper.
    mean_iou
        Mean over sentences.
    prec
        Share of sentences with a higher IoU than so much.
    pick_accuracy
        Share with an IoU over 0.5, and with no other object a higher one.
    nearest
        Share with a higher IoU than with any other object, however low.
    """

    n: int
    n_images: int
    miou: float | None
    mean_iou: float | None
    prec: dict[str, float | None]
    pick_accuracy: float | None
    nearest: float | None

    @classmethod
    def of(cls, said: Sequence[Referred]) -> Figures:
        """Sum up."""
        found = [one.outcome for one in said]
        ious = [one.iou for one in found]
        return cls(
            n=len(said),
            n_images=len({one.image for one in said}),
            miou=_share(sum(o.common for o in found), sum(o.either for o in found)),
            mean_iou=_mean(ious),
            prec={str(t): _mean([iou > t for iou in ious]) for t in THRESHOLDS},
            pick_accuracy=_mean([o.is_picked for o in found]),
            nearest=_mean([o.is_nearest for o in found]),
        )

    def row(self, name: str) -> str:
        """One line of a table; see `HEADING`."""
        shares = (self.miou, self.mean_iou, *self.prec.values(), self.pick_accuracy, self.nearest)
        told = " ".join(f"{'-' if share is None else f'{share:.1%}':>7}" for share in shares)
        return f"{name:<32} {self.n:>5} {told}"


HEADING = f"{'':<32} {'n':>5} " + " ".join(
    f"{name:>7}" for name in ("mIoU", "mean", *(f"@{t}" for t in THRESHOLDS), "pick", "nearest")
)


@dataclass(frozen=True)
class Summary:
    """Figures of all sentences and of some.

    Attributes
    ----------
    overall
        Of all.
    by_kind
        Of those that tell an object by one thing, perhaps among others.
    by_candidates
        By how many objects of the class there are, ``"1"`` to ``"6"`` and ``"more"``.
    place_or_relation
        Of sentences that say a place or a relation, where there are 2 to 6 candidates.
    """

    overall: Figures
    by_kind: dict[str, Figures]
    by_candidates: dict[str, Figures]
    place_or_relation: Figures

    @classmethod
    def of(cls, said: Sequence[Referred]) -> Summary:
        """Sum up."""
        counted = [_number(one.candidates) for one in said]
        return cls(
            Figures.of(said),
            {kind: Figures.of([one for one in said if kind in one.kinds]) for kind in KINDS},
            {
                number: Figures.of([o for o, n in zip(said, counted, strict=True) if n == number])
                for number in map(_number, range(1, MOST + 2))
            },
            Figures.of([one for one in said if one.says_where]),
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values; those of all sentences stand beside the rest."""
        told = asdict(self)
        return {**told.pop("overall"), **told}


@dataclass(frozen=True)
class ClickedAfter:
    """What clicks bring after sentences.

    Attributes
    ----------
    method
        That follows the clicks.
    mean_iou
        After 0, 1, 2, ... clicks, mean over sentences.
    n
        How many sentences.
    """

    method: str
    mean_iou: tuple[float, ...]
    n: int


@dataclass(frozen=True)
class ReferringResult:
    """What sentences found.

    Attributes
    ----------
    about
        What was evaluated.
    summary
        Of the network.
    baselines
        By name, what was compared and its figures on the same sentences.
    left_out
        How many sentences a baseline could say nothing about, by its name.
    clicks
        What clicks brought after that, if there were any.
    """

    about: Mapping[str, Any]
    summary: Summary
    baselines: Mapping[str, Summary] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    clicks: ClickedAfter | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {
            "protocol": "referring",
            **self.about,
            **self.summary.to_json(),
            "baselines": {
                name: {"left_out": self.left_out.get(name, 0), **summary.to_json()}
                for name, summary in self.baselines.items()
            },
            "clicks": asdict(self.clicks) if self.clicks else None,
        }

    def __str__(self) -> str:
        about, own = self.about, self.summary
        folds = "1 fold" if about["folds"] == 1 else f"{about['folds']} folds"
        parts = {
            "all": own.overall,
            **own.by_kind,
            **{f"candidates: {n}": part for n, part in own.by_candidates.items()},
            f"place or relation, {FEWEST}-{MOST} candidates": own.place_or_relation,
        }
        for name, summary in self.baselines.items():
            parts[f"{name}: all"] = summary.overall
            parts[f"{name}: place or relation"] = summary.place_or_relation
        lines = [
            f"{about['network']}, {folds}: {own.overall.n} sentences on "
            f"{own.overall.n_images} images, {about['expressions']}",
            HEADING,
            *(part.row(name) for name, part in parts.items() if part.n),
        ]
        lines += [
            f"{name}: {n} sentences left out, no bundled network knows the class"
            for name, n in self.left_out.items()
            if n
        ]
        if self.clicks:
            ious = ", ".join(f"{iou:.1%}" for iou in self.clicks.mean_iou)
            lines.append(
                f"mean IoU after 0 to {len(self.clicks.mean_iou) - 1} clicks by "
                f"{self.clicks.method}, {self.clicks.n} sentences: {ious}"
            )
        return "\n".join(lines)


def _number(n: int) -> str:
    return str(n) if n <= MOST else "more"


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
