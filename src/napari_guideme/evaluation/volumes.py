"""Volumes with truth: as a whole for a network that takes volumes, else slice by slice.

A folder holds ``raw`` or ``image``, and ``labels``, volumes of any format that is read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Item, sampled
from napari_guideme.evaluation.names import ClassNames, read_class_list
from napari_guideme.evaluation.truth import Truth, class_values, object_ids
from napari_guideme.files import IMAGE_FILES, Picture, open_image, open_labels
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.planes import Planes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VolumeItem:
    """A volume with truth.

    Attributes
    ----------
    picture
        The image.
    truth
        Of a slice along the axis, class indices (rows, columns), -1 where nothing counts.
    merged
        See `Item`.
    """

    picture: Picture
    truth: Callable[[int, int], NDArray[np.intp]]
    merged: NDArray[np.intp]


def is_volume_folder(folder: Path) -> bool:
    """Whether a folder holds a volume with labels, not a folder of images."""
    return _found(folder, ("raw", "image")) is not None


def volume_files(folder: Path) -> tuple[Path, Path]:
    """Find ``raw`` or ``image``, and ``labels``, volumes of any format, in a folder.

    Raises
    ------
    InputError
        If one is missing.
    """
    image, labels = (_found(folder, names) for names in (("raw", "image"), ("labels",)))
    if image is None or labels is None:
        raise InputError(f"{folder} must hold volumes raw (or image) and labels")
    return image, labels


def open_volume(
    folder: Path, network: FrozenNetwork, *, instances: bool = False, class_map: Path | None = None
) -> VolumeItem:
    """Open ``raw`` or ``image`` and ``labels``, volumes of any format, in a folder.

    Parameters
    ----------
    folder, network, instances, class_map
        As of `open_dataset`. With a class map that speaks of numbers ``classes.txt`` is
        not read.

    Raises
    ------
    InputError
        If a file is missing, or image and labels differ in shape.
    """
    truth = truth_of(folder, ClassNames.of(network, class_map), instances)
    return read_volume(*volume_files(folder), truth)


def read_volume(image: Path, labels: Path, truth: Truth) -> VolumeItem:
    """Read a volume and its labels.

    Parameters
    ----------
    image, labels
        Files of any format.
    truth
        What the numbers in the labels mean.

    Raises
    ------
    InputError
        If they cannot be read, are no volumes or differ in shape.
    """
    picture, told = open_image(image).volume(None), open_labels(labels).volume(None)
    numbers = _on_grid(told, picture, f"{labels.name} and {image.name}")
    if picture.label_shape != numbers.shape or numbers.ndim != 3:
        raise InputError(
            f"{image.name} has shape {picture.label_shape}, {labels.name} "
            f"{numbers.shape}; both must be volumes of one shape"
        )

    def of_slice(axis: int, index: int) -> NDArray[np.intp]:
        return truth.read(numbers.take(index, axis), labels.name)

    return VolumeItem(picture, of_slice, truth.merged)


@dataclass(frozen=True)
class SliceItems:
    """Slices of a volume with truth, read one after the other when iterated over.

    Attributes
    ----------
    volume
        The volume.
    planes
        Its slices.
    numbers
        Which of them.
    """

    volume: VolumeItem
    planes: Planes
    numbers: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Item]:
        for number in self.numbers:
            yield Item(
                f"slice {number}",
                self.planes.pixels(number),
                self.planes.channel_axis,
                self.volume.truth(self.planes.axis, number),
                self.volume.merged,
                spacing=self.planes.in_plane,
            )


def items_of(
    volume: VolumeItem,
    network: FrozenNetwork,
    *,
    axis: int = 0,
    spacing: Sequence[float] | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Iterable[Item]:
    """Return what a simulated user corrects of a volume.

    Parameters
    ----------
    volume, network
        The volume, and the network that it was opened for.
    axis
        Along which slices lie, for a network that takes rows and columns.
    spacing
        Size of a voxel, if the file does not tell.
    limit, seed
        Only that many slices, chosen by the seed.

    Returns
    -------
    The volume itself if the network takes volumes, else its slices.

    Raises
    ------
    InputError
        If there is no such axis, the spacing is not three positive numbers, or slices are
        asked for of what is corrected whole.
    """
    geometry = volume.picture.geometry
    spacing = spacing or (geometry.spacing if geometry else None)
    pixels, channel_axis = volume.picture.pixels, volume.picture.channel_axis
    planes = Planes(pixels, network, axis=axis, channel_axis=channel_axis, spacing=spacing)
    if network.preparation.ndim == 3:
        if axis or limit is not None:
            raise InputError(
                f"{network.name} takes volumes and corrects this one whole, not along an axis "
                "or some slices of it"
            )
        truth = np.stack([volume.truth(0, n) for n in range(planes.volume_shape[0])])
        whole = np.asarray(pixels)
        return [Item("volume", whole, channel_axis, truth, volume.merged, spacing=planes.spacing)]
    numbers = tuple(range(len(planes)))
    return SliceItems(volume, planes, numbers if limit is None else sampled(numbers, limit, seed))


def _on_grid(labels: Picture, picture: Picture, files: str) -> NDArray[Any]:
    """Return labels in the order of the image's voxels, in whatever order they are stored."""
    numbers = np.asarray(labels.pixels)
    if numbers.ndim != 3 or labels.geometry is None or picture.geometry is None:
        return numbers
    laid = labels.geometry.laid_on(numbers, picture.geometry)
    if laid is None:
        logger.warning(
            "%s tell that they lie at different places; voxels are compared in the order "
            "in which they are stored",
            files,
        )
        return numbers
    return laid


def truth_of(folder: Path, classes: ClassNames, instances: bool) -> Truth:
    """Return what numbers in labels of a folder mean."""
    if instances:
        return object_ids(classes)
    names = folder / "classes.txt"
    by_number = any(name.isdecimal() for name in classes.synonyms)
    listed = read_class_list(names) if names.is_file() and not by_number else None
    return class_values(classes, listed)


def _found(folder: Path, stems: Sequence[str]) -> Path | None:
    """Return the first volume in a folder that is called like this."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    for path in sorted(folder.iterdir()):
        stem = path.name.split(".")[0]
        known = path.name.lower().endswith((*IMAGE_FILES, ".zarr"))
        if stem in stems and known and (path.is_file() or path.suffix == ".zarr"):
            return path
    return None
