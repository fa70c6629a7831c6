"""Following a thing through a volume: what a click turned is found again, slice by slice.

A click on a thing that the network calls by the wrong name turns all of it. The kernel does not
reach as far on other slices, but the thing goes on there: as those parts of the network's own
labels that overlap it, moved as the image moves. It is followed for as long as it overlaps what
was found of it on the last slice and looks like what was turned, and no more like what kept that
label, of which the user saw that it is right. What was missed altogether is no such part, see
:mod:`napari_guideme.guidance.regions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_guideme.guidance.features import alike
from napari_guideme.guidance.regions import BACKGROUND, Region
from napari_guideme.guidance.scene import Scene, winning
from napari_guideme.guidance.support import Support

#: Pixels of a thing, at least.
LEAST = 12

#: Of a part of the next slice's labels so much lies in the thing if all of it belongs to it.
INSIDE = 0.5

#: So much of a thing, moved there, and of what is found of it on the next slice overlaps, at least.
OVERLAP = 0.3

#: Similarity to what was turned from which on a thing begins to fit, and fits wholly;
#: and where nothing was left with the same label that it could be told from.
FITS, FITS_ALONE = (0.8, 0.9), (0.85, 0.95)

#: It still fits if it is so much more like what was left than what was turned is; from the
#: second on it no longer does.
TOWARDS = (0.1, 0.2)

#: So much of a part of the labels turned, at least, if it turned as a whole: what was cut out
#: of a larger one is found on no other slice.
WHOLE = 0.8

#: A fit that is none.
_LOST = 0.02

#: Pixels that tell how a thing looks.
_SAMPLED = 200

Mask = NDArray[np.bool_]

#: Where a thing of one slice lies on the next: from its mask (rows, columns) to that there.
Motion = Callable[[Mask], Mask]


@dataclass(frozen=True)
class Thing:
    """What one hinted pixel turned, where it lies on a slice.

    Attributes
    ----------
    region
        Its pixels on the slice; the owner is the number of the hinted pixel.
    label
        The network's own class of it.
    turned
        How it looked where it was turned, for each level (C,).
    left
        How what kept that label looked there; nothing where there was none.
    fit
        How far it fits the slice, from 0 to 1.
    """

    region: Region
    label: int
    turned: tuple[Tensor, ...]
    left: tuple[Tensor, ...] = ()
    fit: float = 1.0

    def owned(self, owner: int) -> Thing:
        """Return it as that of another hinted pixel."""
        return replace(self, region=replace(self.region, owner=owner))

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Thing:
        """Return it with all of its tensors changed."""
        turned, left = (tuple(map(change, levels)) for levels in (self.turned, self.left))
        region = replace(self.region, mask=change(self.region.mask))
        return replace(self, region=region, turned=turned, left=left)

    def followed(self, scene: Scene, motion: Motion, *, check: bool = True) -> Thing | None:
        """Find it on the next slice; ``None`` if it is not there.

        Parameters
        ----------
        scene
            The slice.
        motion
            How things move to it.
        check
            Whether it must look alike, too.
        """
        mask = _found(motion(self.region.drawn(scene.shape)), _labels(scene) == self.label)
        if mask is None:
            return None
        here = _looks(scene, mask)
        fit = min(self.fit, self._likeness(here)) if check else self.fit
        region = Region.of(mask, self.region.owner, self.region.mask.device)
        return replace(self, region=region, fit=fit) if fit > _LOST else None

    def _likeness(self, here: tuple[Tensor, ...]) -> float:
        """How far what looks like this may be followed, from 0 to 1."""
        similarity = float(alike(here, self.turned))
        if not self.left:
            return _share(similarity, FITS_ALONE)
        nearer = float(alike(here, self.left)) - float(alike(self.turned, self.left))
        return min(_share(similarity, FITS), 1 - _share(nearer, TOWARDS))


def things(scene: Scene, support: Support, labels: Tensor) -> Iterator[Thing]:
    """Yield what hints turned, one thing for all hints in it.

    Parameters
    ----------
    scene
        Where they were given.
    support
        Of the hints.
    labels
        What they led to, (*spatial).
    """
    own, now = _labels(scene), labels.cpu().numpy()
    taken = np.zeros(own.shape, dtype=bool)
    for owner in support.weights.argsort(descending=True, stable=True).tolist():
        place = tuple(support.positions[owner].tolist())
        label, holds = own[place], now[place] == int(support.classes[owner])
        if not holds or label in (BACKGROUND, now[place]) or taken[place]:
            continue
        turned = (own == label) & (now == now[place])
        mask, part = _around(turned, place), _around(own == label, place)
        taken |= mask
        if mask.sum() < max(LEAST, WHOLE * part.sum()):
            continue
        left = (own == label) & (now == label)
        looks = _looks(scene, left) if left.sum() >= LEAST else ()
        region = Region.of(mask, owner, labels.device)
        yield Thing(region, int(label), _looks(scene, mask), looks)


def _around(mask: Mask, place: tuple[int, ...]) -> Mask:
    """The connected part of a mask that a pixel lies in."""
    parts, _ = ndimage.label(mask)
    around: Mask = parts == parts[place]
    return around


def _found(before: Mask, alike: Mask) -> Mask | None:
    """What is found again of a thing among pixels of its label, ``None`` if it is another."""
    parts, count = ndimage.label(alike)
    sizes, shared = (
        np.bincount(part.ravel(), minlength=count + 1) for part in (parts, parts[before])
    )
    whole = shared >= INSIDE * sizes
    whole[0] = False
    mask: Mask = whole[parts] | (alike & before)
    together, either = int((mask & before).sum()), int((mask | before).sum())
    return mask if mask.sum() >= LEAST and together >= OVERLAP * either else None


def _looks(scene: Scene, mask: Mask) -> tuple[Tensor, ...]:
    """Mean features of some pixels of a scene, for each level (C,)."""
    places = torch.from_numpy(np.argwhere(mask))
    chosen = torch.linspace(0, len(places) - 1, min(len(places), _SAMPLED)).round().long()
    return tuple(level.mean(0) for level in scene.features.at(places[chosen]))


def _labels(scene: Scene) -> NDArray[np.int64]:
    labels: NDArray[np.int64] = winning(scene.logits).cpu().numpy()
    return labels


def _share(value: float, limits: tuple[float, float]) -> float:
    low, high = limits
    return min(1.0, max(0.0, (value - low) / (high - low)))
