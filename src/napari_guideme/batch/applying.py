"""Applying saved guidance to images: what is there is kept, what is missing is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from napari_guideme.batch.journal import Journal
from napari_guideme.batch.pieces import (
    Piece,
    along,
    check_countable,
    chunks,
    read,
    regions,
)
from napari_guideme.batch.recipe import Recipe, tools_of
from napari_guideme.batch.running import on_cluster, on_threads
from napari_guideme.batch.targets import Target
from napari_guideme.batch.work import Outcome, label_type
from napari_guideme.errors import InputError
from napari_guideme.files import LabelStore, OtherLabelsError, entries_of, make_folder, write_json

REPORT, JOURNAL = "report.json", ".journal.jsonl"

#: What every report tells, and by which it is known.
_REPORTED = {"network", "fingerprint", "classes", "recipe", "images"}


class Told(Protocol):
    """Who is told how far a run is."""

    def begun(self, pieces: int, left: int) -> None:
        """All images were looked at: how many pieces they are, and how many are left."""

    def ended(self, target: Target, error: str) -> None:
        """A piece ended, with an error or with ``""``."""


@dataclass
class _Image:
    """An image of a run, its key, how many pieces it has, and what is wrong with it."""

    target: Target
    name: str
    key: str = ""
    parts: list[str] = field(default_factory=list)
    store: LabelStore | None = None
    error: str = ""


class Run:
    """Saved guidance, applied to images.

    What is done is kept in a journal in the folder, so that a run that was stopped, in
    any way, goes on when it is started again.

    Parameters
    ----------
    recipe
        What is done.
    images
        Where their labels go, see :func:`~napari_guideme.batch.targets.targets`.
    folder
        For labels and report; is made.
    overwrite
        Whether to do again what is there, and to replace labels of another guidance and
        a report of something else.

    Raises
    ------
    InputError
        If the guidance or the network cannot be used, or nothing can be written.
    """

    def __init__(
        self, recipe: Recipe, images: Sequence[Target], folder: Path, *, overwrite: bool = False
    ) -> None:
        if not overwrite:
            _check_report(folder / REPORT)
        self.recipe = recipe.sealed()
        make_folder(folder)
        self._folder, self._overwrite = folder, overwrite
        self._journal = Journal(folder / JOURNAL)
        self._images = [_Image(target, target.name()) for target in images]
        self._of = {image.target: image for image in self._images}

    def go(self, told: Told, workers: int = 1, scheduler: str | None = None) -> None:
        """Do what is missing, and write the report; also when it is stopped.

        Parameters
        ----------
        told
            Is told how far it is.
        workers
            Threads, if there is no scheduler.
        scheduler
            Address of the scheduler of a cluster.
        """

        def tell(outcome: Outcome) -> None:
            piece = outcome.piece
            if outcome.error:
                self._of[piece.target].error = outcome.error
            else:
                self._journal.finish(piece.key, piece.part, outcome.slices)
            told.ended(piece.target, outcome.error)

        try:
            pieces = [piece for image in self._images for piece in self._planned(image, told)]
            told.begun(sum(len(image.parts) for image in self._images), len(pieces))
            if scheduler:
                on_cluster(self.recipe, pieces, scheduler, tell)
            else:
                on_threads(self.recipe, pieces, workers, tell)
            self._finish(told)
        finally:
            write_json(self._folder / REPORT, self.report())

    def _planned(self, image: _Image, told: Told) -> list[Piece]:
        """Return the pieces of an image that are missing."""
        try:
            return self._store(image) if image.target.is_store else self._whole(image)
        except Exception as error:
            image.error = image.target.told(error)
            told.ended(image.target, image.error)
            return []

    def _whole(self, image: _Image) -> list[Piece]:
        target = image.target
        if not target.image.exists():
            raise InputError(f"there is no image {target.image}")
        piece = Piece(target, target.key(self.recipe.digest, target.stamp()))
        image.key, image.parts = piece.key, [piece.part]
        there = target.labels.exists()
        if there and not self._overwrite:
            if self._journal.is_done(piece.key, piece.part):
                return []
            if not self._journal.is_begun(piece.key):
                raise InputError(
                    "its labels are there already and were not made from this image by "
                    "this guidance; choose another folder, or --overwrite"
                )
        self._journal.begin(piece.key)
        return [piece]

    def _store(self, image: _Image) -> list[Piece]:
        """Begin labels of an OME-Zarr, or go on with them."""
        target, recipe, tools = image.target, self.recipe, tools_of(self.recipe)
        picture = read(target, recipe)
        axis = along(picture, recipe, tools)
        if recipe.instances:
            check_countable(picture)
        key = target.key(recipe.digest, picture.fingerprint())
        if self._overwrite and target.labels.exists():
            LabelStore(target.labels).remove()
            self._journal.begin(key)
        try:
            store = LabelStore.open_or_create(
                target.labels,
                picture,
                recipe.made_of,
                label_type(recipe, tools),
                chunks(picture, axis, tools),
            )
        except OtherLabelsError as error:
            raise InputError(f"{error.difference}; choose another folder, or --overwrite") from None
        image.key, image.store = key, store
        thick = 1 if axis is None else store.chunks[axis]
        whole = tuple(slice(0, n) for n in store.shape)
        cut = [whole] if recipe.instances else regions(store.shape, axis, thick)
        pieces = [Piece(target, key, region) for region in cut]
        image.parts = [piece.part for piece in pieces]
        # Labels can be there without a word on them: what was stopped in between is told now.
        return [
            piece
            for piece in pieces
            if not (self._journal.is_done(key, piece.part) and store.holds(piece.region or ()))
        ]

    def _finish(self, told: Told) -> None:
        """Make stores that are complete OME-Zarr images."""
        for image in self._images:
            if image.store is not None and not image.error:
                try:
                    image.store.finish()
                except Exception as error:
                    image.error = image.target.told(error)
                    told.ended(image.target, image.error)

    @property
    def failed(self) -> int:
        """How many images were not done, or not whole."""
        return sum(bool(image.error) for image in self._images)

    @property
    def finished(self) -> int:
        """How many images are done."""
        return sum(self._is_done(image) for image in self._images)

    def _is_done(self, image: _Image) -> bool:
        done = (self._journal.is_done(image.key, part) for part in image.parts)
        return bool(image.parts) and not image.error and all(done)

    def states(self) -> Counter[str]:
        """How many slices and images are in which state."""
        return Counter(s["state"] for image in self._images for s in self._slices(image))

    def report(self) -> dict[str, Any]:
        """Return what became of every image and slice, without anything on a patient."""
        saved = tools_of(self.recipe).saved
        return {
            "network": saved.network,
            "fingerprint": saved.fingerprint,
            "classes": list(saved.classes),
            "recipe": self.recipe.digest,
            "images": [self._told(image) for image in self._images],
        }

    def _told(self, image: _Image) -> dict[str, Any]:
        told: dict[str, Any] = {"number": image.target.number, "image": image.name}
        if image.error:
            told["error"] = image.error
        told["finished"] = self._is_done(image)
        return {**told, "slices": self._slices(image)}

    def _slices(self, image: _Image) -> list[dict[str, Any]]:
        return [dict(s) for s in self._journal.slices(image.key)] if image.key else []


def _check_report(path: Path) -> None:
    """Raise `InputError` if a report that is there tells of something else."""
    if path.exists() and not entries_of(path).keys() >= _REPORTED:
        raise InputError(
            f"{path} is no report of corrected images; choose another folder, or --overwrite"
        )


def threads_for(workers: int) -> int:
    """Threads of torch for each of several workers, which do not outnumber the cores."""
    return max(1, torch.get_num_threads() // workers)
