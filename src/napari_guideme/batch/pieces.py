"""How images are cut into pieces, each the work of one worker at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from napari_guideme.batch.recipe import Recipe, Tools
from napari_guideme.batch.targets import Target
from napari_guideme.errors import InputError
from napari_guideme.files import Picture, open_image
from napari_guideme.files.label_store import Region
from napari_guideme.planes import SLAB

#: Pixels of the largest plane that is corrected as a whole; larger ones are, tile by tile.
LARGEST_PLANE = 2048 * 2048

#: Sides of a tile, besides its halo, and of a chunk of labels within it.
TILE, CHUNK = 2048, 1024

#: Voxels of the largest image whose objects are numbered.
LARGEST_COUNTED = 64_000_000


@dataclass(frozen=True)
class Piece:
    """A part of an image that one worker corrects at once.

    Attributes
    ----------
    target
        The image and its labels.
    key
        Stands for the image, the labels and all that they are made by.
    region
        Of the labels, in a store that exists; ``None`` for an image that is written whole.
    """

    target: Target
    key: str
    region: Region | None = None

    @property
    def part(self) -> str:
        """The region in words, for the journal."""
        return ",".join(f"{s.start}:{s.stop}" for s in self.region or ())


def read(target: Target, recipe: Recipe) -> Picture:
    """Open an image as a recipe says; that of an OME-Zarr stays on disk.

    Raises
    ------
    InputError
        If it cannot be read, or its axes are not what was told.
    """
    picture = open_image(target.image, series=recipe.series)
    axis = recipe.channel_axis
    if axis is not None:
        if not -len(picture.axes) <= axis < len(picture.axes):
            raise InputError(
                f"there is no channel axis {axis}; the image has axes 0 to {len(picture.axes) - 1}"
            )
        picture = picture.with_channels(axis)
    return picture.volume(recipe.volume)


def along(picture: Picture, recipe: Recipe, tools: Tools) -> int | None:
    """Return the axis of the labels that slices lie along, ``None`` if the image is one.

    Raises
    ------
    InputError
        If the image is neither like that of the guidance nor a volume of such slices, or
        it was said to be that very one and is not.
    """
    shape, known = picture.label_shape, tools.saved.shape
    if len(shape) == len(known):
        axis, plane = None, shape
    elif (len(shape), len(known)) == (3, 2):
        axis = recipe.axis % 3
        plane = shape[:axis] + shape[axis + 1 :]
    else:
        raise InputError(
            f"the guidance is for {len(known)} axes, the image has {len(shape)}"
            + (" (name its channel axis?)" if len(shape) > len(known) else "")
        )
    if recipe.same_volume and plane != known:
        raise InputError(
            f"the guidance was made in planes of {_times(known)}, these have {_times(plane)}; "
            "another image is corrected without --same-volume"
        )
    if len(known) == 2 and is_large(plane) and tools.network.preparation.ndim == 3:
        raise InputError(
            f"planes of {_times(plane)} are too large for a network of three axes; "
            f"it takes up to {LARGEST_PLANE} pixels"
        )
    if recipe.same_volume and len(known) == 2 and is_large(plane):
        raise InputError(
            f"planes of {_times(plane)} are corrected tile by tile, where places do not count; "
            "leave --same-volume out"
        )
    return axis


def chunks(picture: Picture, axis: int | None, tools: Tools) -> tuple[int, ...]:
    """Shape of a chunk of the labels of a lazy image."""
    own = zip(picture.pixels.chunks, picture.axes, strict=True)
    sizes = [int(max(lengths)) for lengths, name in own if name != "c"]
    plane = [n for other, n in enumerate(picture.label_shape) if other != axis]
    for other, n in enumerate(picture.label_shape):
        if other == axis:
            deep = tools.network.preparation.ndim == 3
            sizes[other] = min(n, SLAB if deep else min(sizes[other], SLAB))
        elif is_large(plane):
            sizes[other] = min(n, CHUNK)
    return tuple(sizes)


def regions(shape: Sequence[int], axis: int | None, thick: int) -> Iterator[Region]:
    """Cut labels into slabs of whole planes, or of tiles of large ones.

    Parameters
    ----------
    shape
        Of the labels.
    axis
        That slices lie along.
    thick
        Slices of a slab.
    """
    plane = [n for other, n in enumerate(shape) if other != axis]
    side = TILE if len(plane) == 2 and is_large(plane) else max(plane)
    steps = [thick if other == axis else side for other in range(len(shape))]
    starts = [range(0, n, step) for n, step in zip(shape, steps, strict=True)]
    for corner in product(*starts):
        yield tuple(
            slice(start, min(start + step, n))
            for start, step, n in zip(corner, steps, shape, strict=True)
        )


def check_countable(picture: Picture) -> None:
    """Raise `InputError` if objects cannot be numbered: they would be cut at the pieces."""
    if math.prod(picture.label_shape) > LARGEST_COUNTED:
        raise InputError(
            f"objects are numbered in images of up to {LARGEST_COUNTED} voxels, this one has "
            f"{math.prod(picture.label_shape)}; leave --instances out"
        )


def is_large(plane: Sequence[int]) -> bool:
    """Whether a plane is corrected tile by tile."""
    return math.prod(plane) > LARGEST_PLANE


def _times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))
