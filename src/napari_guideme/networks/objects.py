"""From class labels to one id per object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed


def objects(labels: NDArray[np.integer], separator: int | None = None) -> NDArray[np.int32]:
    """Number the objects, class by class.

    Parameters
    ----------
    labels
        Class of every pixel, 0 is the background.
    separator
        The class that parts touching objects. Its pixels belong to the object
        of another class that they touch.

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
    depth = ndimage.distance_transform_edt(core == 0)
    grown: NDArray[np.int32] = watershed(depth, ids, mask=labels != 0).astype(np.int32)
    return grown
