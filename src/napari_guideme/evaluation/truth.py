"""From the numbers in a truth file to the classes of a network."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.evaluation.names import IGNORED, ClassNames, read_text

logger = logging.getLogger(__name__)

#: Class index of one number in a truth file.
Meaning = Callable[[int], int]

#: Number of pixels that count for nothing, by custom, where it is no class.
_UNCOUNTED = 255

#: What a binary mask may hold; 1 is read like 255.
_MASK_VALUES = {0: False, 1: True, 255: True, 128: None}


@dataclass(frozen=True)
class Truth:
    """What the numbers in the truth files of one folder mean.

    Attributes
    ----------
    meaning
        From the stem of an image to the meaning of the numbers in its file.
    merged
        As what each class of the network counts, (K,).
    """

    meaning: Callable[[str], Meaning]
    merged: NDArray[np.intp]

    def read(self, values: NDArray[Any], stem: str) -> NDArray[np.intp]:
        """Turn the numbers of a file into class indices, `IGNORED` where nothing counts.

        Parameters
        ----------
        values
            (rows, columns), whole numbers.
        stem
            Of the image and of the file.

        Raises
        ------
        InputError
            If the array has another form or a number no meaning.
        """
        meaning = self.meaning(stem)

        def counted(value: int) -> int:
            index = meaning(value)
            return IGNORED if index == IGNORED else int(self.merged[index])

        return _translated(values, stem, counted)


@dataclass(frozen=True)
class ObjectTruth:
    """The numbers in the truth files of one folder are objects, found one at a time.

    Attributes
    ----------
    binary
        Whether a file is the mask of one object; else each number is one.
    merged
        As what background and object count, (2,): as themselves.
    """

    binary: bool
    merged: NDArray[np.intp] = field(default_factory=lambda: np.arange(2))

    def read(self, values: NDArray[Any], stem: str) -> NDArray[np.intp]:
        """Turn the numbers of a file into ids, 0 for no object, see :meth:`Truth.read`."""
        meaning = functools.partial(_in_mask, stem, 1) if self.binary else _as_id
        return _translated(values, stem, meaning)


def _translated(values: NDArray[Any], stem: str, meaning: Meaning) -> NDArray[np.intp]:
    """Replace each number of a file by what it means."""
    if values.ndim != 2:
        raise InputError(
            f"the truth of {stem} has shape {values.shape}; it must have one channel of rows "
            "and columns; a volume lies alone in a folder, as raw (or image) and labels"
        )
    found, inverse = np.unique(values, return_inverse=True)
    # Many programs store labels as fractions without any.
    if values.dtype.kind not in "bui" and not (
        values.dtype.kind == "f" and (found == np.round(found)).all() and np.isfinite(found).all()
    ):
        raise InputError(f"the truth of {stem} holds {values.dtype}; use whole numbers")
    meant = np.array([meaning(int(value)) for value in found], dtype=np.intp)
    return meant[inverse].reshape(values.shape)


def _as_id(value: int) -> int:
    return max(value, 0)


def object_ids(classes: ClassNames) -> Truth:
    """Ids of objects: any number above zero is foreground."""
    foreground = classes.foreground
    return Truth(
        lambda stem: lambda value: foreground if value > 0 else 0, classes.all_objects_merged()
    )


def binary_masks(classes: ClassNames) -> Truth:
    """0 is background, 255 (or 1) foreground, 128 is ignored."""
    return Truth(
        lambda stem: functools.partial(_in_mask, stem, classes.foreground),
        classes.all_objects_merged(),
    )


def _in_mask(stem: str, foreground: int, value: int) -> int:
    if value not in _MASK_VALUES:
        raise InputError(
            f"the mask of {stem} holds {value}; a mask holds 0 and 255 (128 is ignored). "
            "If these are ids of objects, say so (--instances), or name them in instances/"
        )
    inside = _MASK_VALUES[value]
    return IGNORED if inside is None else foreground * inside


def class_values(classes: ClassNames, names: Mapping[int, str] | None) -> Truth:
    """Each number is a class.

    Parameters
    ----------
    classes
        Of the network; those that it lacks count as its background.
    names
        Name of each number; without names a number is an index of the network's
        classes, unless a class map names it; 255 that is none, and what is below zero,
        counts for nothing.
    """
    warn, warn_uncounted = functools.cache(_warn_beyond), functools.cache(_warn_uncounted)

    def meaning(stem: str, value: int) -> int:
        if names is not None:
            if value not in names:
                raise InputError(f"the labels of {stem} hold {value}, which classes.txt lacks")
            return classes.find(names[value]) or 0
        named = classes.find(str(value))
        if named is None and not 0 <= value < len(classes.names):
            if value == _UNCOUNTED or value < 0:
                warn_uncounted(value)
                return IGNORED
            warn(len(classes.names) - 1)
            return 0
        return value if named is None else named

    return Truth(lambda stem: functools.partial(meaning, stem), classes.separator_merged())


def named_ids(classes: ClassNames, folder: Path) -> Truth:
    """Each number is an object, whose class ``folder/STEM.json`` names.

    The file holds ``{"instances": {"1": {"name": "person"}, ...}}``. Classes that
    the network lacks count as its background.
    """

    def meaning(stem: str) -> Meaning:
        objects = read_objects(folder / f"{stem}.json")

        def of(value: int) -> int:
            if value and value not in objects:
                raise InputError(
                    f"the mask of {stem} holds the object {value}, which {stem}.json does not name"
                )
            return (classes.find(objects[value]) or 0) if value else 0

        return of

    return Truth(meaning, classes.separator_merged())


def read_objects(path: Path) -> dict[int, str]:
    """Class name of each object in a file of instances."""
    text = read_text(path)
    try:
        return {
            int(number): str(told["name"]) for number, told in json.loads(text)["instances"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f'{path.name} does not have the form {{"instances": {{"1": {{"name": "person"}}}}}}'
        ) from error


def _warn_beyond(last: int) -> None:
    logger.warning(
        "labels above %d are no class of the network and count as its background; "
        "if they are ids of objects, say so (--instances)",
        last,
    )


def _warn_uncounted(value: int) -> None:
    also = f"; masks of 0 and {value} belong in a folder masks" if value == _UNCOUNTED else ""
    logger.warning("%d in labels is no class of the network and counts for nothing%s", value, also)
