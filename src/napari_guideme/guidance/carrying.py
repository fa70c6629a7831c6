"""Carrying a correction on: what hints found on one slice acts on others, while it fits.

The support of the residual is carried: features of the hinted pixels, their places and
weights. Within a volume the kernel gets a third axis, the distance between slices in the
plane's own unit, and a hint acts only while what lies at its place looks like what was
hinted. In another image places mean nothing: there it acts on what looks very much the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from napari_guideme.guidance.features import alike
from napari_guideme.guidance.kernel import Kernel
from napari_guideme.guidance.scene import Scene, winning
from napari_guideme.guidance.spreading import maps_at_once, spread
from napari_guideme.guidance.support import Support
from napari_guideme.guidance.tracking import Motion, Thing, things

#: A carried weight is so many times the weight at home, whose labels the user saw.
FIRMNESS = 1.55

#: Shares of the similarity that is usual between neighbouring slices: from the first on a
#: hint begins to fit, from the second on it fits wholly.
DRIFTED, ALIKE = 0.62, 0.9

#: Pixels that the usual similarity is measured on.
_SAMPLED = 400

#: Temperature of the kernel, and the reach in pixels, where places mean nothing.
ELSEWHERE, EVERYWHERE = 0.12, 1e6

#: So much of what looks alone would have changed where the user clicked must be right there.
PROVEN = 0.8

#: A share of a weight that moves nothing.
NOTHING = 0.02


@dataclass(frozen=True)
class Anchors:
    """The support of a corrected slice, with what it needs to act elsewhere.

    Attributes
    ----------
    levels
        Features of the hinted pixels, for each level (n, C).
    support
        Their places in the plane, classes, reaches and weights; no pins.
    origins
        (n,) number of the slice on which each was hinted.
    usual
        (n,) similarity that is usual between that slice and its neighbours.
    changed
        (n,) share of the pixels whose label was changed on that slice, 0 if looks alone,
        without places, would have changed others there.
    things
        What some of the pixels turned, where it lies on the slice in question; it follows
        them as a whole. Only within its volume, and not saved for others.
    """

    levels: tuple[Tensor, ...]
    support: Support
    origins: Tensor
    usual: Tensor
    changed: Tensor
    things: tuple[Thing, ...] = ()

    @classmethod
    def of(cls, scene: Scene, support: Support, index: int = 0) -> Anchors:
        """Take what a refinement found with it; pixels that weigh nothing stay behind."""
        kept = _chosen(support, support.weights > 0)
        levels = tuple(scene.features.at(kept.positions)) if len(kept) else ()
        ones = torch.ones_like(kept.weights)
        return cls(levels, kept, torch.full_like(kept.classes, index), ones, ones)

    def __len__(self) -> int:
        return len(self.support)

    def to(self, device: torch.device) -> Anchors:
        """Return them on a device."""
        moved = tuple(thing.mapped(lambda value: value.to(device)) for thing in self.things)
        return replace(self._mapped(lambda value: value.to(device)), things=moved)

    def joined(self, others: Anchors) -> Anchors:
        """Return these and others as one."""
        if not len(self) or not len(others):
            return self if len(self) else others
        pairs = zip(self.support.parts().values(), others.support.parts().values(), strict=True)
        return Anchors(
            tuple(torch.cat(pair) for pair in zip(self.levels, others.levels, strict=True)),
            Support(*(torch.cat(pair) for pair in pairs)),
            torch.cat([self.origins, others.origins]),
            torch.cat([self.usual, others.usual]),
            torch.cat([self.changed, others.changed]),
            (*self.things, *(t.owned(t.region.owner + len(self)) for t in others.things)),
        )

    def weakened(self, shares: Tensor) -> Anchors:
        """Return what is left of them with a share (n,) of their weights."""
        left = shares > NOTHING
        weaker = replace(self.support, weights=self.support.weights * shares)
        number = (left.cumsum(0) - 1).tolist()
        kept = tuple(t.owned(number[t.region.owner]) for t in self.things if left[t.region.owner])
        return replace(
            replace(self, support=weaker)._mapped(lambda value: value[left]), things=kept
        )

    def turning(self, scene: Scene, labels: Tensor) -> Anchors:
        """Return them with the things that they turned, see :func:`tracking.things`."""
        return replace(self, things=tuple(things(scene, self.support, labels)))

    def standing(self, labels: Tensor) -> Anchors:
        """Return them without the things that no later hint left as they were turned."""
        classes = self.support.classes
        kept = [
            t
            for t in self.things
            if (labels[t.region.box] == classes[t.region.owner])[t.region.mask].float().mean() > 0.5
        ]
        return replace(self, things=tuple(kept))

    def followed(self, scene: Scene, motion: Motion, *, check: bool = True) -> Anchors:
        """Return them with their things where they lie on the next slice, if they are there."""
        found = [thing.followed(scene, motion, check=check) for thing in self.things]
        return replace(self, things=tuple(thing for thing in found if thing is not None))

    def alone(self) -> Anchors:
        """Return them without things."""
        return replace(self, things=())

    def proven(self, scene: Scene, labels: Tensor) -> Anchors:
        """Return them with the share of the pixels that they may change in other images.

        Parameters
        ----------
        scene, labels
            Where they were hinted, and the labels (*spatial) that the user saw there.
        """
        if not len(self):
            return self
        own = winning(scene.logits)
        alone = winning(self.elsewhere().added(scene.logits, scene, Kernel()))
        moved = alone != own
        right = float((alone == labels)[moved].float().mean()) if moved.any() else 1.0
        share = float((labels != own).float().mean()) if right >= PROVEN else 0.0
        return replace(self, changed=torch.full_like(self.changed, share))

    def measured(self, scene: Scene, neighbours: Sequence[Scene]) -> Anchors:
        """Return them with the similarity that is usual between their slice and its neighbours."""
        random = torch.Generator().manual_seed(0)
        lengths = [torch.randint(n, (_SAMPLED,), generator=random) for n in scene.shape]
        places = torch.stack(lengths, 1).to(scene.network.device)
        own = scene.features.at(places)
        found = [alike(own, other.features.at(places)).median() for other in neighbours]
        usual = torch.stack(found).mean() if found else torch.ones(())
        return replace(self, usual=torch.full_like(self.usual, float(usual.clamp_min(0.1))))

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Anchors:
        support = Support(*(change(value) for value in self.support.parts().values()))
        levels = tuple(change(level) for level in self.levels)
        origins, usual, changed = map(change, (self.origins, self.usual, self.changed))
        return replace(
            self,
            levels=levels,
            support=support,
            origins=origins,
            usual=usual,
            changed=changed,
        )

    def elsewhere(self) -> Anchors:
        """Return them as they act in another image, where places mean nothing."""
        reaches = torch.full_like(self.support.reaches, EVERYWHERE)
        ones = torch.ones_like(reaches)
        return replace(self.alone(), support=replace(self.support, reaches=reaches, further=ones))

    def similarity(self, scene: Scene) -> Tensor:
        """How much what lies at each place in another scene looks like what was hinted, (n,)."""
        return alike(scene.features.at(self.support.positions), self.levels)

    def fit(self, scene: Scene) -> Tensor:
        """How far each fits another slice, (n,), from 0 to 1; with a thing as far as that does."""
        if not len(self):
            return self.usual
        similarity = self.similarity(scene) / self.usual
        fits = ((similarity - DRIFTED) / (ALIKE - DRIFTED)).clamp(0, 1)
        for thing in self.things:
            fits[thing.region.owner] = thing.fit
        return fits

    def likeness(self, scene: Scene) -> Tensor:
        """How much the most alike pixel of another scene looks like what was hinted, (n,)."""
        together = maps_at_once(math.prod(scene.shape))
        parts = zip(*(level.split(together) for level in self.levels), strict=True)
        return torch.cat([scene.features.maps(list(part)).flatten(1).amax(1) for part in parts])

    def beyond(self, index: int, thickness: float) -> Tensor:
        """How far each lies from a slice, (n,), in typical pixels of the plane."""
        return (self.origins - index).abs().float() * thickness

    def nearness(self, index: int, thickness: float) -> Tensor:
        """What is left of each at its place on a slice, (n,), by the distance alone.

        All of those whose thing is followed there.
        """
        away = self.beyond(index, thickness)
        near = torch.exp(-away.square() / (2 * self.support.reaches.square()))
        for thing in self.things:
            near[thing.region.owner] = 1.0
        return near

    def added(
        self, logits: Tensor, scene: Scene, kernel: Kernel, beyond: Tensor | None = None
    ) -> Tensor:
        """Add what they do to logits (K, *spatial) of another scene.

        Parameters
        ----------
        logits, scene
            Where they act.
        kernel
            Of the residual.
        beyond
            How far away they are, (n,), see :meth:`beyond`; in another image, ``None``.
        """
        acting = self.support
        if beyond is None:
            kernel = replace(kernel, temperature=ELSEWHERE)
        else:
            firm = torch.ones_like(acting.weights).masked_fill(beyond > 0, FIRMNESS)
            further = torch.where(beyond > 0, 1.0, acting.further)
            followed = tuple(thing.region for thing in self.things)
            weights = firm * acting.weights
            acting = replace(acting, weights=weights, further=further, regions=followed)
        return spread(logits, scene.features, acting, kernel, scene.spacing, self.levels, beyond)


def _chosen(support: Support, chosen: Tensor) -> Support:
    kept = Support(*(value[chosen] for value in support.parts().values()))
    return replace(kept, pins=torch.zeros_like(kept.weights))
