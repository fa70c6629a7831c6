"""Folders of images with truth.

Three layouts are read, files belong together by equal stems:

- ``images/`` with ``labels/``: a class in every pixel, named by ``classes.txt``
  (lines ``index name``; without it 255 is ignored unless it is a class of the network),
  or the id of an object;
- ``images/`` with ``masks/``: 0 and 255, 128 is ignored;
- ``images/`` with ``masks/`` and ``instances/STEM.json``: ids of objects with a
  class each.

``images.csv`` may add the columns ``stem``, ``split`` and ``kind``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.evaluation.names import ClassNames, read_class_list, read_rows
from napari_guideme.evaluation.truth import (
    ObjectTruth,
    Truth,
    binary_masks,
    class_values,
    named_ids,
    object_ids,
)
from napari_guideme.files import PICTURES, TIFF, read_image, read_labels
from napari_guideme.networks.frozen import FrozenNetwork


@dataclass(frozen=True)
class Item:
    """One image with truth.

    Attributes
    ----------
    name
        Stem of the file.
    image
        (rows, columns), or (planes, rows, columns) for a network that takes volumes; or with
        one more axis for channels.
    channel_axis
        The axis of `image` that holds channels, ``None`` for a grey image.
    truth
        As `image` without channels: index of the network's class, -1 where nothing counts;
        of :func:`open_objects` the id of an object.
    merged
        As what each class of the network counts, (K,): ``merged[labels]`` is
        compared with `truth`.
    kind
        What kind of image it is, if the data say so.
    spacing
        Size of a pixel along each axis, if the data say so.
    """

    name: str
    image: NDArray[Any]
    channel_axis: int | None
    truth: NDArray[np.intp]
    merged: NDArray[np.intp]
    kind: str | None = None
    spacing: tuple[float, ...] | None = None


Name = TypeVar("Name", str, int, tuple[str, int])


def sampled(names: Iterable[Name], limit: int, seed: int) -> tuple[Name, ...]:
    """Return at most so many names, chosen by the seed, in their order."""
    if limit < 1:
        raise InputError(f"the limit is {limit}; at least one image is needed")
    ordered = sorted(names)
    return tuple(sorted(random.Random(seed).sample(ordered, min(limit, len(ordered)))))


@dataclass(frozen=True)
class Entry:
    """Where one item lies."""

    name: str
    image: Path
    truth: Path
    kind: str | None = None


#: Where volumes are looked for, in whatever format they are.
_VOLUMES = "a volume lies alone in a folder, as raw (or image) and labels"

#: Is told of an image that cannot be read, or does not fit its truth, and why.
Skip = Callable[[str, InputError], None]


@dataclass(frozen=True)
class Dataset:
    """Images with truth, read one after the other when iterated over.

    Attributes
    ----------
    entries
        Where they lie.
    truth
        What the numbers in files of truth mean.
    skip
        Is told of what cannot be read, and it is left out; ``None`` refuses it.
    """

    entries: tuple[Entry, ...]
    truth: Truth | ObjectTruth
    skip: Skip | None = None

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Item]:
        skipped = 0
        for entry in self.entries:
            try:
                item = self._item(entry, *_opened(entry))
            except InputError as error:
                if self.skip is None:
                    raise
                self.skip(entry.name, error)
                skipped += 1
            else:
                yield item
        if skipped and skipped == len(self.entries):
            raise InputError("no image is left to evaluate")

    def sampled(self, limit: int, seed: int = 0) -> Dataset:
        """Return at most this many items, chosen by the seed, in order of their names."""
        named = {entry.name: entry for entry in self.entries}
        return replace(self, entries=tuple(named[n] for n in sampled(named, limit, seed)))

    def _item(self, entry: Entry, image: NDArray[Any], values: NDArray[Any]) -> Item:
        truth = self.truth.read(values, entry.name)
        channel_axis = _channel_axis(image.shape, truth.shape)
        return Item(entry.name, image, channel_axis, truth, self.truth.merged, entry.kind)


def open_dataset(
    folder: Path | str,
    network: FrozenNetwork,
    *,
    instances: bool = False,
    class_map: Path | None = None,
    split: str | None = None,
    only: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    skip: Skip | None = None,
) -> Dataset:
    """Open a folder of images with truth, as a network is to be compared with it.

    Parameters
    ----------
    folder
        One of the layouts above; ``labels`` is preferred to ``masks``.
    network
        Its classes are matched by name, regardless of case and underscores.
        Classes that it lacks count as its background, its separator counts as
        its first class of objects.
    instances
        The numbers are ids of objects: all of them are foreground, which is the
        network's first class besides background and separator. As with binary
        masks, all other classes of the network count as it.
    class_map
        Names of the network and of the data, see
        :func:`~napari_guideme.evaluation.names.read_class_map`.
    split
        Only rows of ``images.csv`` with this ``split``.
    only
        A CSV file whose column ``stem`` names the images to use, such as those
        that a network was not trained on.
    limit, seed
        Only that many images, chosen by the seed.
    skip
        Is told of files that are unreadable, and of images that differ in size from their
        truth; they are left out then, instead of being refused.

    Raises
    ------
    InputError
        If the folder has another layout; later, if a file is unreadable, not
        two-dimensional, or image and truth differ in size.
    """
    folder = Path(folder)
    truth = _truth(_truth_folder(folder), ClassNames.of(network, class_map), instances)
    dataset = Dataset(chosen_entries(folder, split, only), truth, skip)
    return dataset if limit is None else dataset.sampled(limit, seed)


def open_objects(
    folder: Path | str,
    *,
    instances: bool = False,
    split: str | None = None,
    only: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    skip: Skip | None = None,
) -> Dataset:
    """Open a folder of images with objects to be outlined one at a time, whatever they are.

    A mask is one object; with a folder ``instances``, or told to be `instances`,
    every number but 0 is one. For all else see :func:`open_dataset`.

    Raises
    ------
    InputError
        As :func:`open_dataset`, and if the numbers are classes, not objects.
    """
    folder = Path(folder)
    truth_folder = _truth_folder(folder)
    if truth_folder.name == "labels" and not instances:
        raise InputError(
            f"the numbers in {truth_folder} name classes, not objects; "
            "if they are ids of objects, say so (--instances)"
        )
    ids = instances or (folder / "instances").is_dir()
    dataset = Dataset(chosen_entries(folder, split, only), ObjectTruth(binary=not ids), skip)
    return dataset if limit is None else dataset.sampled(limit, seed)


def chosen_entries(folder: Path, split: str | None, only: Path | None) -> tuple[Entry, ...]:
    """Find the images with truth of a folder, of a split, named in a list."""
    truth_folder = _truth_folder(folder)
    images, table = _by_stem(folder / "images"), folder / "images.csv"
    if only is not None:
        images = _listed(images, only)
    rows = {row.get("stem"): row for row in read_rows(table)} if table.is_file() else {}
    told = {stem: rows.get(stem, {}) for stem in images}
    kept = {
        stem: image for stem, image in images.items() if split in (None, told[stem].get("split"))
    }
    if not kept:
        known = sorted({row["split"] for row in told.values() if row.get("split")})
        raise InputError(
            f"{folder} has no image of the split {split!r}; images.csv names "
            + (", ".join(known) or "none")
        )
    entries = _entries(kept, _by_stem(truth_folder))
    return tuple(replace(e, kind=told[e.name].get("kind") or None) for e in entries)


def _truth_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    truth = next((folder / n for n in ("labels", "masks") if (folder / n).is_dir()), None)
    if truth is None or not (folder / "images").is_dir():
        raise InputError(f"{folder} must have a folder images, and labels or masks beside it")
    return truth


def _truth(folder: Path, classes: ClassNames, instances: bool) -> Truth:
    """Say what the numbers in a folder of truth mean."""
    if instances:
        return object_ids(classes)
    if folder.name == "labels":
        names = folder.with_name("classes.txt")
        return class_values(classes, read_class_list(names) if names.is_file() else None)
    objects = folder.with_name("instances")
    return named_ids(classes, objects) if objects.is_dir() else binary_masks(classes)


def _by_stem(folder: Path) -> dict[str, Path]:
    """Readable files of a folder by their stems."""
    files = [f for f in sorted(folder.iterdir()) if f.is_file() and not f.name.startswith(".")]
    read = [file for file in files if file.suffix.lower() in PICTURES + TIFF]
    if not read:
        others = sorted(
            {"".join(f.suffixes[-2:] if f.suffix == ".gz" else [f.suffix]) for f in files}
        )
        raise InputError(
            f"there are no images in {folder}; read are {', '.join(PICTURES + TIFF)}"
            + (f", not {', '.join(others)}; {_VOLUMES}" if others else "")
        )
    by_stem = {file.stem: file for file in read}
    if len(by_stem) < len(read):
        twice = next(f for f in read if by_stem[f.stem] != f)
        raise InputError(f"{twice.name} and {by_stem[twice.stem].name} in {folder} have one name")
    return by_stem


def _entries(images: dict[str, Path], truths: dict[str, Path]) -> tuple[Entry, ...]:
    if lacking := [stem for stem in images if stem not in truths]:
        folder = next(iter(truths.values())).parent
        raise InputError(
            f"{len(lacking)} of {len(images)} images have no file in {folder}, "
            f"the first is {images[lacking[0]].name}; list the others in a CSV file, --only CSV"
        )
    return tuple(Entry(stem, image, truths[stem]) for stem, image in images.items())


def _listed(images: dict[str, Path], table: Path) -> dict[str, Path]:
    """Keep the images that a table names."""
    stems = {row.get("stem") or "" for row in read_rows(table)}
    if not stems or "" in stems:
        raise InputError(f"{table.name} must have a column 'stem' with a name in every row")
    if unknown := sorted(stems - images.keys()):
        raise InputError(
            f"{table.name} names {len(unknown)} images that are not there, "
            f"the first is {unknown[0]}"
        )
    return {stem: image for stem, image in images.items() if stem in stems}


def _opened(entry: Entry) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read an image and the numbers of its truth, which must be of one size."""
    (image, _), values = read_image(entry.image), read_labels(entry.truth)
    fits = image.shape == values.shape or _channel_axis(image.shape, values.shape) is not None
    # What has another form than rows and columns is no truth at all.
    if values.ndim == 2 and not fits:
        raise InputError(
            f"the image {entry.image.name} has shape {image.shape}, its truth "
            f"{entry.truth.parent.name}/{entry.truth.name} has {values.shape}; "
            "rows and columns must agree"
        )
    return image, values


def _channel_axis(image: tuple[int, ...], truth: tuple[int, ...]) -> int | None:
    """Find the axis that an image has more than its truth, from the last one on."""
    axes = range(len(image) - 1, -1, -1) if len(image) == len(truth) + 1 else ()
    return next((a for a in axes if image[:a] + image[a + 1 :] == truth), None)
