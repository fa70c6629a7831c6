"""Interaction maps: what a network is told besides the image, by clicks or by a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_guideme.errors import InputError

Kind = Literal["distance", "disc", "saliency"]

#: The node of the graph where maps of saliency enter.
MAPS = "maps"


@dataclass(frozen=True)
class InteractionMaps:
    """Which maps a network takes behind the channels of its image.

    First the map of the object, then that of the background, then, if the
    network takes one, the mask that is to be improved.

    Parameters
    ----------
    kind
        ``"distance"``: ``tanh(d / reach)`` of the Euclidean distance *d* to the
        nearest hinted pixel, 1 without any. ``"disc"``: 1 where *d* is at most
        `reach`, else 0. ``"saliency"``: two maps from 0 to 1 that come with the
        image, of what to find and of what else is there; clicks move them.
    reach
        In pixels of the network's input.
    previous
        Whether the network takes the probability of the object so far.
    side
        Longest side of the network's input, to which the part of the image that
        is worked on is shrunk or stretched.

    References
    ----------
    Jang and Kim, CVPR 2019, section 3.1 (distances). Benenson et al., CVPR 2019
    (discs). Golub et al., *Leveraging Pretrained Image Classifiers for
    Language-Based Segmentation*, 2019, section 3.2 (saliency).
    """

    kind: Kind = "distance"
    reach: float = 24.0
    previous: bool = True
    side: int = 256

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError(
                f"interaction maps of kind {self.kind!r} are unknown; "
                f"choose {', '.join(get_args(Kind))}"
            )
        if not isinstance(self.reach, int | float) or not 0 < self.reach < np.inf:
            raise InputError(f"the reach {self.reach!r} of interaction maps is no positive number")
        if not isinstance(self.side, int) or self.side < 1:
            raise InputError(f"side = {self.side!r} is not a positive whole number")
        if not isinstance(self.previous, bool):
            raise InputError(f"previous = {self.previous!r} is neither true nor false")

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> InteractionMaps:
        """Read the table of a card; unknown keys are refused."""
        known = asdict(cls())
        if unknown := set(entries) - set(known):
            raise InputError(
                f"unknown interaction {', '.join(sorted(unknown))}; known are {', '.join(known)}"
            )
        return cls(**entries)

    @property
    def are_drawn(self) -> bool:
        """Whether the maps show clicks: a network is silent without them."""
        return self.kind != "saliency"

    @property
    def count(self) -> int:
        """Number of maps."""
        return 3 if self.previous else 2

    def draw(self, distance: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map the distances to hinted pixels to what the network was trained on."""
        if self.kind == "disc":
            return (distance <= self.reach).astype(np.float32)
        drawn: NDArray[np.float32] = np.tanh(distance / np.float32(self.reach))
        return drawn


def distances(
    positions: NDArray[np.integer], shape: Sequence[int], spacing: Sequence[float] | None = None
) -> NDArray[np.float32]:
    """Euclidean distance of every pixel to the nearest of some pixels, infinite without any.

    Parameters
    ----------
    positions
        (n, ndim) pixels.
    shape
        Of the map.
    spacing
        Size of a pixel along each axis, 1 by default.
    """
    if not len(positions):
        return np.full(shape, np.inf, dtype=np.float32)
    away = np.ones(shape, dtype=bool)
    away[tuple(np.asarray(positions).T)] = False
    distance: NDArray[np.float32] = ndimage.distance_transform_edt(away, spacing).astype(np.float32)
    return distance
