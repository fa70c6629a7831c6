"""Carrying a correction on: what hints found on one slice acts on others, while it fits.

The support of the residual is carried: features of the hinted pixels, their places and
weights. Within a volume the kernel gets a third axis, the distance between slices in the
plane's own unit, and a hint acts only while what lies at its place looks like what was
hinted. In another image places mean nothing: there it acts on what looks very much the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from napari_guideme.guidance.residual import Kernel, Support, maps_at_once, spread
from napari_guideme.guidance.scene import Scene

#: A carried weight is so many times the weight at home, whose labels the user saw.
FIRMNESS = 1.25

#: From which similarity on a hint begins to fit, and from which it fits wholly.
DRIFTED, ALIKE = 0.2, 0.5

#: Temperature of the kernel, and the reach in pixels, where places mean nothing.
ELSEWHERE, EVERYWHERE = 0.12, 1e6

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
    """

    levels: tuple[Tensor, ...]
    support: Support
    origins: Tensor

    @classmethod
    def of(cls, scene: Scene, support: Support, index: int = 0) -> Anchors:
        """Take what a refinement found with it; pixels that weigh nothing stay behind."""
        kept = _chosen(support, support.weights > 0)
        levels = tuple(scene.features.at(kept.positions)) if len(kept) else ()
        return cls(levels, kept, torch.full_like(kept.classes, index))

    def __len__(self) -> int:
        return len(self.support)

    def to(self, device: torch.device) -> Anchors:
        """Return them on a device."""
        support = Support(*(value.to(device) for value in vars(self.support).values()))
        return Anchors(
            tuple(level.to(device) for level in self.levels), support, self.origins.to(device)
        )

    def joined(self, others: Anchors) -> Anchors:
        """Return these and others as one."""
        if not len(self) or not len(others):
            return self if len(self) else others
        pairs = zip(vars(self.support).values(), vars(others.support).values(), strict=True)
        return Anchors(
            tuple(torch.cat(pair) for pair in zip(self.levels, others.levels, strict=True)),
            Support(*(torch.cat(pair) for pair in pairs)),
            torch.cat([self.origins, others.origins]),
        )

    def weakened(self, shares: Tensor) -> Anchors:
        """Return what is left of them with a share (n,) of their weights."""
        left = shares > NOTHING
        support = _chosen(replace(self.support, weights=self.support.weights * shares), left)
        return Anchors(tuple(level[left] for level in self.levels), support, self.origins[left])

    def elsewhere(self) -> Anchors:
        """Return them as they act in another image, where places mean nothing."""
        reaches = torch.full_like(self.support.reaches, EVERYWHERE)
        return replace(self, support=replace(self.support, reaches=reaches))

    def similarity(self, scene: Scene) -> Tensor:
        """How much what lies at each place in another scene looks like what was hinted, (n,)."""
        there = scene.features.at(self.support.positions)
        pairs = zip(there, self.levels, strict=True)
        return torch.stack([(here * home).sum(1) for here, home in pairs]).mean(0)

    def likeness(self, scene: Scene) -> Tensor:
        """How much the most alike pixel of another scene looks like what was hinted, (n,)."""
        together = maps_at_once(math.prod(scene.shape))
        parts = zip(*(level.split(together) for level in self.levels), strict=True)
        return torch.cat([scene.features.maps(list(part)).flatten(1).amax(1) for part in parts])

    def beyond(self, index: int, thickness: float) -> Tensor:
        """How far each lies from a slice, (n,), in pixels of the plane."""
        return (self.origins - index).abs() * thickness

    def nearness(self, index: int, thickness: float) -> Tensor:
        """What is left of each at its place on a slice, (n,), by the distance alone."""
        away = self.beyond(index, thickness)
        return torch.exp(-away.square() / (2 * self.support.reaches.square()))

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
            firm = torch.where(beyond > 0, FIRMNESS, 1.0)
            acting = replace(acting, weights=firm * acting.weights)
        return spread(logits, scene.features, acting, kernel, self.levels, beyond)


def fitting(similarity: Tensor) -> Tensor:
    """How far hints still fit, from 0 to 1, by the similarity of what lies at their places."""
    return ((similarity - DRIFTED) / (ALIKE - DRIFTED)).clamp(0, 1)


def _chosen(support: Support, chosen: Tensor) -> Support:
    parts = {name: value[chosen] for name, value in vars(support).items()}
    return Support(**{**parts, "pins": torch.zeros_like(parts["weights"])})
