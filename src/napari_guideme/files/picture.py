"""An image that was read: its pixels, what its axes are, and where it lies."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from napari_guideme.errors import InputError
from napari_guideme.files.geometry import Geometry
from napari_guideme.files.whole import stamp

#: Sides of the blocks of pixels by which an image is known, and how many along each axis.
_BLOCK, _BLOCKS = 32, 2


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as it was read.

    Parameters
    ----------
    pixels
        A numpy array, or a lazy dask array where the format allows. Planes, rows and
        columns in this order, so that the axes of files of medicine are reversed.
    axes
        A name for each axis: ``"z"``, ``"y"``, ``"x"``, ``"c"`` for channels and
        ``"t"`` for volumes that follow each other.
    geometry
        Where it lies; ``None`` if its file does not tell.
    kind
        What it was read from, in words that name no patient: ``"a NIfTI file"``.
    private
        Whether it may belong to a patient: its path is not written to any report then.
    kept
        What its own format needs to write labels on the same grid, which ``"series"``
        of several was read, from 1, and the folder of the ``"chunks"`` that are read lazily.
    note
        What is odd about it, in a line, of which whoever opens it is warned.
    """

    pixels: Any
    axes: tuple[str, ...]
    geometry: Geometry | None = None
    kind: str = "an image"
    private: bool = False
    kept: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def channel_axis(self) -> int | None:
        """The axis that holds channels, ``None`` for a grey image."""
        return self.axes.index("c") if "c" in self.axes else None

    @property
    def label_axes(self) -> tuple[str, ...]:
        """Axes that labels of this image have."""
        return tuple(name for name in self.axes if name != "c")

    @property
    def label_shape(self) -> tuple[int, ...]:
        """Shape that labels of this image have."""
        named = zip(self.pixels.shape, self.axes, strict=True)
        return tuple(n for n, name in named if name != "c")

    def with_channels(self, axis: int) -> Picture:
        """Return the picture with its channels along another axis.

        Raises
        ------
        InputError
            If there is no such axis.
        """
        if not -len(self.axes) <= axis < len(self.axes):
            raise InputError(
                f"there is no channel axis {axis}; the image of shape {self.pixels.shape} "
                f"has axes 0 to {len(self.axes) - 1}"
            )
        if self.axes[axis] == "c":
            return self
        return replace(self, axes=plain_axes(len(self.axes), axis))

    def volume(self, number: int | None) -> Picture:
        """Return one of the volumes that follow each other.

        Parameters
        ----------
        number
            Which one, from 0; ``None`` if there can be no choice.

        Raises
        ------
        InputError
            If there is no such volume, or several and none is chosen.
        """
        count = self.pixels.shape[self.axes.index("t")] if "t" in self.axes else 1
        if number is None and count > 1:
            axis = self.axes.index("t")
            raise InputError(
                f"the image holds {count} volumes (time points); choose one with --volume N, "
                f"from 0 to {count - 1}, or --channel-axis {axis} if they are channels"
            )
        if number is not None and not 0 <= number < count:
            raise InputError(f"there is no volume {number}; choose one from 0 to {count - 1}")
        if "t" not in self.axes:
            return self
        axis = self.axes.index("t")
        chosen = (slice(None),) * axis + (number or 0,)
        rest = tuple(name for name in self.axes if name != "t")
        return replace(self, pixels=self.pixels[chosen], axes=rest)

    def fingerprint(self) -> str:
        """SHA-256 of shape, type, place and of a few blocks of pixels spread over the image.

        Of a lazy image also of names, sizes and dates of its chunks: not all are read.
        """
        digest = hashlib.sha256(repr((self.pixels.shape, str(self.pixels.dtype))).encode())
        if self.geometry is not None:
            digest.update(np.round(self.geometry.affine, 6).tobytes())
        if "chunks" in self.kept:
            digest.update(stamp(self.kept["chunks"]).encode())
        corners = [sorted({n * i // _BLOCKS for i in range(_BLOCKS)}) for n in self.pixels.shape]
        for corner in product(*corners):
            block = tuple(slice(start, start + _BLOCK) for start in corner)
            digest.update(np.ascontiguousarray(self.pixels[block]).tobytes())
        return digest.hexdigest()


def note_on_orientation(orientation: int) -> str:
    """Say that an image is not shown as its pixels are stored, if it is not.

    Parameters
    ----------
    orientation
        As EXIF and TIFF number them: 1 is upright, 2 to 8 are turned or mirrored.
    """
    if orientation not in range(2, 9):
        return ""
    return (
        f"its pixels are stored turned or mirrored (orientation {orientation}), and the network "
        "sees them so; labels lie on the stored pixels, as napari shows them. "
        "Save it upright to have it seen upright"
    )


def plain_axes(ndim: int, channel_axis: int | None) -> tuple[str, ...]:
    """Names of axes where a file tells no more than which one holds channels."""
    spatial = ndim - (channel_axis is not None)
    names = [f"u{i}" for i in range(spatial - 3)] + list("zyx"[-min(spatial, 3) :])
    if channel_axis is not None:
        names.insert(channel_axis % ndim, "c")
    return tuple(names)
