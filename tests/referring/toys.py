from __future__ import annotations

import numpy as np

from napari_guideme.referring.scenes import MeasuredObject, MeasuredScene

GREY = (128, 128, 128)


def drawn(*things):
    """Draw squares (name, row, column, half of the side, colour): image, ids, names."""
    image, ids = np.full((120, 120, 3), 90, np.uint8), np.zeros((120, 120), int)
    names = {}
    for number, (name, row, column, half, colour) in enumerate(things, 1):
        window = np.s_[row - half : row + half, column - half : column + half]
        image[window], ids[window], names[number] = colour, number, name
    # Black and white keep the range of the image what it is.
    image[0:3, 0:3], image[0:3, 3:6] = 0, 255
    return image, ids, names


def scene(*things):
    """Make objects of (name, row, column, share), far from all edges of their cells."""
    found = []
    for number, (name, row, column, share) in enumerate(things, 1):
        cells = np.zeros((3, 3))
        cells[int(row * 3), int(column * 3)] = 1
        half = share**0.5 / 2
        box = (row - half, column - half, row + half, column + half)
        found.append(MeasuredObject(number, name, share, (row, column), box, cells, number / 10))
    return MeasuredScene(tuple(found))
