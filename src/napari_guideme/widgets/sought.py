"""What is looked for in an image: to the widget a network like any other, with two classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_guideme.localize import DEFAULT_FINDING
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER
from napari_guideme.referring import PROXIES, REFERRING
from napari_guideme.widgets.known import Known
from napari_guideme.widgets.slices import Slice

if TYPE_CHECKING:
    from napari_guideme.localize.finding import Found
    from napari_guideme.referring.following import Followed
    from napari_guideme.session import GuideSession

#: Who answers; `which_answers` decides unless the user did.
AUTOMATIC, BY_SENTENCE, BY_NAME = "automatic", REFERRING, PROXIES


@dataclass(frozen=True)
class Query:
    """What is typed, and what shall answer it.

    Attributes
    ----------
    text
        A name or a sentence.
    answering
        Who answers: `AUTOMATIC`, `BY_SENTENCE` or `BY_NAME`.
    classifier, method
        Of names: whose labels stand in, and which of the `FINDING_NAMES`.
    referring
        Of sentences: the bundled network, or the path of a file.
    """

    text: str = ""
    answering: str = AUTOMATIC
    classifier: str = DEFAULT_CLASSIFIER
    method: str = DEFAULT_FINDING
    referring: str = REFERRING


@dataclass(frozen=True, eq=False, kw_only=True)
class Sought(Known, ABC):
    """Something that is looked for, in any image, one slice after the other.

    Looked for in another way it is another `Sought` of the same label.
    """

    #: What is told while it is looked for, with steps done and steps in all.
    doing: ClassVar[str]

    @property
    def carries(self) -> bool:
        """Each slice is looked at by itself."""
        return False

    @property
    @abstractmethod
    def way(self) -> Hashable:
        """All that decides what is found in an image."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """Of which looking consists."""

    @abstractmethod
    def begin(self, part: Slice, device: str) -> tuple[Found | Followed, GuideSession]:
        """Look for it in a slice, and open a session on what was found; this takes seconds."""

    def finds_as(self, other: Sought | None) -> bool:
        """Whether another one finds the same in every image."""
        return type(self) is type(other) and other is not None and self.way == other.way


def channel_axis(part: Slice) -> int | None:
    """Return the axis of colours of a slice."""
    return -1 if part.layer.rgb else None


def as_seen(part: Slice) -> NDArray[Any]:
    """Read a slice as it is seen: who knows photographs knows not what a camera counts."""
    pixels, limits = part.pixels(), limits_of(part)
    if limits is None or not np.isfinite(pixels).all():
        return pixels
    low, high = limits
    seen: NDArray[np.uint8] = np.clip(
        255 * (pixels.astype(np.float32) - low) / (high - low or 1), 0, 255
    ).astype(np.uint8)
    return seen


def limits_of(part: Slice) -> tuple[float, float] | None:
    """Values that are seen black and white; colours are seen as they are."""
    if part.layer.rgb:
        return None
    low, high = part.layer.contrast_limits
    return float(low), float(high)
