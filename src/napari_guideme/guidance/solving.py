"""The residual's weights: how much each hinted pixel must weigh for all of them to lead as asked.

A weight never falls, so that a new hint takes nothing back of what earlier ones did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from napari_guideme.guidance.distances import squared_between
from napari_guideme.guidance.features import Features
from napari_guideme.guidance.kernel import HELD, Kernel
from napari_guideme.guidance.scene import at_pixels, margins
from napari_guideme.guidance.support import Support

#: By how many logits new hints must lead once all are weighed together.
_MET = 1.0

#: Weights raised at most per hint; what is unmet then is met at the very pixel.
_RAISES = 200

#: Up to how many times its weight an earlier hint may hold out against a new one: a
#: far-reaching hint that contradicts a short one must not spread without end.
_FIRMER = 1.25


def solved(
    support: Support,
    asked: Tensor,
    base: Tensor,
    features: Features,
    kernel: Kernel,
    spacing: Sequence[float],
) -> Support:
    """Raise the weights of a support until all its pixels lead as asked, or at least are met."""
    # A small system, solved where small steps cost little.
    gram = _gram(support, features, kernel, spacing).cpu().double()
    first = at_pixels(base, support.positions).cpu().double()
    own, asked = support.classes.cpu(), asked.cpu()
    before = support.weights.cpu().double()
    free = torch.where(asked.isfinite(), torch.inf, before * _FIRMER)
    weights = _raised(before, gram, first, own, asked, free)
    weights = _raised(weights, gram, first, own, asked.clamp(HELD, _MET), free)
    lacking = (HELD - _leads(weights, gram, first, own)).clamp_min(0)
    return replace(support, weights=weights.to(support.weights), pins=lacking.to(support.weights))


def pinned(support: Support, logits: Tensor) -> Support:
    """Meet at their very pixels the hints of a support that its field (K, *spatial) missed.

    Between the pixels of coarse features similarity is interpolated, so a field can miss by a
    little what its weights were solved for. Where all are met, the support itself is returned.
    """
    leads = margins(at_pixels(logits, support.positions), support.classes)
    if (leads > 0).all():
        return support
    lacking = (HELD - leads).where(leads <= 0, 0)
    return replace(support, pins=support.pins + lacking)


def _gram(support: Support, features: Features, kernel: Kernel, spacing: Sequence[float]) -> Tensor:
    """What a unit weight of each pixel (column) does at each pixel (row), (n, n)."""
    places = support.positions
    gram = kernel(
        features.between(features.at(places)),
        squared_between(places, spacing),
        support.home_reaches,
    )
    for region in support.regions:
        held = region.holds(places)
        gram[held, region.owner] = region.shares(places[held])
    return gram


def _leads(weights: Tensor, gram: Tensor, first: Tensor, classes: Tensor) -> Tensor:
    """How far each hinted class leads at its pixel, (n,)."""
    field = torch.zeros_like(first).scatter(1, classes[:, None], weights[:, None])
    return margins(first + gram @ field, classes)


def _raised(
    weights: Tensor, gram: Tensor, first: Tensor, classes: Tensor, asked: Tensor, most: Tensor
) -> Tensor:
    """Raise weights, that of the least satisfied pixel first, until all lead as asked."""
    weights = weights.clone()
    for _ in range(_RAISES):
        lacking = asked - _leads(weights, gram, first, classes)
        worst = int(torch.where(weights < most, lacking, -torch.inf).argmax())
        if lacking[worst] <= 1e-3:
            break
        raised = weights[worst] + lacking[worst] / gram[worst, worst]
        weights[worst] = raised.clamp_max(most[worst])
    return weights
