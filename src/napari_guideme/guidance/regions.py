"""Regions of the labels: how deep a click lies in its own, and when it means all of it.

Who clicks a mistake clicks its middle. If that is the middle of a region of the labels, too,
the mistake is all of that region: of 103 simulated clicks on objects that were at least 0.95
as deep in a region as its deepest pixel, the region was wrong as a whole in 96 %; where they were
less than 0.3 as deep, a tenth of it was (`docs/trials.md`). The background has no such region.
Nor have clumps of things that touch, nor what is right in the large, see
:func:`~napari_guideme.guidance.meaning.is_sure`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_guideme.guidance.distances import within

#: The class of what is no thing: how large it is says nothing.
BACKGROUND = 0

#: How deep a region is at least, beside the side of a square as large. What is less so is a
#: string or a clump of things, of which a click means one.
COMPACT = 0.2


@dataclass(frozen=True)
class Region:
    """Pixels that follow one hinted pixel as it does itself, or more, or less.

    Attributes
    ----------
    owner
        Number of the hinted pixel in its support.
    start
        First pixel of the box around the region, along each axis.
    mask
        Its pixels in that box, (*spatial).
    share
        What they get of the weight of the hinted pixel, (*spatial) in that box; all of it if
        nothing is said.
    """

    owner: int
    start: tuple[int, ...]
    mask: Tensor
    share: Tensor | None = None

    @classmethod
    def around(cls, labels: Tensor, position: Tensor, owner: int) -> Region:
        """The region of the labels (*spatial) that a pixel (ndim,) lies in."""
        place = tuple(position.tolist())
        parts, _ = ndimage.label((labels == labels[place]).cpu().numpy())
        number = int(parts[place])
        box = ndimage.find_objects(parts, number)[number - 1]
        mask = torch.from_numpy(parts[box] == number).to(labels.device)
        return cls(owner, tuple(int(along.start) for along in box), mask)

    @classmethod
    def of(
        cls,
        mask: NDArray[np.bool_],
        owner: int,
        device: torch.device,
        share: Tensor | None = None,
    ) -> Region:
        """The region of some pixels (*spatial) of an image, and what each gets, (*spatial)."""
        box = ndimage.find_objects(mask.astype(np.uint8))[0]
        inside = torch.from_numpy(mask[box].copy()).to(device)
        own = None if share is None else share[box].clone()
        return cls(owner, tuple(int(along.start) for along in box), inside, own)

    @property
    def box(self) -> tuple[slice, ...]:
        """Where it lies in the image."""
        return tuple(slice(s, s + n) for s, n in zip(self.start, self.mask.shape, strict=True))

    def drawn(self, shape: Sequence[int]) -> NDArray[np.bool_]:
        """Its pixels in an image of a shape."""
        whole = np.zeros(tuple(shape), dtype=bool)
        whole[self.box] = self.mask.cpu().numpy()
        return whole

    def holds(self, positions: Tensor) -> Tensor:
        """Which pixels (n, ndim) of the image lie in it, (n,)."""
        inside = positions - positions.new_tensor(self.start)
        boxed = ((inside >= 0) & (inside < inside.new_tensor(self.mask.shape))).all(1)
        found = torch.zeros_like(boxed)
        found[boxed] = self.mask[tuple(inside[boxed].T)]
        return found

    def shares(self, positions: Tensor) -> Tensor:
        """What pixels (n, ndim) that lie in it get, (n,)."""
        if self.share is None:
            return torch.ones(len(positions), dtype=torch.float32, device=positions.device)
        return self.share[tuple((positions - positions.new_tensor(self.start)).T)]

    def follow(self, values: Tensor) -> None:
        """Let a kernel's values (*spatial) be the shares in it."""
        inside = values[self.box]
        inside[self.mask] = 1.0 if self.share is None else self.share[self.mask]


def least_depth(pixels: Tensor, spacing: Sequence[float], compact: float = COMPACT) -> Tensor:
    """How deep regions of so many pixels, (n,), are at least if they are as compact as that.

    By default, as compact as one thing is.
    """
    return compact * (pixels * math.prod(spacing)) ** (1 / len(spacing))


def numbered(labels: Tensor) -> Tensor:
    """Number the regions of labels (*spatial) from 1 on; the background is 0."""
    drawn = labels.cpu().numpy()
    numbers, last = np.zeros(drawn.shape, dtype=np.int64), 0
    for label in np.unique(drawn[drawn != BACKGROUND]):
        parts, count = ndimage.label(drawn == label)
        numbers[parts > 0] = parts[parts > 0] + last
        last += count
    return torch.from_numpy(numbers).to(labels.device)


def centrality(labels: Tensor, positions: Tensor, spacing: Sequence[float]) -> Tensor:
    """How deep pixels lie in their regions, as a share of the deepest pixel, on the CPU.

    Parameters
    ----------
    labels
        (*spatial).
    positions
        (n, ndim).
    spacing
        Size of a pixel along each axis, in typical pixels.

    Returns
    -------
    (n,) above 0 and up to 1, which it is everywhere in the background.
    """
    drawn, places = labels.cpu().numpy(), positions.cpu().numpy()
    own = drawn[tuple(places.T)]
    found = np.ones(len(places), dtype=np.float32)
    for label in np.unique(own[own != BACKGROUND]):
        chosen = own == label
        at = tuple(places[chosen].T)
        parts, number = ndimage.label(drawn == label)
        depth = within(drawn == label, spacing)
        deepest = np.asarray(ndimage.maximum(depth, parts, range(number + 1)))
        found[chosen] = depth[at] / deepest[parts[at]]
    return torch.from_numpy(found)
