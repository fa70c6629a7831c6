"""What is corrected at once: a slice, a tile of a large one, or an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.batch.pieces import is_large
from napari_guideme.batch.recipe import Recipe, Tools
from napari_guideme.files import Picture
from napari_guideme.files.label_store import Region
from napari_guideme.guidance.scene import Scene
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.tiles import alignment
from napari_guideme.planes import Planes

#: Pixels that a worker runs through the network at once.
AT_ONCE = 1_100_000

#: Bytes of an image that stays on disk which a worker reads at once.
_READ = 128 * 2**20


@dataclass(frozen=True)
class View:
    """What is corrected at once.

    Attributes
    ----------
    scene
        As the network sees it.
    place
        Where it lies in the labels.
    inside
        Which pixels of the scene count; what is around them is halo.
    index
        Number of the slice, ``None`` in an image that has none.
    tile
        Corner in the plane, empty for a whole plane.
    """

    scene: Scene
    place: tuple[slice | int, ...]
    inside: tuple[slice, ...]
    index: int | None = None
    tile: tuple[int, ...] = ()


def views(
    picture: Picture, box: Region, axis: int | None, key: str, recipe: Recipe, tools: Tools
) -> Iterator[View]:
    """Yield what is corrected in a box of an image, see :func:`pieces.regions`.

    Parameters
    ----------
    picture, axis
        The image, and the axis that slices lie along.
    box
        A slab of planes, or of a tile of them.
    key
        Stands for the image.
    recipe, tools
        How images are read, and what sees them.
    """
    stack = Stack(picture, axis)
    if axis is not None and tools.network.preparation.ndim == 3:
        yield from _deep_views(stack, box[axis], recipe, tools)
        return
    counts = [part for other, part in enumerate(box) if other != axis]
    tiled = len(counts) == 2 and is_large(stack.shape)
    halo = tools.network.halo if tiled else 0
    # Coarse cells of a part have to be those of the whole.
    step = alignment(tools.network)
    halo = -(-halo // step) * step
    run = [
        slice(max(part.start - halo, 0), min(part.stop + halo, n))
        for part, n in zip(counts, stack.shape, strict=True)
    ]
    pairs = zip(counts, run, strict=True)
    inside = tuple(slice(part.start - ran.start, part.stop - ran.start) for part, ran in pairs)
    tile = tuple(part.start for part in counts) if tiled else ()
    for index, pixels in stack.read(None if axis is None else box[axis], run):
        scene = Scene(
            tools.network,
            pixels,
            channel_axis=stack.channel_axis,
            channels=recipe.channels,
            preparation=_measured(stack, index, key, recipe, tools) if tiled else None,
            at_once=AT_ONCE,
        )
        place: list[slice | int] = list(box)
        if axis is not None and index is not None:
            place[axis] = index
        yield View(scene, tuple(place), inside, index, tile)


def _deep_views(stack: Stack, slab: slice, recipe: Recipe, tools: Tools) -> Iterator[View]:
    """Slices of a network of three axes, which sees their neighbours, too."""
    assert stack.axis is not None
    planes = Planes(
        Pixels(stack.picture.pixels),
        tools.network,
        axis=stack.axis,
        channel_axis=stack.picture.channel_axis,
        channels=recipe.channels,
    )
    whole: tuple[slice, ...] = tuple(slice(0, n) for n in planes.shape)
    for index in range(slab.start, slab.stop):
        place: tuple[slice | int, ...] = (*whole[: stack.axis], index, *whole[stack.axis :])
        yield View(planes.scene(index), place, whole, index)


class Pixels:
    """An array, lazy or not, that is read by the thread that asks: no worker waits for another."""

    def __init__(self, pixels: Any) -> None:
        self._pixels, self.shape, self.dtype = pixels, pixels.shape, pixels.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, where: Any) -> NDArray[Any]:
        part = self._pixels[where]
        return np.asarray(
            part.compute(scheduler="synchronous") if hasattr(part, "compute") else part
        )


class Stack:
    """Planes of an image, or an image as its only plane.

    Parameters
    ----------
    picture
        The image.
    axis
        Spatial axis that planes lie along, ``None`` for the whole image.

    Attributes
    ----------
    shape
        Of a plane, without channels.
    channel_axis
        Of a plane.
    """

    def __init__(self, picture: Picture, axis: int | None) -> None:
        self.picture, self.axis = picture, axis
        spatial = [i for i, name in enumerate(picture.axes) if name != "c"]
        self._along = None if axis is None else spatial[axis]
        self._in_plane = [i for i in spatial if i != self._along]
        kept = [i for i in range(len(picture.axes)) if i != self._along]
        channels = picture.channel_axis
        self.channel_axis = None if channels is None else kept.index(channels)
        self.shape = tuple(int(picture.pixels.shape[i]) for i in self._in_plane)

    def plane(self, index: int | None) -> Pixels:
        """Return one plane, which is not read yet."""
        return Pixels(self.picture.pixels[self._cut(index, ())])

    def read(
        self, indices: slice | None, run: Sequence[slice]
    ) -> Iterator[tuple[int | None, NDArray[Any]]]:
        """Read a box, a few planes at a time as chunks often hold several; yield each plane."""
        pixels = Pixels(self.picture.pixels)
        if indices is None or self._along is None:
            yield None, pixels[self._cut(None, run)]
            return
        others = [n for i, n in enumerate(pixels.shape) if i != self._along]
        together = max(1, _READ // (int(np.prod(others)) * pixels.dtype.itemsize))
        for start in range(indices.start, indices.stop, together):
            part = pixels[self._cut(slice(start, min(start + together, indices.stop)), run)]
            for number, plane in enumerate(np.moveaxis(part, self._along, 0)):
                yield start + number, plane

    def _cut(self, where: int | slice | None, run: Sequence[slice]) -> tuple[Any, ...]:
        cut: list[Any] = [slice(None)] * len(self.picture.axes)
        if self._along is not None:
            cut[self._along] = where
        for i, part in zip(self._in_plane, run, strict=False):
            cut[i] = part
        return tuple(cut)


#: How values of planes whose tiles are being corrected are scaled, by image and slice.
_scales: dict[tuple[str, int | None], Preparation] = {}
_measuring = Lock()


def _measured(
    stack: Stack, index: int | None, key: str, recipe: Recipe, tools: Tools
) -> Preparation:
    """Return how values of a tile are scaled: as in its whole plane, measured once."""
    with _measuring:
        if (key, index) not in _scales:
            if len(_scales) > 64:
                _scales.pop(next(iter(_scales)))
            plane: Any = stack.plane(index)
            _scales[key, index] = tools.network.preparation.measured(
                plane, stack.channel_axis, recipe.channels
            )
        return _scales[key, index]
