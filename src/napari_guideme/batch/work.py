"""What a worker does: it corrects a piece of an image and writes its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.batch.pieces import Piece, along, check_countable, read, regions
from napari_guideme.batch.recipe import Recipe, Tools, tools_of
from napari_guideme.batch.views import View, views
from napari_guideme.files import LabelStore, Picture, check_labels_writable, write_labels
from napari_guideme.guidance.applying import Applied, applied
from napari_guideme.guidance.labelling import kind_of
from napari_guideme.guidance.scene import winning
from napari_guideme.networks import cancelling
from napari_guideme.networks.objects import objects


@dataclass(frozen=True)
class Outcome:
    """What a worker has to tell of a piece.

    Attributes
    ----------
    piece
        Which one.
    slices
        What became of each slice or tile: number of the slice, corner of the tile, state,
        agreement, and why, see :class:`~napari_guideme.guidance.applying.Applied`.
    error
        What is wrong, if anything is.
    """

    piece: Piece
    slices: tuple[dict[str, Any], ...] = ()
    error: str = ""


def correct(recipe: Recipe, piece: Piece) -> Outcome:
    """Correct a piece and write its labels; whatever is wrong with it is told, not raised."""
    try:
        tools = tools_of(recipe)
        picture = read(piece.target, recipe)
        labels, slices = _corrected(picture, piece, recipe, tools)
        _write(labels, picture, piece, recipe, tools)
        return Outcome(piece, slices)
    except cancelling.Cancelled:
        raise
    except Exception as error:
        # Broken files make libraries stumble in any manner; the other images go on.
        return Outcome(piece, error=piece.target.told(error))


def label_type(recipe: Recipe, tools: Tools) -> type[np.unsignedinteger[Any]]:
    """Return the type of labels, or of numbers of objects."""
    return np.uint32 if recipe.instances else kind_of(len(tools.network.classes))


def _corrected(
    picture: Picture, piece: Piece, recipe: Recipe, tools: Tools
) -> tuple[NDArray[Any], tuple[dict[str, Any], ...]]:
    """Labels of a piece, and what became of its slices."""
    if piece.region is None:
        check_labels_writable(piece.target.labels, picture)
    if recipe.instances:
        check_countable(picture)
    axis = along(picture, recipe, tools)
    shape = picture.label_shape
    thick = 1 if axis is None else shape[axis]
    boxes = [piece.region] if piece.region else regions(shape, axis, thick)
    start = [part.start for part in piece.region] if piece.region else [0] * len(shape)
    sides = [part.stop - part.start for part in piece.region] if piece.region else shape
    labels = np.empty(sides, label_type(recipe, tools))
    told = []
    for box in boxes:
        for view in views(picture, box, axis, piece.key, recipe, tools):
            cancelling.check()
            index = (view.index or 0) if recipe.same_volume else None
            found = applied(tools.saved, view.scene, index)
            told.append(_told(view, found, index in tools.saved.indices))
            inside = found.logits[(slice(None), *view.inside)]
            place = tuple(map(_moved, view.place, start))
            labels[place] = winning(inside).cpu().numpy()
            view.scene.forget()
    return labels, tuple(told)


def _moved(place: slice | int, start: int) -> slice | int:
    if isinstance(place, int):
        return place - start
    return slice(place.start - start, place.stop - start)


def _write(
    labels: NDArray[Any], picture: Picture, piece: Piece, recipe: Recipe, tools: Tools
) -> None:
    network = tools.network
    if recipe.instances:
        sizes = picture.geometry.spacing[-labels.ndim :] if picture.geometry else None
        labels = objects(labels, network.separator_index, sizes).astype(np.uint32)
    if piece.region is not None:
        LabelStore(piece.target.labels).write(piece.region, labels)
        return
    names = () if recipe.instances else network.classes
    write_labels(piece.target.labels, labels, picture, names)


def _told(view: View, found: Applied, is_home: bool) -> dict[str, Any]:
    """What a report says of a slice or a tile."""
    told: dict[str, Any] = {} if view.index is None else {"slice": view.index}
    if view.tile:
        told["tile"] = list(view.tile)
    told["state"] = "corrected" if is_home and found.state == "carried" else found.state
    if found.agreement is not None:
        told["agreement"] = round(found.agreement, 4)
    return {**told, "why": found.why} if found.why else told
