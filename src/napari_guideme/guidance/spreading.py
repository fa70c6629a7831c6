"""The residual's field: what the weights of a support add to the logits of every pixel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_guideme.guidance.distances import squared_maps
from napari_guideme.guidance.features import Features
from napari_guideme.guidance.kernel import Kernel
from napari_guideme.guidance.support import Support

#: Similarity maps held at once, and pixels of all of them: bounds the memory for long
#: scribbles and for large images.
_CHUNK, _MAPPED = 32, 16_000_000


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
        share = logits.new_zeros(len(part), len(logits))
        share.scatter_(1, support.classes[part, None], support.weights[part, None])
        moved += torch.einsum("nk,n...->k...", share, values)
    if hinted is None:
        moved[(support.classes, *support.positions.T)] += support.pins
    return moved


def maps_at_once(pixels: int) -> int:
    """How many similarity maps of so many pixels are held at once."""
    return max(1, min(_CHUNK, _MAPPED // pixels))
