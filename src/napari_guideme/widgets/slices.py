"""The two-dimensional slice of an image layer that the viewer shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari import Viewer
from napari.layers import Image
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.widgets.askew import is_askew, meant, shown_index
from napari_guideme.widgets.channels import are_first
from napari_guideme.widgets.geometry import to_world
from napari_guideme.widgets.rearranged import full_resolution


@dataclass(frozen=True)
class Slice:
    """Where a slice lies in its layer.

    Attributes
    ----------
    layer
        The image.
    axes
        The two axes of the layer that span the slice, in array order.
    index
        Position along every axis of the layer; those in `axes` do not count.

    Notes
    -----
    An axis of channels is none of the axes that count here.
    """

    layer: Image
    axes: tuple[int, ...]
    index: tuple[int, ...]

    @property
    def key(self) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """What tells this slice from others."""
        fixed = tuple(-1 if axis in self.axes else i for axis, i in enumerate(self.index))
        return id(self.layer), self.axes, fixed

    @property
    def place(self) -> tuple[tuple[int, ...], tuple[int, ...]] | tuple[None, None]:
        """Axes and index where other slices have other ones; of a picture none."""
        if len(self.axes) == len(self.index):
            return None, None
        return self.axes, tuple(0 if a in self.axes else i for a, i in enumerate(self.index))

    @property
    def slices(self) -> tuple[Any, ...]:
        """What selects the slice from an array of the layer's spatial shape."""
        return tuple(slice(None) if a in self.axes else i for a, i in enumerate(self.index))

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        shape = spatial_shape(self.layer)
        return tuple(shape[axis] for axis in self.axes)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Height and width of a pixel in the world."""
        return spacing(self.layer, self.axes)

    @property
    def is_askew(self) -> bool:
        """Whether napari shows it without what turns it out of the plane of the screen."""
        return is_askew(self.layer, [a for a in range(len(self.index)) if a not in self.axes])

    def meant(self, drawn: NDArray[np.floating]) -> NDArray[np.floating]:
        """Places in it that the user saw, by those (n, ndim) where napari put what was drawn."""
        return meant(self.layer, self.axes, np.asarray(self.index), drawn)

    def pixels(self) -> NDArray[Any]:
        """Read the slice; for lazy data this computes."""
        return np.asarray(full_resolution(self.layer)[self.slices])

    def holds(self, position: NDArray[np.floating]) -> bool:
        """Whether a position in the layer's array axes lies in this slice."""
        return all(
            axis in self.axes or int(np.floor(position[axis] + 0.5)) == self.index[axis]
            for axis in range(len(self.index))
        )

    def project(self, position: NDArray[np.floating]) -> tuple[float, ...]:
        """Row and column of a position in the layer's array axes."""
        return tuple(float(position[axis]) for axis in self.axes)

    def embed(self, position: tuple[float, ...]) -> tuple[float, ...]:
        """Position in the layer's array axes of a row and a column."""
        full = list(map(float, self.index))
        for axis, value in zip(self.axes, position, strict=True):
            full[axis] = value
        return tuple(full)


def shown_slice(viewer: Viewer, layer: Image) -> Slice:
    """Find the slice of a layer that the viewer shows, in 3-D the one that 2-D would show.

    Raises
    ------
    InputError
        If it shows an image of fewer than two axes.
    """
    offset = viewer.dims.ndim - spatial_ndim(layer)
    axes = tuple(sorted(axis - offset for axis in viewer.dims.order[-2:]))
    if axes[0] < 0:
        raise InputError(f"{layer.name} has no two axes in the plane that is shown")
    point = np.asarray(viewer.dims.point[offset:])
    hidden = [axis for axis in range(spatial_ndim(layer)) if axis not in axes]
    position = np.zeros(spatial_ndim(layer))
    position[hidden] = shown_index(layer, hidden, point)
    last = np.asarray(spatial_shape(layer)) - 1
    index = np.clip(np.floor(position + 0.5), 0, last).astype(int)
    return Slice(layer, axes, tuple(map(int, index)))


def touched_slices(
    viewer: Viewer, layer: Image, positions: NDArray[np.floating]
) -> tuple[list[Slice], int]:
    """Find the slices that positions (n, ndim) in a layer's array axes lie in.

    Returns
    -------
    slices
        Parallel to the one that is shown.
    outside
        How many positions lie in none.
    """
    shown = shown_slice(viewer, layer)
    found: dict[Any, Slice] = {}
    rounded = np.floor(np.asarray(positions) + 0.5).astype(int).reshape(-1, spatial_ndim(layer))
    hidden = [axis for axis in range(spatial_ndim(layer)) if axis not in shown.axes]
    sides = np.asarray(spatial_shape(layer))[hidden]
    inside = ((rounded[:, hidden] >= 0) & (rounded[:, hidden] < sides)).all(1)
    for places in np.unique(rounded[inside][:, hidden], axis=0):
        index = list(shown.index)
        for axis, place in zip(hidden, places, strict=True):
            index[axis] = int(place)
        part = Slice(layer, shown.axes, tuple(index))
        found[part.key] = part
    return list(found.values()), int((~inside).sum())


def spacing(layer: Image, axes: Sequence[int]) -> tuple[float, ...]:
    """Return the size of a pixel along axes of a layer, in the world, affine and all."""
    ndim = spatial_ndim(layer)
    origin = to_world(layer, np.zeros(ndim))
    ends = [to_world(layer, step) for step in np.eye(ndim)[list(axes)]]
    return tuple(float(np.linalg.norm(end - origin)) for end in ends)


def spatial_shape(layer: Image) -> tuple[int, ...]:
    """Shape of a layer without its channels."""
    return tuple(full_resolution(layer).shape[: spatial_ndim(layer)])


def spatial_ndim(layer: Image) -> int:
    """Count the axes of a layer that hold no channels."""
    return int(layer.ndim - are_first(layer))
