"""What a click means as a whole: the region that it is in the middle of, or what is seen there.

Who clicks a mistake chooses its middle; who answers a question did not choose where it is asked. Of
38 answers that called the middle of a region wrong, 6 were about a part of it: none of these
regions was doubted or compact, all others were one or the other (`docs/trials.md`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from torch import Tensor

from napari_guideme.guidance.closer import Seen, part_at
from napari_guideme.guidance.doubt import lead
from napari_guideme.guidance.regions import Region, least_depth

#: Regions that the network doubts less, on average, are right in the large ...
DOUBTED = 0.55

#: ... unless they are as compact as this: so deep, beside the side of a square as large. A disc is
#: 0.56, what has arms and legs is less.
ROUND = 0.35


def is_sure(region: Region, logits: Tensor, depth: Tensor, spacing: Sequence[float]) -> bool:
    """Whether a region is right in the large, so that a mistake in its middle is a part of it.

    Parameters
    ----------
    region
        Of the labels.
    logits
        That they are the winners of, (K, *spatial).
    depth
        Of the region's middle, in typical pixels.
    spacing
        Size of a pixel along each axis, in typical pixels.
    """
    leads = lead(logits[(slice(None), *region.box)].softmax(0))
    if leads[region.mask].mean() <= 1 - DOUBTED:
        return False
    return bool(depth < least_depth(region.mask.sum(), spacing, ROUND))


def is_one(region: Region, said_right: Tensor, depth: Tensor, spacing: Sequence[float]) -> bool:
    """Whether a region is one thing, and nothing of it right.

    Parameters
    ----------
    region
        Of the labels.
    said_right
        Pixels (n, ndim) of which hints said that they have the region's label.
    depth
        Of the region's middle, in typical pixels.
    spacing
        Size of a pixel along each axis, in typical pixels.
    """
    compact = depth >= least_depth(region.mask.sum(), spacing)
    return bool(compact) and not bool(region.holds(said_right).any())


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
