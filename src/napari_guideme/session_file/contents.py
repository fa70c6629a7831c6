"""What a session file tells.

Of the image it holds where its file lies as seen from the session file, shape, kind of
number, and a hash of the pixels that were corrected: no pixels, and none of the metadata
in which files of images name patients. Of what may be a patient's image not even the path
is kept, as it may hold a name; an autosave keeps none at all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.history import History
from napari_guideme.language import DEFAULT_TELLING

if TYPE_CHECKING:
    from napari_guideme.session_file.searches import Search

SUFFIX = ".guideme.json"
FORMAT = "napari-guideme session"
#: What this program reads; it writes the oldest that can tell what is to be told.
VERSION, WITH_VOLUMES, OLDEST = 3, 2, 1

#: Bytes that are hashed at a time, so that no second copy of an image is made.
_CHUNK = 1 << 24


@dataclass(frozen=True)
class ImageReference:
    """Which image was corrected.

    Attributes
    ----------
    path
        Of its file, ``None`` if it has none, or one that may name a patient.
    shape, dtype
        Of the whole array, channels included, and of its numbers.
    series, volume, channel_axis
        What was chosen of the file, as :func:`~napari_guideme.files.open_image` and
        :class:`~napari_guideme.files.Picture` take it; a series by its number.
    """

    path: Path | None
    shape: tuple[int, ...]
    dtype: str
    series: int | None = None
    volume: int | None = None
    channel_axis: int | None = None

    @classmethod
    def of(cls, array: Any, path: Path | None = None, **chosen: int | None) -> ImageReference:
        """Refer to an array, which is not read, and to what was chosen of its file."""
        return cls(path, tuple(map(int, array.shape)), kind(array.dtype), **chosen)

    def fits(self, array: Any) -> bool:
        """Whether an array has this shape and these numbers."""
        return (self.shape, self.dtype) == (tuple(array.shape), kind(array.dtype))


@dataclass(frozen=True)
class NetworkReference:
    """Which network was corrected.

    Attributes
    ----------
    source
        What :func:`~napari_guideme.networks.catalogue.open_network` takes: a name, or a path.
    fingerprint
        See :attr:`~napari_guideme.networks.frozen.FrozenNetwork.fingerprint`.
    card
        What was told about it beside its file, as a card's table.
    """

    source: str | Path
    fingerprint: str
    card: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class FileReference:
    """A file and the SHA-256 of its content; without a path it lies where it is found."""

    path: Path | None
    sha256: str

    @classmethod
    def of(cls, path: Path, *, is_found: bool = False) -> FileReference:
        """Refer to a file."""
        try:
            return cls(None if is_found else path, hashlib.sha256(path.read_bytes()).hexdigest())
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error


@dataclass(frozen=True)
class Setup:
    """How a session is opened, besides image and network; the device is no part of it.

    Attributes
    ----------
    calibrated
        Where to guide as a calibration found it, if nobody chose a `guide_point`.
    patient
        To which side of the patient the axes lead, for words.
    spacing
        Size of a pixel along each axis; ``None`` if all are equal, as to earlier versions all
        were where a network takes no clicks.
    locked
        Whether pixels of committed objects stay theirs.
    """

    channel_axis: int | None = None
    channels: tuple[int, ...] | None = None
    guide_point: str | None = None
    calibrated: str | None = None
    telling: str = DEFAULT_TELLING
    text_guide: FileReference | None = None
    patient: tuple[str, ...] = ()
    zoom: int | None = None
    spacing: tuple[float, ...] | None = None
    locked: bool = True


@dataclass(frozen=True)
class Part:
    """What was done to a part of the image.

    Attributes
    ----------
    axes, index
        For a slice: the spatial axes that span it, and its position along every
        spatial axis, of which those in `axes` do not count. ``None`` for the whole image.
    sha256
        Of its pixels, see :func:`digest`.
    inherited
        What was carried to the slice before, as
        :class:`~napari_guideme.volumes.inherited.Inherited` writes it; ``None`` if nothing was.
    search
        What was looked for before anything was corrected, and how; ``None`` if nothing was.
    """

    axes: tuple[int, ...] | None
    index: tuple[int, ...] | None
    sha256: str
    setup: Setup
    history: History
    inherited: Mapping[str, Any] | None = None
    search: Search | None = None

    @property
    def slices(self) -> tuple[slice | int, ...]:
        """What selects the part from the spatial axes of the image."""
        if self.axes is None or self.index is None:
            return ()
        return tuple(slice(None) if a in self.axes else i for a, i in enumerate(self.index))

    def pixels(self, image: Any) -> NDArray[Any]:
        """Read the part's pixels from an image; of a lazy one no others."""
        try:
            return np.asarray(image[self.slices] if self.slices else image)
        except IndexError as error:
            raise InputError(f"the image has no slice at {self.index}: {error}") from error

    def checked_pixels(self, image: Any) -> NDArray[Any]:
        """Read the part's pixels; raise `InputError` if they are not those that were corrected."""
        pixels = self.pixels(image)
        if digest(pixels) != self.sha256:
            raise InputError("the image is not that of the session, or was changed since")
        return pixels

    def matches(self, image: Any) -> bool:
        """Whether an image of the right shape has the very pixels that were corrected."""
        return digest(self.pixels(image)) == self.sha256


@dataclass(frozen=True)
class Volume:
    """How slices of a volume belong together.

    Attributes
    ----------
    axis
        Spatial axis that the slices lie along.
    extent
        How far corrections are carried, after all slices were corrected.
    sha256
        Of the whole volume: slices that nobody touched are labelled, too.
    spacing
        Size of a voxel along each spatial axis.
    """

    axis: int
    extent: str
    sha256: str
    spacing: tuple[float, ...] | None = None


@dataclass(frozen=True)
class SessionFile:
    """All that a session file tells.

    Attributes
    ----------
    instances
        Whether labels are written with one id per object.
    volume
        If all slices of a volume are labelled.
    """

    image: ImageReference
    network: NetworkReference
    parts: tuple[Part, ...]
    instances: bool = False
    volume: Volume | None = None

    def seen(self, array: Any, channel_axis: int | None) -> Any:
        """Return an image as parts are cut of it: with its channels last, if they say so."""
        last = all(part.setup.channel_axis == -1 for part in self.parts)
        return channels_last(array, channel_axis) if last else array

    def with_channels_last(self, array: Any) -> SessionFile:
        """The same session of an image with its channels last; of another image as it is.

        Parameters
        ----------
        array
            Pixels of the image as it is.
        """
        if not self.image.fits(array):
            return self
        moved = channels_last(array, self.image.channel_axis)
        parts = [
            replace(
                part,
                sha256=digest(part.pixels(moved)),
                setup=replace(part.setup, channel_axis=-1),
            )
            if part.setup.channel_axis not in (None, -1) and part.matches(array)
            else part
            for part in self.parts
        ]
        return replace(self, parts=tuple(parts))

    def check_image(self, array: Any, name: str, seen: Any = None) -> None:
        """Raise `InputError` if an image is not the one that was corrected.

        Parameters
        ----------
        array
            Its pixels.
        name
            What it is called.
        seen
            The same as its parts are cut of it, if that differs.
        """
        seen = array if seen is None else seen
        if not self.image.fits(array):
            raise InputError(
                f"{name} is not the image of this session: it has shape {_sides(array.shape)} "
                f"of {kind(array.dtype)}, expected is {_sides(self.image.shape)} "
                f"of {self.image.dtype}"
            )
        if not all(part.matches(seen) for part in self.parts):
            raise InputError(
                f"{name} is not the image of this session, or was changed since: "
                "its pixels are others"
            )

    def check_network(self, fingerprint: str, name: str) -> None:
        """Raise `InputError` if a network is not the one that was corrected."""
        if fingerprint != self.network.fingerprint:
            raise InputError(
                f"the session was made with the network {Path(self.network.source).name} "
                f"({self.network.fingerprint[:12]}); {name} ({fingerprint[:12]}) is another "
                "one, or was changed since"
            )


def channels_last(array: Any, channel_axis: int | None) -> Any:
    """Return an image with its channels last; of a lazy one nothing is read."""
    return array if channel_axis is None else np.moveaxis(array, channel_axis, -1)


def digest(array: NDArray[Any]) -> str:
    """SHA-256 of an array's content with its shape and kind of number, on any machine the same."""
    told = hashlib.sha256(f"{kind(array.dtype)} {tuple(map(int, array.shape))}".encode())
    rows = max(1, _CHUNK // max(1, array[:1].nbytes)) if array.ndim else 1
    little = array.dtype.newbyteorder("<")
    for start in range(0, len(array) if array.ndim else 0, rows):
        chunk = np.ascontiguousarray(array[start : start + rows], dtype=little)
        told.update(chunk.view(np.uint8).data)
    return told.hexdigest()


def kind(dtype: Any) -> str:
    """Name of a kind of number, whatever the order of its bytes."""
    name: str = np.dtype(dtype).newbyteorder("=").name
    return name


def relative(path: Path, folder: Path) -> str:
    """Path as seen from a folder, with slashes; from another drive the whole path."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def _sides(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
