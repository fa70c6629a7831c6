"""All slices of an image layer along one axis, as a volume that is read slice by slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_guideme.spacing import proportions
from napari_guideme.widgets.rearranged import full_resolution
from napari_guideme.widgets.slices import Slice, spacing, spatial_shape


@dataclass(frozen=True)
class Stack:
    """The slices that are seen one after the other while a slider moves.

    Attributes
    ----------
    part
        One of them.
    axis
        The axis of the layer that they lie along.
    """

    part: Slice
    axis: int

    @classmethod
    def of(cls, part: Slice) -> Stack | None:
        """Return the stack of a slice, along the last axis that is not displayed.

        ``None`` if all axes are displayed, or the others have one position only.
        """
        shape = spatial_shape(part.layer)
        hidden = [axis for axis, n in enumerate(shape) if axis not in part.axes and n > 1]
        return cls(part, hidden[-1]) if hidden else None

    def __len__(self) -> int:
        return spatial_shape(self.layer)[self.axis]

    @property
    def layer(self) -> Image:
        """The image."""
        return self.part.layer

    @property
    def index(self) -> int:
        """Number of its one slice that was named."""
        return self.part.index[self.axis]

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from others, the named slice apart: also how far its slices lie apart."""
        return self.axis, self.slice(0).key, proportions(self.spacing)

    def slice(self, index: int) -> Slice:
        """Return the slice of that number."""
        position = list(self.part.index)
        position[self.axis] = index
        return replace(self.part, index=tuple(position))

    @property
    def axes(self) -> tuple[int, ...]:
        """Axes of the layer that are axes of the volume, in array order."""
        return tuple(sorted((*self.part.axes, self.axis)))

    @property
    def spacing(self) -> tuple[float, ...]:
        """Size of a voxel along each axis of the volume, in the world."""
        return spacing(self.layer, self.axes)

    @property
    def volume(self) -> VolumeView:
        """The volume; nothing is read yet."""
        fixed = tuple(None if a in self.axes else i for a, i in enumerate(self.part.index))
        return VolumeView(full_resolution(self.layer), fixed)


class VolumeView:
    """An array with some of its first axes fixed. It reads what is asked for and no more.

    Parameters
    ----------
    array
        numpy, dask or zarr.
    fixed
        For its first axes the position, ``None`` where all of them count; axes beyond, such
        as colours, count.
    """

    def __init__(self, array: Any, fixed: Sequence[int | None]) -> None:
        self._array = array
        self._fixed = (*fixed, *(None for _ in array.shape[len(fixed) :]))
        self.shape = tuple(
            int(n) for n, at in zip(array.shape, self._fixed, strict=True) if at is None
        )
        self.dtype = np.dtype(array.dtype)

    def __getitem__(self, cut: tuple[Any, ...]) -> NDArray[Any]:
        rest = iter(cut)
        return np.asarray(self._array[tuple(next(rest) if i is None else i for i in self._fixed)])
