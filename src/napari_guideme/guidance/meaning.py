"""What a click means as a whole: the region that it is in the middle of, or what is seen there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from torch import Tensor

from napari_guideme.guidance.closer import Seen, part_at
from napari_guideme.guidance.regions import BACKGROUND, Region, least_depth


def whole_region(
    labels: Tensor,
    place: Tensor,
    said_right: Tensor,
    depth: Tensor,
    spacing: Sequence[float],
    owner: int,
) -> Region | None:
    """Return the region of the labels around a click if that is one thing, and wrong.

    Parameters
    ----------
    labels
        (*spatial).
    place
        The clicked pixel, (ndim,).
    said_right
        Pixels (n, ndim) of which hints said that they have the label of the clicked one.
    depth
        Of the click, in typical pixels.
    spacing
        Size of a pixel along each axis, in typical pixels.
    owner
        Number of the clicked pixel in its support.
    """
    if labels[tuple(place)] == BACKGROUND:
        return None
    region = Region.around(labels, place, owner)
    if region.holds(said_right).any() or depth < least_depth(region.mask.sum(), spacing):
        return None
    return region


def seen_region(
    labels: Tensor, place: Tensor, denied: Tensor, seen: Seen, likely: float, owner: int
) -> Region | None:
    """Return what the network sees of the class of a click, looking closer.

    Only pixels with the label of the clicked one, and no part of which a hint said otherwise.

    Parameters
    ----------
    labels
        (*spatial).
    place
        The clicked pixel, (ndim,).
    denied
        Pixels (n, ndim) of which hints said that they have another class.
    seen
        Around the click.
    likely
        Mean probability of the class above which pixels belong to it beside those of the
        clicked thing.
    owner
        Number of the clicked pixel in its support.
    """
    alike = labels == labels[tuple(place)]
    here = part_at(seen.here & alike, place.tolist())
    parts, _ = ndimage.label((here | (alike & (seen.likely > likely))).cpu().numpy())
    parts[np.isin(parts, parts[tuple(denied.cpu().numpy().T)])] = 0
    return Region.of(parts > 0, owner, labels.device) if parts.any() else None
