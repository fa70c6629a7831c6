"""Folders of images whose objects have names, to be referred to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Dataset, Item, Skip, chosen_entries
from napari_guideme.evaluation.names import IGNORED_NAMES, plain, read_class_list
from napari_guideme.evaluation.truth import ObjectTruth, read_objects
from napari_guideme.referring.scenes import MeasuredScene, measured_scene, objects_of_classes


@dataclass(frozen=True)
class NamedItem:
    """An image and its objects.

    Attributes
    ----------
    name
        Stem of the file.
    image, channel_axis
        As in :class:`~napari_guideme.evaluation.datasets.Item`.
    ids
        Of the object in each pixel, (rows, columns), 0 where there is none.
    names
        Class of each id, or the one that all have.
    """

    name: str
    image: NDArray[Any]
    channel_axis: int | None
    ids: NDArray[np.intp]
    names: Mapping[int, str] | str

    def name_of(self, object_id: int) -> str:
        """Class of an object."""
        if isinstance(self.names, str):
            return self.names
        if object_id not in self.names:
            raise InputError(f"the object {object_id} has no name")
        return self.names[object_id]

    @property
    def scene(self) -> MeasuredScene:
        """Its objects, measured."""
        return measured_scene(self.image, self.ids, self.names, self.channel_axis)


@dataclass(frozen=True)
class NamedObjects:
    """Images with named objects, read one after the other when iterated over."""

    dataset: Dataset
    folder: Path
    names: Mapping[int, str] | str | None

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[NamedItem]:
        return map(self._named, self.dataset)

    def _named(self, item: Item) -> NamedItem:
        ids, names = item.truth, self.names
        if names is None:
            names = read_objects(self.folder / "instances" / f"{item.name}.json")
        elif not isinstance(names, str):
            ids, names = objects_of_classes(ids, names)
        return NamedItem(item.name, item.image, item.channel_axis, ids, names)


def open_named_objects(
    folder: Path | str,
    names: Mapping[int, str] | str | None = None,
    *,
    split: str | None = None,
    only: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    skip: Skip | None = None,
) -> NamedObjects:
    """Open a folder of images whose objects are to be referred to.

    Parameters
    ----------
    folder
        See :mod:`napari_guideme.evaluation.datasets`.
    names
        The one name of all objects, if the numbers in the masks are ids of objects;
        or the names of the numbers, if these are classes, whose connected parts
        become objects. If missing, names are taken from ``instances``, else from
        ``classes.txt`` without background and what is to be ignored.
    split, only, limit, seed, skip
        See :func:`~napari_guideme.evaluation.datasets.open_dataset`.

    Raises
    ------
    InputError
        If nothing names the objects, or the folder has another layout.
    """
    folder = Path(folder)
    dataset = Dataset(chosen_entries(folder, split, only), ObjectTruth(binary=False), skip)
    if limit is not None:
        dataset = dataset.sampled(limit, seed)
    if names is None and not (folder / "instances").is_dir():
        names = _classes(folder / "classes.txt")
    return NamedObjects(dataset, folder, names)


def _classes(path: Path) -> dict[int, str]:
    if not path.is_file():
        raise InputError(
            f"nothing names the objects in {path.parent}: neither instances/STEM.json nor "
            "classes.txt; say what they are by --names NAME"
        )
    return {
        value: name
        for value, name in read_class_list(path).items()
        if not IGNORED_NAMES.search(name) and plain(name) != "background"
    }
