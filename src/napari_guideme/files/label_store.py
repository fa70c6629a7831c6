"""Labels as OME-Zarr, written chunk by chunk, so that a run that was stopped goes on.

A chunk is finished as soon as its file is there: each is written aside and
renamed, empty ones too. The labels become an OME-Zarr image when all are there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_guideme.errors import InputError
from napari_guideme.files.label_group import (
    create,
    describe,
    image_around,
    list_inside,
    make_room,
)
from napari_guideme.files.ome_zarr import OWN, ZARR, library
from napari_guideme.files.picture import Picture
from napari_guideme.files.whole import output_errors, write_whole

#: A box of voxels.
Region = tuple[slice, ...]


class OtherLabelsError(InputError):
    """Labels were begun with another image, guidance or settings.

    Parameters
    ----------
    difference
        Says so, and what differs.
    """

    def __init__(self, difference: str) -> None:
        super().__init__(f"{difference}; choose another name for the labels, or remove it")
        self.difference = difference


@dataclass(frozen=True)
class LabelStore:
    """Labels that are being written; see :meth:`open_or_create`.

    Can be handed to other processes: different chunks may be written at once.
    """

    path: Path

    @classmethod
    def open_or_create(
        cls,
        path: Path | str,
        like: Picture,
        fingerprint: str | Mapping[str, str],
        dtype: DTypeLike = np.uint32,
        chunks: Sequence[int] | None = None,
    ) -> LabelStore:
        """Begin labels, or go on with them.

        Parameters
        ----------
        path
            ``LABELS.zarr``, or ``IMAGE.zarr/labels/NAME`` inside an image.
        like
            The image, whose axes, scale and units the labels get.
        fingerprint
            Of what makes the labels: network, guidance and settings. By name, so that what
            differs can be told, or of all together.
        dtype
            Type of the labels, if they are begun.
        chunks
            Shape of a chunk, if they are begun; by default the image's own, or planes.

        Raises
        ------
        InputError
            If something else is there, or labels of another image or guidance.
        OtherLabelsError
            If it is the latter; tells what differs.
        """
        path = Path(path)
        check_store(path)
        told = {"guidance": fingerprint} if isinstance(fingerprint, str) else dict(fingerprint)
        if not path.exists():
            make_room(path)
            write_whole(path, lambda new: create(new, path, like, told, dtype, chunks))
        store = cls(path)
        if other := store._differing(told, like):
            raise OtherLabelsError(f"{path.name} was begun with another {', '.join(other)}")
        return store

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the labels."""
        return tuple(self._array.shape)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk; those at the end may be smaller."""
        return tuple(self._array.chunks)

    @property
    def finished(self) -> bool:
        """Whether :meth:`finish` was called."""
        return bool(self._own.get("finished"))

    def missing(self, along: int | None = None) -> Iterator[Region]:
        """Yield regions that are not written yet, in order.

        Parameters
        ----------
        along
            An axis: slabs as thick as a chunk along it, and whole along the others,
            for what works plane by plane. By default single chunks.
        """
        grid = [range(-(-n // step)) for n, step in zip(self.shape, self.chunks, strict=True)]
        if along is None:
            yield from (self._region(i) for i in product(*grid) if not self._is_there(i))
            return
        for place in grid[along]:
            slab = [[place] if axis == along else r for axis, r in enumerate(grid)]
            if not all(self._is_there(index) for index in product(*slab)):
                whole = [slice(0, n) for n in self.shape]
                whole[along] = self._region([place] * len(grid))[along]
                yield tuple(whole)

    def holds(self, region: Region) -> bool:
        """Whether all chunks of a region are written."""
        spans = zip(region, self.chunks, strict=True)
        grid = [range(part.start // step, -(-part.stop // step)) for part, step in spans]
        return all(self._is_there(index) for index in product(*grid))

    def remove(self) -> None:
        """Remove the labels.

        Raises
        ------
        InputError
            If what is there was not written by us.
        """
        check_store(self.path)
        with output_errors(self.path):
            shutil.rmtree(self.path)

    def write(self, region: Region, labels: NDArray[np.integer]) -> None:
        """Write the chunks of a region that are not there yet, each whole or not at all.

        Raises
        ------
        ValueError
            If the region is not made of whole chunks, or the labels have another shape.
        InputError
            If labels are no whole numbers, or do not fit the type of the store.
        """
        spans = [part.indices(n)[:2] for part, n in zip(region, self.shape, strict=True)]
        for (start, stop), step, n in zip(spans, self.chunks, self.shape, strict=True):
            if start % step or (stop % step and stop != n):
                raise ValueError(f"{start} to {stop} is not made of whole chunks of {step}")
        if labels.shape != tuple(stop - start for start, stop in spans):
            raise ValueError(f"labels of shape {labels.shape} do not fill the region")
        labels = self._fitting(labels)
        grid = [
            range(start // step, -(-stop // step))
            for (start, stop), step in zip(spans, self.chunks, strict=True)
        ]
        for index in product(*grid):
            if not self._is_there(index):
                chunk = self._region(index)
                inside = tuple(
                    slice(part.start - start, part.stop - start)
                    for part, (start, _) in zip(chunk, spans, strict=True)
                )
                with output_errors(self.path):
                    self._array[chunk] = labels[inside]

    def finish(self) -> None:
        """Make the labels an OME-Zarr image, which lists them if they lie inside it.

        Raises
        ------
        ValueError
            If chunks are missing.
        """
        if next(self.missing(), None) is not None:
            raise ValueError("there are chunks missing")
        if not self.finished:
            describe(self._group, image_around(self.path))
            self.__dict__.pop("_own", None)
        list_inside(self.path)

    @cached_property
    def _group(self) -> Any:
        return library().open_group(str(self.path), mode="r+")

    @cached_property
    def _own(self) -> dict[str, Any]:
        return dict(self._group.attrs[OWN])

    @cached_property
    def _array(self) -> Any:
        return self._group["0"].with_config({"write_empty_chunks": True})

    def _differing(self, fingerprint: Mapping[str, str], like: Picture) -> list[str]:
        """Name what is another one than when the labels were begun."""
        begun = self._own.get("fingerprint")
        if not isinstance(begun, dict):  # By an earlier version, all in one.
            return ["guidance"]
        begun = {**begun, "image": self._own.get("image")}
        wanted = {**fingerprint, "image": like.fingerprint()}
        return [name for name in wanted if begun.get(name) != wanted[name]]

    def _fitting(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return labels in the store's own type, which must not change them."""
        dtype = self._array.dtype
        with np.errstate(invalid="ignore"):
            fitting: NDArray[Any] = labels.astype(dtype)
        if not np.array_equal(fitting, labels):
            bounds = np.iinfo(dtype)
            raise InputError(
                f"labels are whole numbers from {bounds.min} to {bounds.max} here ({dtype}); "
                "there are others among them"
            )
        return fitting

    def _region(self, index: Sequence[int]) -> Region:
        return tuple(
            slice(i * step, min((i + 1) * step, n))
            for i, step, n in zip(index, self.chunks, self.shape, strict=True)
        )

    def _is_there(self, index: tuple[int, ...]) -> bool:
        key: str = self._array.metadata.encode_chunk_key(index)
        return (self.path / "0" / key).is_file()


def is_store(path: Path) -> bool:
    """Whether a path is that of labels as OME-Zarr."""
    return path.name.lower().endswith(ZARR) or image_around(path) is not None


def check_store(path: Path) -> None:
    """Raise `InputError` if labels can neither be begun nor gone on with at a path."""
    zarr = library()
    image = image_around(path)
    with output_errors(path), tempfile.TemporaryFile(dir=image or path.parent):
        pass
    if not path.exists():
        return
    try:
        ours = path.is_dir() and OWN in zarr.open_group(str(path), mode="r").attrs
    except Exception:
        ours = False
    if not ours:
        raise InputError(
            f"{path.name} is there already and was not written by napari-guideme; "
            "choose another name for the labels"
        )


def write_store(path: Path, labels: NDArray[np.integer], like: Picture) -> None:
    """Write labels in one go; older ones of ours make room when the new ones are complete."""
    check_store(path)
    fitting = np.min_scalar_type(int(labels.max(initial=0)))

    old = path.with_name(f".{path.name}.old")

    def save(new: Path) -> None:
        create(new, path, like, {}, fitting, None)
        store = LabelStore(new)
        store.write(tuple(slice(0, n) for n in labels.shape), labels)
        describe(store._group, image_around(path))
        if path.exists():
            if old.exists():  # Left by a run that was killed after it had replaced the labels.
                shutil.rmtree(old)
            path.rename(old)

    make_room(path)
    try:
        write_whole(path, save)
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
    shutil.rmtree(old, ignore_errors=True)
    list_inside(path)
