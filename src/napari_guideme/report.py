"""What became of the hints of a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_guideme.hints import HintPixels, TextHint
from napari_guideme.spacing import longest

#: A changed pixel is far when it is further from every hint than this share of
#: the image's longest side.
FAR = 0.1

#: A scribble is satisfied when this share of its pixels has its class.
SATISFIED_SHARE = 0.95


@dataclass(frozen=True)
class Report:
    """What became of the hints.

    Attributes
    ----------
    satisfied, hints
        How many hints are satisfied, of how many.
    unmet
        Indices of those that are not.
    changed_pixels, far_pixels
        Pixels whose class differs from the network's own, and how many of them
        are far from every mark and from every place that was told.
    seconds
        Duration of the last refinement.
    """

    satisfied: int
    hints: int
    unmet: tuple[int, ...]
    changed_pixels: int
    far_pixels: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def reported(
    satisfied: Sequence[bool],
    changed: NDArray[np.bool_],
    pixels: HintPixels,
    seconds: float,
    spacing: Sequence[float],
    texts: Sequence[TextHint] = (),
    whole: Sequence[int] | None = None,
) -> Report:
    """Count what became of hints.

    Parameters
    ----------
    satisfied
        Whether each of them is.
    changed
        Pixels that they changed, (*spatial).
    pixels
        Those that they cover.
    seconds
        Duration of the refinement.
    spacing
        Size of a pixel along each axis.
    texts
        Hints in words.
    whole
        Shape of the image if `changed` is a part of it, whose pixels are counted from its start.
    """
    away = _away(pixels, texts, changed.shape, spacing)
    far = changed & (away > FAR * longest(whole or changed.shape, spacing))
    return Report(
        satisfied=sum(satisfied),
        hints=len(satisfied),
        unmet=tuple(i for i, met in enumerate(satisfied) if not met),
        changed_pixels=int(changed.sum()),
        far_pixels=int(far.sum()),
        seconds=seconds,
    )


def agreeing(labels: NDArray[np.integer], pixels: HintPixels, count: int) -> list[bool]:
    """Whether labels agree with each of `count` hints; an overruled one does not ask."""
    agrees = labels[tuple(pixels.positions.T)] == pixels.classes
    own = [agrees[pixels.owners == owner] for owner in range(count)]
    return [not len(a) or bool(a.mean() >= SATISFIED_SHARE) for a in own]


def _away(
    pixels: HintPixels, texts: Sequence[TextHint], shape: Sequence[int], spacing: Sequence[float]
) -> NDArray[np.floating]:
    """How far every pixel is from the nearest hint, in units of the spacing."""
    free = np.ones(shape, dtype=bool)
    free[tuple(pixels.positions.T)] = False
    for text in texts:
        free &= ~text.mask(shape)
    if free.all():
        return np.full(shape, np.inf)
    distance: NDArray[np.floating] = ndimage.distance_transform_edt(free, spacing)
    return distance
