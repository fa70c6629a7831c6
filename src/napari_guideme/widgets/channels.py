"""Channels of an image layer: its colours, or what one of its axes is said to hold.

napari shows the last axes as a picture, so channels along another axis than the first one would
stand in the way of a slider: such an image is shown in another way, see
:mod:`napari_guideme.widgets.rearranged`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

#: How the user says which axis holds channels: this, and its number.
ALONG = "Channels along axis"

#: How an axis is called that holds channels.
NAMES = ("c", "channel", "channels")


def can_have_channels(layer: Layer | None) -> bool:
    """Whether an axis of a layer could hold channels: two more are left for a picture."""
    return isinstance(layer, Image) and not layer.rgb and layer.ndim > 2


def are_first(layer: Layer | None) -> bool:
    """Whether the first axis of a layer is called channels."""
    return layer is not None and can_have_channels(layer) and layer.axis_labels[0].lower() in NAMES


def declare_first(layer: Layer, first: bool) -> None:
    """Call the first axis of a layer channels, or as napari calls an axis without a name."""
    called = NAMES[0] if first else f"-{layer.ndim}"
    layer.axis_labels = (called, *layer.axis_labels[1:])


def has_channels(layer: Layer) -> bool:
    """Whether a layer has channels, which are the last axis of what is read of it."""
    return bool(layer.rgb) or are_first(layer)


class MovedAxis:
    """An array one axis of which has another place. Nothing is read before it is asked for.

    Parameters
    ----------
    array
        numpy, dask or zarr.
    source, target
        Where the axis is, and where it is to be; from the end if negative.
    """

    def __init__(self, array: Any, source: int, target: int) -> None:
        self._array = array
        self.ndim = len(array.shape)
        self._source, self._target = source % self.ndim, target % self.ndim
        self.shape = tuple(_moved(map(int, array.shape), self._source, self._target))
        self.dtype = np.dtype(array.dtype)

    def __getitem__(self, cut: Any) -> NDArray[Any]:
        cut = cut if isinstance(cut, tuple) else (cut,)
        cut = (*cut, *(slice(None),) * (self.ndim - len(cut)))
        stored = _moved(cut, self._target, self._source)
        read = np.asarray(self._array[tuple(stored)])
        if not isinstance(stored[self._source], slice):
            return read
        # Axes of which one position was asked for are gone.
        return np.moveaxis(read, _kept(stored[: self._source]), _kept(cut[: self._target]))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.moveaxis(np.array(self._array, dtype=dtype), self._source, self._target)


def _moved(values: Iterable[Any], source: int, target: int) -> list[Any]:
    rest = list(values)
    rest.insert(target, rest.pop(source))
    return rest


def _kept(cut: Sequence[Any]) -> int:
    return sum(isinstance(part, slice) for part in cut)
