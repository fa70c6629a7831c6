"""Residual regression: each hint adds to a field on the logits, spanned by kernels at the hints.

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
from dataclasses import replace

import torch
from torch import Tensor

from napari_guideme.guidance.closer import Look
from napari_guideme.guidance.distances import depth_within, depths
from napari_guideme.guidance.features import Features
from napari_guideme.guidance.kernel import Kernel
from napari_guideme.guidance.meaning import is_one, is_sure, seen_region
from napari_guideme.guidance.outlining import Draw, outlined
from napari_guideme.guidance.regions import BACKGROUND, Region, centrality
from napari_guideme.guidance.scene import winning
from napari_guideme.guidance.solving import solved
from napari_guideme.guidance.spreading import spread
from napari_guideme.guidance.support import Support
from napari_guideme.spacing import longest

#: What a hint that outlines a thing weighs at least, and how far one without weight of its own
#: reaches beyond the outline, as a share of its reach.
_HEARD, _NOWHERE = 1.0, 1e-3


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

    def spreading(weighed: Support) -> Tensor:
        return spread(moved, features, _difference(weighed, grown), kernel, spacing)

    weighed = solved(grown, asked, base, features, kernel, spacing)
    after = spreading(weighed)
    if draw is not None and kernel.outlines and len(positions) == 1:
        weight = weighed.weights[-1].clamp_min(_HEARD)
        drawn = outlined(moved, after, grown.positions, grown.classes, weight, draw)
        if drawn:
            redrawn = _following(grown, drawn, weighed.weights[-1])
            weighed = solved(redrawn, asked, base, features, kernel, spacing)
            after = spreading(weighed)
    return weighed, after


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
    central = centrality(labels, positions, spacing).to(depth).masked_fill(confirms, 1.0)
    corrects = len(positions) == 1 and not confirms.any()
    around = None
    if corrects and labels[tuple(positions[0])] != BACKGROUND and central[0] >= kernel.middle:
        around = Region.around(labels, positions[0], len(support))
        if is_sure(around, moved, depth[0] * size, spacing):
            depth, around = depth.clamp_max(kernel.typical), None
    wanted = kernel.margin(depth)
    wanted = wanted.where(~confirms, wanted.clamp_max(kernel.confirmed))
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
    if corrects:
        region = _meant(grown, labels, around, depth[0] * size, look, kernel, spacing)
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


def _meant(
    support: Support,
    labels: Tensor,
    around: Region | None,
    depth: Tensor,
    look: Look | None,
    kernel: Kernel,
    spacing: Sequence[float],
) -> list[Region]:
    """What follows the last pixel, a click so deep, as a whole.

    What the network sees of its class there; else the region around it, if the click lies in its
    middle.
    """
    place, index, owner = support.positions[-1], int(support.classes[-1]), len(support) - 1
    region = None
    if look is not None and kernel.looks_closer and index != BACKGROUND:
        denied = support.positions[support.classes != index]
        region = seen_region(labels, place, denied, look(place, index), kernel.likely, owner)
    if region is None and around is not None:
        said_right = support.positions[support.classes == labels[tuple(place)]]
        region = around if is_one(around, said_right, depth, spacing) else None
    return [] if region is None else [region]


def _difference(after: Support, before: Support) -> Support:
    return replace(after, weights=after.weights - before.weights, pins=after.pins - before.pins)
