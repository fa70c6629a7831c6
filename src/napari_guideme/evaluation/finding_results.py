"""From single searches to figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Sought:
    """How well one class was found in one image.

    Attributes
    ----------
    image, name
        Of the image and the class.
    several
        Whether the image shows other classes, too.
    pointed
        Whether the highest value of the map lies on the class.
    boxed
        Whether the box around what was found fits an object of the class.
    common, either
        Pixels of both class and what was found, and of any of them.
    """

    image: str
    name: str
    several: bool
    pointed: bool
    boxed: bool
    common: int
    either: int


@dataclass(frozen=True)
class Figures:
    """Figures over some classes of some images; see `NamesResult`."""

    n_images: int
    n_sought: int
    pointing_error: float | None
    box_error: float | None
    miou: float | None

    @classmethod
    def of(cls, sought: Sequence[Sought]) -> Figures:
        """Sum up; there are no errors where nothing was sought."""
        if not sought:
            return cls(0, 0, None, None, None)
        classes = sorted({one.name for one in sought})
        return cls(
            n_images=len({one.image for one in sought}),
            n_sought=len(sought),
            pointing_error=float(np.mean([not one.pointed for one in sought])),
            box_error=float(np.mean([not one.boxed for one in sought])),
            miou=float(np.mean([_iou([s for s in sought if s.name == c]) for c in classes])),
        )


@dataclass(frozen=True)
class NamesResult:
    """What was found by name.

    Attributes
    ----------
    classifier, method, outline, views, by, least_pixels
        What was evaluated, see `evaluation.finding`.
    overall
        n_images, n_sought
            In how many images, how often a class was sought in an image.
        pointing_error
            Share where the highest value of the map is not on the class.
        box_error
            Share where the box around what was found fits no object of the class.
        miou
            Intersection over union of the pixels of a class in all its images, mean
            over classes.
    several_objects
        The same in images that show several classes, also such as nothing stands in for.
    by_class
        The same for each class.
    without_stand_ins
        Classes that were not sought, as no label stands in for them, and how often; they
        count for nothing above.
    """

    classifier: str
    method: str
    outline: str
    views: int
    by: str
    least_pixels: int
    overall: Figures
    several_objects: Figures
    by_class: dict[str, Figures]
    without_stand_ins: dict[str, int]

    @classmethod
    def of(cls, sought: Sequence[Sought], **about: Any) -> NamesResult:
        """Sum up at least one search."""
        return cls(
            overall=Figures.of(sought),
            several_objects=Figures.of([one for one in sought if one.several]),
            by_class={
                name: Figures.of([one for one in sought if one.name == name])
                for name in sorted({one.name for one in sought})
            },
            **about,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values; those of all images stand beside the rest."""
        told = asdict(self)
        overall = told.pop("overall")
        return {"protocol": "names", **told, **overall}

    def __str__(self) -> str:
        lines = [f"{self.classifier}, {self.method}, names, outlined by {self.outline}"]
        for what, found in (("all", self.overall), ("several classes", self.several_objects)):
            if found.n_sought:
                lines.append(
                    f"{what}: {found.n_sought} in {found.n_images} images, pointing error "
                    f"{found.pointing_error:.1%}, box error {found.box_error:.1%}, "
                    f"mean IoU {found.miou:.1%}"
                )
        if self.without_stand_ins:
            named = ", ".join(f"{name} ({n})" for name, n in self.without_stand_ins.items())
            lines.append(f"nothing stands in for {named}")
        return "\n".join(lines)


def _iou(sought: Sequence[Sought]) -> float:
    return sum(one.common for one in sought) / sum(one.either for one in sought)
