"""From class labels to one id per object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed


def objects(
    labels: NDArray[np.integer],
    separator: int | None = None,
    spacing: Sequence[float] | None = None,
) -> NDArray[np.int32]:
    """Number the objects, class by class.

    Parameters
    ----------
    labels
        Class of every pixel, 0 is the background.
    separator
        The class that parts touching objects. Its pixels belong to the object
        of another class that they touch, the nearer one of two.
    spacing
        Size of a pixel along each axis; all are equal by default.

    Returns
    -------
    Ids 1, 2, ... of connected objects (including diagonals); 0 is background.
    """
    ids = np.zeros(labels.shape, dtype=np.int32)
    neighbours = ndimage.generate_binary_structure(labels.ndim, labels.ndim)
    for index in np.setdiff1d(labels, [0] if separator is None else [0, separator]):
        found, _ = ndimage.label(labels == index, neighbours)
        ids[found > 0] = found[found > 0] + ids.max()
    if separator is None or not ids.any():
        return ids
    core = labels * (labels != separator)
    depth = ndimage.distance_transform_edt(core == 0, spacing)
    grown: NDArray[np.int32] = watershed(depth, ids, mask=labels != 0).astype(np.int32)
    return grown


def added_objects(
    kept: NDArray[np.integer],
    ids: NDArray[np.integer],
    highest: int,
    *,
    overwrite: bool,
    erased: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int32], int]:
    """Add objects to those that are kept already.

    An object that is mostly one of those that are kept is no new one: that one grows
    to it, where nothing else is kept and the user took nothing away. It never shrinks. An
    object that is mostly several of those that are kept, such as one that was parted by
    hand, changes none of them.

    Parameters
    ----------
    kept
        Ids that are kept, 0 where there is none.
    ids
        Objects to add, of the same shape.
    highest
        The highest id in use anywhere; new objects get ids beyond it.
    overwrite
        Whether all objects are new ones, which also take pixels that are kept already.
    erased
        Pixels that were taken away from what was kept.

    Returns
    -------
    All ids, and how many objects were added or grew.
    """
    free = (ids > 0) & (overwrite | (kept == 0))
    together = kept.astype(np.int32)
    grown = 0
    if not overwrite:
        same, same_as = _known_objects(kept, ids)
        known = np.isin(ids, same)
        growing = free & known if erased is None else free & known & ~erased
        free &= ~known
        together[growing] = same_as[np.searchsorted(same, ids[growing])]
        growing &= together > 0
        grown = len(np.unique(ids[growing]))
    values, order = np.unique(ids[free], return_inverse=True)
    together[free] = highest + 1 + order
    return together, grown + len(values)


def _known_objects(
    kept: NDArray[np.integer], ids: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Find objects that share more than half of the smaller one with one that is kept.

    Returns
    -------
    Their ids, rising, and which one that is for each; 0 if there are several.
    """
    numbers, dense, sizes = np.unique(kept, return_inverse=True, return_counts=True)
    both = (ids > 0) & (kept != 0)
    keys = ids[both].astype(np.int64) * len(numbers) + dense.reshape(kept.shape)[both]
    pairs, shared = np.unique(keys, return_counts=True)
    found, others = np.divmod(pairs, len(numbers))
    same = 2 * shared > np.minimum(np.bincount(ids.ravel())[found], sizes[others])
    known, first, count = np.unique(found[same], return_index=True, return_counts=True)
    return known, np.where(count == 1, numbers[others[same][first]], 0)
