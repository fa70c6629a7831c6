"""Channels of an image layer: its colours, or what its first axis is said to hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

#: How the user says that the first axis holds channels.
FIRST = "First axis holds channels"

#: How an axis is called that holds channels.
NAMES = ("c", "channel", "channels")


def can_be_first(layer: Layer | None) -> bool:
    """Whether the first axis of a layer could hold channels: two more are left for a picture."""
    return isinstance(layer, Image) and not layer.rgb and layer.ndim > 2


def are_first(layer: Layer | None) -> bool:
    """Whether the first axis of a layer is called channels."""
    return layer is not None and can_be_first(layer) and layer.axis_labels[0].lower() in NAMES


def declare_first(layer: Layer, first: bool) -> None:
    """Call the first axis of a layer channels, or as napari calls an axis without a name."""
    called = NAMES[0] if first else f"-{layer.ndim}"
    layer.axis_labels = (called, *layer.axis_labels[1:])


def has_channels(layer: Layer) -> bool:
    """Whether a layer has channels, which are the last axis of what is read of it."""
    return bool(layer.rgb) or are_first(layer)


class ChannelsLast:
    """An array whose first axis holds channels, as if its last one did. Nothing is read before.

    Parameters
    ----------
    array
        numpy, dask or zarr.
    """

    def __init__(self, array: Any) -> None:
        self._array = array
        channels, *spatial = map(int, array.shape)
        self.shape = (*spatial, channels)
        self.dtype = np.dtype(array.dtype)

    def __getitem__(self, cut: tuple[Any, ...]) -> NDArray[Any]:
        spatial = len(self.shape) - 1
        channels = cut[spatial:] or (slice(None),)
        return np.moveaxis(np.asarray(self._array[(*channels, *cut[:spatial])]), 0, -1)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.moveaxis(np.array(self._array, dtype=dtype), 0, -1)
