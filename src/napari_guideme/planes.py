"""A volume slice by slice, and as a frozen network sees it, a few slices in memory."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError, whole_number
from napari_guideme.guidance.scene import Scene
from napari_guideme.motion import brightness
from napari_guideme.networks.channels import checked_axis
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.tiles import LARGEST, alignment
from napari_guideme.spacing import checked

#: Slices whose activations are kept.
KEPT = 4

#: Slices that a network of three axes runs at once, besides its halo, at least.
SLAB = 16


class Slices:
    """The slices of a volume along one axis, read when they are asked for.

    Parameters
    ----------
    volume
        numpy, dask or zarr: three spatial axes, and at most one for channels. What comes
        before, such as time, is chosen beforehand.
    axis
        Spatial axis that the slices lie along.
    channel_axis
        The axis of `volume` that holds channels.

    Raises
    ------
    InputError
        If there are not three spatial axes, or the axis is none of them.
    """

    def __init__(self, volume: Any, axis: int = 0, channel_axis: int | None = None) -> None:
        volume = volume if hasattr(volume, "shape") else np.asarray(volume)
        self._channel_axis = checked_axis(channel_axis, volume.shape)
        spatial = [a for a in range(len(volume.shape)) if a != self._channel_axis]
        if len(spatial) != 3:
            raise InputError(
                f"a volume has three spatial axes, shape {tuple(volume.shape)} has "
                f"{len(spatial)}" + (" (name its channel axis?)" if len(spatial) == 4 else "")
            )
        if not -3 <= (axis := whole_number("axis", axis)) < 3:
            raise InputError(f"there is no axis {axis}; choose 0, 1 or 2")
        self.axis, self._volume = axis % 3, volume
        self._along = spatial[self.axis]
        self.volume_shape = tuple(int(volume.shape[a]) for a in spatial)

    def __len__(self) -> int:
        return self.volume_shape[self.axis]

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns of a slice."""
        return self.volume_shape[: self.axis] + self.volume_shape[self.axis + 1 :]

    @property
    def channel_axis(self) -> int | None:
        """The axis of a slice's pixels that holds channels, ``None`` if they are grey."""
        if self._channel_axis is None or self._channel_axis < self._along:
            return self._channel_axis
        return self._channel_axis - 1

    def pixels(self, index: int) -> NDArray[Any]:
        """Read one slice."""
        return np.asarray(self._volume[self._cut(index)])

    def brightness(self, index: int) -> NDArray[np.float32]:
        """Return the brightness of one slice over all of its channels, (rows, columns)."""
        return brightness(self.pixels(index), self.channel_axis)

    def _cut(self, where: int | slice) -> tuple[Any, ...]:
        cut: list[Any] = [slice(None)] * len(self._volume.shape)
        cut[self._along] = where
        return tuple(cut)


class Planes(Slices):
    """The slices of a volume along one axis, as a frozen network sees them.

    A network of two axes runs on each slice alone, as on an image of its own. One of
    three axes runs on slabs with a halo, values scaled as in the whole volume. Slices are
    read when they are asked for.

    Parameters
    ----------
    volume
        numpy, dask or zarr: three spatial axes, and at most one for channels. What comes
        before, such as time, is chosen beforehand.
    network
        The frozen network.
    axis
        Spatial axis that the slices lie along.
    channel_axis, channels
        See :meth:`Preparation.prepare`.
    spacing
        Size of a voxel along each spatial axis.
    point
        Guide point; the network's own by default.

    Raises
    ------
    InputError
        If there are not three spatial axes, the axis is none of them, or a spacing is
        not positive.
    """

    def __init__(
        self,
        volume: Any,
        network: FrozenNetwork,
        *,
        axis: int = 0,
        channel_axis: int | None = None,
        channels: Sequence[int] | None = None,
        spacing: Sequence[float] | None = None,
        point: str | None = None,
    ) -> None:
        super().__init__(volume, axis, channel_axis)
        self.network = network
        self._channels, self._point = channels, point
        self.spacing = checked(spacing, 3)
        self._kept: OrderedDict[int, Scene] = OrderedDict()
        self._slab: dict[int, Scene] = {}
        self._measured = (
            network.preparation.measured(self._volume, self._channel_axis, channels)
            if network.preparation.ndim == 3
            else None
        )

    @property
    def thickness(self) -> float:
        """Distance between slices in typical pixels of the plane."""
        return float(self.spacing[self.axis] / np.sqrt(np.prod(self.in_plane)))

    @property
    def in_plane(self) -> tuple[float, ...]:
        """Height and width of a pixel of a slice."""
        return self.spacing[: self.axis] + self.spacing[self.axis + 1 :]

    def scene(self, index: int) -> Scene:
        """Return one slice as the network sees it; that of the last few is kept."""
        if not 0 <= whole_number("the number of a slice", index) < len(self):
            raise InputError(f"there is no slice {index}; choose 0 to {len(self) - 1}")
        if index not in self._kept:
            self._kept[index] = self._flat(index) if self._measured is None else self._deep(index)
        self._kept.move_to_end(index)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[index]

    def _flat(self, index: int) -> Scene:
        return Scene(
            self.network,
            self.pixels(index),
            channel_axis=self.channel_axis,
            channels=self._channels,
            point=self._point,
            spacing=self.in_plane,
        )

    def _deep(self, index: int) -> Scene:
        """Cut a slice out of the slab around it, all of whose slices are kept."""
        if index not in self._slab:
            multiple = alignment(self.network)
            halo = -(-self.network.halo // multiple) * multiple
            count = self._at_once(halo, multiple)
            first = index - index % count
            counts = range(first, min(first + count, len(self)))
            start, stop = max(first - halo, 0), min(counts.stop + halo, len(self))
            self._slab = {}
            slab = Scene(
                self.network,
                np.asarray(self._volume[self._cut(slice(start, stop))]),
                channel_axis=self._channel_axis,
                channels=self._channels,
                point=self._point,
                preparation=self._measured,
                spacing=self.spacing,
            )
            slab.logits  # noqa: B018  # One pass, of which all slices are cut.
            self._slab = {at: slab.plane(self.axis, at - start) for at in counts}
        return self._slab[index]

    def _at_once(self, halo: int, multiple: int) -> int:
        """Slices of a slab: all of a volume that fits through the network in one pass."""
        fitting = LARGEST // math.prod(self.shape)
        if fitting >= len(self):
            return len(self)
        return max((fitting - 2 * halo) // multiple, -(-SLAB // multiple)) * multiple
