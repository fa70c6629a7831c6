"""From the courses of many clicked objects to numbers of clicks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from napari_guideme.errors import InputError


@dataclass(frozen=True)
class Clicked:
    """How one object was outlined.

    Attributes
    ----------
    image
        Name of its image.
    kind
        Of the image, if the data name kinds.
    ious
        After each click.
    seconds
        Of each click.
    unmet
        After each click, how many clicked pixels do not have the label given.
    """

    image: str
    kind: str | None
    ious: tuple[float, ...]
    seconds: tuple[float, ...]
    unmet: tuple[int, ...]

    def clicks_to(self, iou: float) -> int | None:
        """Return how many clicks it took to reach an IoU, ``None`` if it was not reached."""
        return next((n for n, reached in enumerate(self.ious, start=1) if reached >= iou), None)


@dataclass(frozen=True)
class Clicks:
    """Figures for some objects, see `NocResult`."""

    n_images: int
    n_objects: int
    noc85: float
    noc90: float
    failures85: int
    failures90: int
    mean_iou_by_click: dict[str, float]
    unmet: float

    @classmethod
    def of(cls, courses: Sequence[Clicked], n_clicks: int) -> Clicks:
        """Sum up at least one course, of so many clicks at most."""
        to85, to90 = ([course.clicks_to(iou) for course in courses] for iou in (0.85, 0.9))
        # An object has a click: no pixel of it was found before.
        ious = [c.ious + c.ious[-1:] * (n_clicks - len(c.ious)) for c in courses]
        checks = sum(len(c.ious) * (len(c.ious) + 1) // 2 for c in courses)
        return cls(
            n_images=len({course.image for course in courses}),
            n_objects=len(courses),
            noc85=_mean(to85, n_clicks),
            noc90=_mean(to90, n_clicks),
            failures85=to85.count(None),
            failures90=to90.count(None),
            mean_iou_by_click={
                str(n): float(iou) for n, iou in enumerate(np.mean(ious, axis=0), start=1)
            },
            unmet=sum(sum(course.unmet) for course in courses) / checks,
        )


@dataclass(frozen=True)
class SecondsPerClick:
    """From a click to new labels."""

    median: float
    percentile95: float


@dataclass(frozen=True)
class NocResult:
    """How many clicks a simulated user needed.

    Attributes
    ----------
    network, method, hints, least_pixels, objects_per_image, seed
        What was evaluated; `hints` is the number of clicks per object at most,
        `least_pixels` the size of the smallest objects that count,
        `objects_per_image` how many were drawn of each image, ``None`` for all.
    overall
        n_images, n_objects
            How many objects, in how many images.
        noc85, noc90
            Number of clicks until an object's IoU was 0.85 and 0.9, mean over
            objects; where it never was, it is `hints`.
        failures85, failures90
            Objects where it never was.
        mean_iou_by_click
            Mean over objects after each click; a finished object keeps its last.
        unmet
            Of all clicks, counted again after every click on the same object,
            the share whose pixel did not have the label given.
    by_kind
        The same for each kind of image, if the data name kinds.
    seconds_per_click
        From a click to new labels, over all clicks.
    """

    network: str
    method: str
    hints: int
    least_pixels: int
    objects_per_image: int | None
    seed: int
    overall: Clicks
    by_kind: dict[str, Clicks]
    seconds_per_click: SecondsPerClick

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values; those of all objects stand beside the rest."""
        told = asdict(self)
        overall = told.pop("overall")
        return {"protocol": "noc", **told, **overall}

    def __str__(self) -> str:
        counted = self.overall
        shown = [n for n in (1, 2, 3, 5, 10, 20) if n <= self.hints]
        ious = ", ".join(f"{counted.mean_iou_by_click[str(n)]:.1%}" for n in shown)
        return "\n".join(
            [
                f"{self.network}, {self.method}, noc, {counted.n_objects} objects in "
                f"{counted.n_images} images",
                f"NoC@85 {counted.noc85:.2f} ({counted.failures85} failed), "
                f"NoC@90 {counted.noc90:.2f} ({counted.failures90} failed)",
                f"mean IoU after {', '.join(map(str, shown))} clicks: {ious}",
                f"{counted.unmet:.2%} of clicks were not met, "
                f"{self.seconds_per_click.median:.2f} s a click "
                f"(95 % within {self.seconds_per_click.percentile95:.2f} s)",
            ]
        )


def summed(courses: Sequence[Clicked], about: dict[str, Any]) -> NocResult:
    """Sum up the courses of all objects; `about` says what was evaluated."""
    if not courses:
        raise InputError(f"there is no object of {about['least_pixels']} pixels or more")
    kinds = sorted({course.kind for course in courses if course.kind is not None})
    seconds = [spent for course in courses for spent in course.seconds]
    return NocResult(
        **about,
        overall=Clicks.of(courses, about["hints"]),
        by_kind={
            kind: Clicks.of([c for c in courses if c.kind == kind], about["hints"])
            for kind in kinds
        },
        seconds_per_click=SecondsPerClick(
            float(np.median(seconds)), float(np.percentile(seconds, 95))
        ),
    )


def _mean(clicks: Sequence[int | None], on_failure: int) -> float:
    return float(np.mean([on_failure if n is None else n for n in clicks]))
