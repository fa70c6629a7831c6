"""The objects of an image, measured from a mask: what can be said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label
from skimage.morphology import convex_hull_image

from napari_guideme.errors import InputError, check_kind
from napari_guideme.hints import GRID
from napari_guideme.language.word_forms import plain
from napari_guideme.referring.colours import COLOURS, NAMELESS, brightness, light, named_colours

#: Smaller parts of a mask, by their share of the image, are no objects.
SPECK = 3e-4


@dataclass(frozen=True)
class MeasuredObject:
    """One object of an image.

    Attributes
    ----------
    id
        Its number in the mask.
    name
        Of its class, as it is spoken.
    share
        Of the image's pixels.
    centre
        Mean row and column, as shares of the image's longer side.
    box
        First row and column, and those behind the last ones, in the same unit.
    cells
        Shares of its pixels in the cells of a grid over the image, (3, 3), sum 1.
    brightness
        Mean, from 0 to 1 on the scale of the image.
    colours
        Shares of its pixels by colour; empty in an image without colours.
    """

    id: int
    name: str
    share: float
    centre: tuple[float, float]
    box: tuple[float, float, float, float]
    cells: NDArray[np.float64]
    brightness: float
    colours: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasuredScene:
    """All objects of an image.

    Attributes
    ----------
    objects
        In the order of their ids.
    within
        Which share of one object lies within the convex hull of another one, by both
        ids; what is not there is 0.
    """

    objects: tuple[MeasuredObject, ...]
    within: Mapping[tuple[int, int], float] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes that are there."""
        return tuple(sorted({thing.name for thing in self.objects}))


def measured_scene(
    image: NDArray[Any],
    ids: NDArray[np.integer],
    names: Mapping[int, str] | str,
    channel_axis: int | None = None,
) -> MeasuredScene:
    """Measure the objects of an image.

    Parameters
    ----------
    image
        (rows, columns), or with one more axis for channels. Colours are named if there
        are three or four: red, green and blue.
    ids
        Id of the object in each pixel, (rows, columns), 0 where there is none. Parts that
        fill less than `SPECK` of the image are passed over.
    names
        Class of each id, or the one that all have.
    channel_axis
        The axis of `image` that holds channels, ``None`` for a grey image.

    Raises
    ------
    InputError
        If image and ids differ in size, an id has no name or is negative.
    """
    lit = light(image, channel_axis)
    ids = _checked(ids, lit.shape[:2])
    bright, coloured = brightness(lit), named_colours(lit)
    present = np.unique(ids[ids > 0])
    # Ids may be large and far apart: boxes are found on their ranks.
    ranks = np.searchsorted(present, ids) + 1
    ranks[ids == 0] = 0
    objects, hulls = [], {}
    for rank, window in enumerate(ndimage.find_objects(ranks), 1):
        mask = ranks[window] == rank
        if mask.sum() < SPECK * ids.size:
            continue
        number = int(present[rank - 1])
        colours = None if coloured is None else coloured[window][mask]
        objects.append(
            _measured(number, _name(number, names), mask, window, ids.shape, bright, colours)
        )
        hulls[number] = (window, mask)
    return MeasuredScene(tuple(objects), _within(objects, hulls))


def objects_of_classes(
    labels: NDArray[np.integer], names: Mapping[int, str], least: float = 0.002
) -> tuple[NDArray[np.intp], dict[int, str]]:
    """Make objects of a mask of classes: its connected parts.

    Parameters
    ----------
    labels
        Class in each pixel, (rows, columns).
    names
        Of the classes that are spoken of; all others are passed over. Parts of one class
        that touch, such as two people side by side, become one object.
    least
        Share of the image that a part has to fill.

    Returns
    -------
    Ids (rows, columns) and the class of each id.
    """
    ids = np.zeros(labels.shape, np.intp)
    found: dict[int, str] = {}
    for value, name in names.items():
        parts = label(labels == value, connectivity=2)
        sizes = np.bincount(parts.ravel())
        for part in np.flatnonzero(sizes >= least * labels.size):
            if part:
                found[len(found) + 1] = name
                ids[parts == part] = len(found)
    return ids, found


def _checked(ids: NDArray[np.integer], shape: tuple[int, ...]) -> NDArray[np.integer]:
    ids = np.asarray(ids)
    if ids.shape != shape:
        raise InputError(f"the image has {shape} rows and columns, the ids have shape {ids.shape}")
    if not np.issubdtype(ids.dtype, np.integer) or ids.min(initial=0) < 0:
        raise InputError("ids of objects must be whole numbers, 0 where there is none")
    return ids


def _name(number: int, names: Mapping[int, str] | str) -> str:
    if not isinstance(names, str) and number not in names:
        raise InputError(f"the object {number} has no name")
    own = names if isinstance(names, str) else names[number]
    check_kind(f"the name of the object {number}", own, str, "a text")
    name = plain(own)
    if not name:
        raise InputError(f"the name of the object {number} has neither letters nor digits")
    return name


def _measured(
    number: int,
    name: str,
    mask: NDArray[np.bool_],
    window: tuple[slice, slice],
    shape: tuple[int, ...],
    bright: NDArray[np.float64],
    coloured: NDArray[np.intp] | None,
) -> MeasuredObject:
    side, n = max(shape), int(mask.sum())
    places = [np.nonzero(mask)[axis] + window[axis].start for axis in (0, 1)]
    rows, columns = (p * GRID // length for p, length in zip(places, shape, strict=True))
    cells = np.bincount(rows * GRID + columns, minlength=GRID**2).reshape(GRID, GRID) / n
    counted = [] if coloured is None else np.bincount(coloured, minlength=NAMELESS).tolist()
    corners = [s.start for s in window] + [s.stop for s in window]
    return MeasuredObject(
        number,
        name,
        n / (shape[0] * shape[1]),
        (float(places[0].mean() + 0.5) / side, float(places[1].mean() + 0.5) / side),
        (corners[0] / side, corners[1] / side, corners[2] / side, corners[3] / side),
        cells,
        float(bright[window][mask].mean()),
        {c: count / n for c, count in zip(COLOURS, counted, strict=False) if count},
    )


def _within(
    objects: list[MeasuredObject],
    masks: Mapping[int, tuple[tuple[slice, slice], NDArray[np.bool_]]],
) -> dict[tuple[int, int], float]:
    """Shares of objects within the hulls of others of another class."""
    found = {}
    for outer in objects:
        inside = [o for o in objects if o.name != outer.name and _centred(o, outer)]
        if not inside:
            continue
        window, mask = masks[outer.id]
        hull = convex_hull_image(mask)
        for thing in inside:
            own_window, own = masks[thing.id]
            pixels = np.argwhere(own) + [s.start for s in own_window]
            local = pixels - [s.start for s in window]
            fits = ((local >= 0) & (local < hull.shape)).all(1)
            found[thing.id, outer.id] = float(hull[tuple(local[fits].T)].sum() / len(pixels))
    return found


def _centred(thing: MeasuredObject, outer: MeasuredObject) -> bool:
    """Whether an object's centre lies in the box of a larger one."""
    top, left, bottom, right = outer.box
    row, column = thing.centre
    return thing.share < outer.share and top < row < bottom and left < column < right
