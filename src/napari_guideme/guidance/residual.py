"""Residual regression: a field on the logits, spanned by kernels at the hints.

The logit margin that is missing at a hint is spread to pixels that are near and
look alike to the network. How far is read off the labels as they were when the
hint was given: a hint deep inside a region speaks for much of it, one close to
an outline for the outline. No back-propagation; hints are taken one after the
other, and a weight never falls, so that a new hint takes nothing back. A click in the
very middle of a region speaks for all of it, and one on a thing that the network sees when it
looks closer for all of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from napari_guideme.guidance.closer import Look
from napari_guideme.guidance.distances import (
    depth_within,
    depths,
    squared_between,
    squared_maps,
)
from napari_guideme.guidance.features import Features
from napari_guideme.guidance.kernel import HELD, Kernel
from napari_guideme.guidance.meaning import seen_region, whole_region
from napari_guideme.guidance.outlining import Draw, outlined
from napari_guideme.guidance.regions import BACKGROUND, Region, centrality
from napari_guideme.guidance.scene import at_pixels, margins, winning
from napari_guideme.spacing import longest

#: Similarity maps held at once, and pixels of all of them: bounds the memory for long
#: scribbles and for large images.
_CHUNK, _MAPPED = 32, 16_000_000

#: By how many logits new hints must lead once all are weighed together.
_MET = 1.0

#: Weights raised at most per hint; what is unmet then is met at the very pixel.
_RAISES = 200

#: What a hint that outlines a thing weighs at least, and how far one without weight of its own
#: reaches beyond the outline, as a share of its reach.
_HEARD, _NOWHERE = 1.0, 1e-3

#: Up to how many times its weight an earlier hint may hold out against a new one: a
#: far-reaching hint that contradicts a short one must not spread without end.
_FIRMER = 1.25


@dataclass(frozen=True)
class Support:
    """The hinted pixels that span the field.

    Attributes
    ----------
    positions
        (n, ndim) pixels of the image.
    classes
        (n,) class index, whose logit is raised.
    reaches
        (n,) ℓ in typical pixels, see :mod:`napari_guideme.spacing`.
    further
        (n,) how many times as far they reach in their own image.
    weights
        (n,) logits at the pixel itself, at least 0.
    pins
        (n,) logits that are added at the very pixel only, where hints of
        different classes contradict each other.
    regions
        Those that follow one of the pixels as a whole; only in its own image.
    """

    positions: Tensor
    classes: Tensor
    reaches: Tensor
    weights: Tensor
    pins: Tensor
    further: Tensor
    regions: tuple[Region, ...] = field(default=(), kw_only=True)

    @classmethod
    def empty(cls, ndim: int, device: torch.device) -> Support:
        """No hints yet."""
        none = torch.zeros(0, device=device)
        return cls(none.long().view(0, ndim), none.long(), none, none, none, none)

    def __len__(self) -> int:
        return len(self.positions)

    def parts(self) -> dict[str, Tensor]:
        """All that is told of each pixel, by name; what goes to another image."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "regions"}

    @property
    def home_reaches(self) -> Tensor:
        """(n,) how far each reaches in its own image."""
        return self.reaches * self.further

    def starts(self, positions: Tensor, classes: Tensor) -> bool:
        """Whether these hinted pixels begin with those of the support."""
        n = len(self)
        return torch.equal(self.positions, positions[:n]) and torch.equal(self.classes, classes[:n])


def extended(
    support: Support,
    base: Tensor,
    moved: Tensor,
    features: Features,
    positions: Tensor,
    classes: Tensor,
    kernel: Kernel,
    spacing: Sequence[float],
    look: Look | None = None,
    draw: Draw | None = None,
) -> tuple[Support, Tensor]:
    """Take one more hint.

    Parameters
    ----------
    support
        Earlier hints.
    base
        Logits before any hint, (K, *spatial).
    moved
        Logits after the earlier hints.
    features
        Of the same image.
    positions, classes
        Pixels of the new hint (m, ndim) and their class (m,).
    kernel
        How far a correction reaches.
    spacing
        Size of a pixel along each axis, in typical pixels.
    look
        How the network looks closer at a click, if it can.
    draw
        What draws the outline of what a click changed, if it is drawn.

    Returns
    -------
    support
        With the new hint, (n + m) pixels.
    moved
        Logits after it.
    """
    grown, asked = _grown(support, moved, positions, classes, kernel, spacing, look)

    def spreading(solved: Support) -> Tensor:
        return spread(moved, features, _difference(solved, grown), kernel, spacing)

    solved = _solved(grown, asked, base, features, kernel, spacing)
    after = spreading(solved)
    if draw is not None and kernel.outlines and len(positions) == 1:
        weight = solved.weights[-1].clamp_min(_HEARD)
        drawn = outlined(moved, after, grown.positions, grown.classes, weight, draw)
        if drawn:
            redrawn = _following(grown, drawn, solved.weights[-1])
            solved = _solved(redrawn, asked, base, features, kernel, spacing)
            after = spreading(solved)
    return solved, after


def _grown(
    support: Support,
    moved: Tensor,
    positions: Tensor,
    classes: Tensor,
    kernel: Kernel,
    spacing: Sequence[float],
    look: Look | None,
) -> tuple[Support, Tensor]:
    """Add the pixels of a hint, still without weight, and say by how much each pixel shall lead."""
    size = longest(moved.shape[1:], spacing)
    labels = winning(moved)
    depth = depths(labels, positions, spacing).to(moved) / size
    depth = _as_far_as_evident(depth, moved, positions, classes, kernel, spacing)
    confirms = labels[tuple(positions.T)] == classes
    wanted = kernel.margin(depth)
    wanted = wanted.where(~confirms, wanted.clamp_max(kernel.confirmed))
    central = centrality(labels, positions, spacing).to(depth).masked_fill(confirms, 1.0)
    carried = kernel.carried_reach(depth)
    added = torch.zeros_like(depth)
    grown = Support(
        torch.cat([support.positions, positions]),
        torch.cat([support.classes, classes]),
        torch.cat([support.reaches, carried * size]),
        torch.cat([support.weights, added]),
        torch.cat([support.pins, added]),
        torch.cat([support.further, kernel.left(central) * kernel.reach(depth) / carried]),
        regions=support.regions,
    )
    if len(positions) == 1 and not confirms.any():
        is_central = bool(central[0] >= kernel.middle)
        region = _meant(
            grown, labels, depth[0] * size if is_central else None, look, kernel, spacing
        )
        grown = replace(grown, regions=(*grown.regions, *region))
    return grown, torch.cat([torch.full_like(support.weights, -torch.inf), wanted])


def _following(support: Support, drawn: Sequence[Region], weight: Tensor) -> Support:
    """Let what was drawn follow the last pixel; if that only confirms a label, nothing else does.

    Then it has no weight of its own, or little; it gets some for this.
    """
    regions = (*support.regions, *drawn)
    if weight >= _HEARD:
        return replace(support, regions=regions)
    weights, reaches = support.weights.clone(), support.reaches.clone()
    weights[-1] = _HEARD
    reaches[-1] *= _NOWHERE
    return replace(support, weights=weights, reaches=reaches, regions=regions)


def _solved(
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


def spread(
    logits: Tensor,
    features: Features,
    support: Support,
    kernel: Kernel,
    spacing: Sequence[float],
    hinted: Sequence[Tensor] | None = None,
    beyond: Tensor | None = None,
) -> Tensor:
    """Add the field of a support to logits (K, *spatial).

    Parameters
    ----------
    logits, features
        Of the same image.
    support, kernel
        What is spread, and how far.
    spacing
        Size of a pixel along each axis, in typical pixels.
    hinted
        Features of the hinted pixels, for each level (n, C), if they lie in another image.
    beyond
        How far they lie from that image, (n,), in typical pixels: along the axis
        of a volume.
    """
    moved = logits.clone()
    active = torch.nonzero(support.weights)[:, 0]
    together = maps_at_once(logits[0].numel())
    for start in range(0, len(active), together):
        part = active[start : start + together]
        places = support.positions[part]
        own = features.at(places) if hinted is None else [level[part] for level in hinted]
        similarity = features.maps(own)
        distance = squared_maps(places, logits.shape[1:], spacing)
        if beyond is not None:
            distance = distance + beyond[part].square().view(-1, *[1] * (logits.ndim - 1))
        reach = support.home_reaches[part].view(-1, *[1] * (logits.ndim - 1))
        values = kernel(similarity, distance, reach)
        for region in support.regions:
            for own in (part == region.owner).nonzero():
                region.follow(values[own[0]])
        share = torch.zeros(len(part), len(logits), device=logits.device)
        share.scatter_(1, support.classes[part, None], support.weights[part, None])
        moved += torch.einsum("nk,n...->k...", share, values)
    if hinted is None:
        moved[(support.classes, *support.positions.T)] += support.pins
    return moved


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


def maps_at_once(pixels: int) -> int:
    """How many similarity maps of so many pixels are held at once."""
    return max(1, min(_CHUNK, _MAPPED // pixels))


def _as_far_as_evident(
    depth: Tensor,
    logits: Tensor,
    positions: Tensor,
    classes: Tensor,
    kernel: Kernel,
    spacing: Sequence[float],
) -> Tensor:
    """Depths (n,) of hints, where the background is vast by what of their class is in it.

    How large a missed thing is, the background around it does not tell.
    """
    labels, size = winning(logits), longest(logits.shape[1:], spacing)
    counted = depth.clone()
    in_vast = (labels[tuple(positions.T)] == BACKGROUND) & (depth > kernel.vast)
    for index in in_vast.nonzero()[:, 0].tolist():
        place = tuple(positions[index].tolist())
        trails = logits.amax(0) - logits[classes[index]]
        alike = (labels == BACKGROUND) & (trails <= trails[place] + kernel.evident)
        counted[index] = depth_within(alike, place, spacing) / size
    return torch.where(in_vast, counted.clamp_min(kernel.vast), counted)


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


def _meant(
    support: Support,
    labels: Tensor,
    depth: Tensor | None,
    look: Look | None,
    kernel: Kernel,
    spacing: Sequence[float],
) -> list[Region]:
    """What follows the last pixel, a click, as a whole.

    What the network sees of its class there; else, where a depth is told because the click lies
    in its middle, the region that it lies in.
    """
    place, index, owner = support.positions[-1], int(support.classes[-1]), len(support) - 1
    region = None
    if look is not None and kernel.looks_closer and index != BACKGROUND:
        denied = support.positions[support.classes != index]
        region = seen_region(labels, place, denied, look(place, index), kernel.likely, owner)
    if region is None and depth is not None:
        said_right = support.positions[support.classes == labels[tuple(place)]]
        region = whole_region(labels, place, said_right, depth, spacing, owner)
    return [] if region is None else [region]


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


def _difference(after: Support, before: Support) -> Support:
    return replace(after, weights=after.weights - before.weights, pins=after.pins - before.pins)
