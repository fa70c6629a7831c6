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
    kept: NDArray[np.integer], ids: NDArray[np.integer], highest: int, *, overwrite: bool
) -> tuple[NDArray[np.int32], int]:
    """Add objects to those that are kept already.

    Parameters
    ----------
    kept
        Ids that are kept, 0 where there is none.
    ids
        Objects to add, of the same shape.
    highest
        The highest id in use anywhere; new objects get ids beyond it.
    overwrite
        Whether new objects also take pixels that are kept already.

    Returns
    -------
    All ids, and how many objects were added.
    """
    free = (ids > 0) & (overwrite | (kept == 0))
    values, order = np.unique(ids[free], return_inverse=True)
    together = kept.astype(np.int32)
    together[free] = highest + 1 + order
    return together, len(values)
