"""Several volumes with truth: each is opened when its turn comes.

A folder holds ``images`` and ``labels`` with NIfTI or NRRD files of the same names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Entry, Item, Skip, sampled
from napari_guideme.evaluation.names import ClassNames
from napari_guideme.evaluation.truth import Truth
from napari_guideme.evaluation.volumes import SliceItems, items_of, read_volume, truth_of
from napari_guideme.files import IMAGE_FILES, VOLUME_FILES, open_image
from napari_guideme.networks.frozen import FrozenNetwork


@dataclass(frozen=True)
class SeveralVolumes:
    """What a simulated user corrects of several volumes.

    Attributes
    ----------
    entries
        Where they lie.
    truth
        What the numbers in their labels mean.
    network, axis, spacing
        As :func:`~napari_guideme.evaluation.volumes.items_of` takes them.
    numbers
        Which slices of each, by its name; ``None`` for volumes that are corrected whole.
    skip
        Is told of what cannot be read, and it is left out; ``None`` refuses it.
    """

    entries: tuple[Entry, ...]
    truth: Truth
    network: FrozenNetwork
    axis: int
    spacing: Sequence[float] | None
    numbers: Mapping[str, tuple[int, ...]] | None
    skip: Skip | None = None

    def __len__(self) -> int:
        if self.numbers is None:
            return len(self.entries)
        return sum(map(len, self.numbers.values()))

    def __iter__(self) -> Iterator[Item]:
        left = 0
        for entry in self.entries:
            try:
                for item in self._items(entry):
                    left += 1
                    yield item
            except InputError as error:
                if self.skip is None:
                    raise
                self.skip(entry.name, error)
        if self.skip and not left:
            raise InputError("no image is left to evaluate")

    def _items(self, entry: Entry) -> Iterator[Item]:
        numbers = None if self.numbers is None else self.numbers.get(entry.name, ())
        if numbers == ():
            return
        volume = read_volume(entry.image, entry.truth, self.truth)
        items = items_of(volume, self.network, axis=self.axis, spacing=self.spacing)
        if numbers is not None and isinstance(items, SliceItems):
            items = replace(items, numbers=numbers)
        for item in items:
            yield replace(item, name=f"{entry.name}, {item.name}")


def volume_entries(folder: Path) -> tuple[Entry, ...]:
    """Find the volumes of a folder; none if its ``images`` are others.

    Raises
    ------
    InputError
        If one has no labels.
    """
    images = _files(folder / "images", IMAGE_FILES)
    if not images or not all(file.name.lower().endswith(VOLUME_FILES) for file in images.values()):
        return ()
    labels = _files(folder / "labels", VOLUME_FILES)
    if missing := sorted(images.keys() - labels.keys()):
        raise InputError(f"{folder / 'labels'} holds no volume {missing[0]}")
    return tuple(Entry(name, images[name], labels[name]) for name in sorted(images))


def open_volumes(
    folder: Path,
    network: FrozenNetwork,
    *,
    instances: bool = False,
    class_map: Path | None = None,
    axis: int = 0,
    spacing: Sequence[float] | None = None,
    limit: int | None = None,
    seed: int = 0,
    skip: Skip | None = None,
) -> SeveralVolumes:
    """Open the volumes of a folder, as a network is to be compared with them.

    Parameters
    ----------
    folder, network, instances, class_map
        As of :func:`~napari_guideme.evaluation.volumes.open_volume`.
    axis
        Along which slices lie, for a network that takes rows and columns.
    spacing
        Size of a voxel, if files do not tell.
    limit, seed
        Only that many volumes, or slices for a network that takes rows and columns.
    skip
        Is told of volumes that cannot be read or differ in size from their labels.

    Raises
    ------
    InputError
        If one has no labels; later, if one cannot be read.
    """
    truth = truth_of(folder, ClassNames.of(network, class_map), instances)
    entries = volume_entries(folder)
    if network.preparation.ndim == 3:
        if limit is not None:
            named = {entry.name: entry for entry in entries}
            entries = tuple(named[name] for name in sampled(named, limit, seed))
        return SeveralVolumes(entries, truth, network, axis, spacing, None, skip)
    numbers = [(e.name, n) for e in entries for n in range(_length(e.image, axis, skip))]
    if limit is not None:
        numbers = list(sampled(numbers, limit, seed))
    chosen = {e.name: tuple(n for name, n in numbers if name == e.name) for e in entries}
    return SeveralVolumes(entries, truth, network, axis, spacing, chosen, skip)


def _length(image: Path, axis: int, skip: Skip | None) -> int:
    """How many slices a volume has; one that cannot be read is told of later, by its first."""
    try:
        shape = open_image(image).volume(None).label_shape
    except InputError:
        if skip is None:
            raise
        return 1
    if axis >= len(shape):
        raise InputError(f"{image.name} has no axis {axis}; choose 0 to {len(shape) - 1}")
    return shape[axis]


def _files(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """Files with one of some endings, by their names without it."""
    found = {}
    for file in folder.iterdir() if folder.is_dir() else ():
        ending = max((e for e in endings if file.name.lower().endswith(e)), key=len, default=None)
        if ending is not None and not file.name.startswith("."):
            found[file.name[: -len(ending)]] = file
    return found
