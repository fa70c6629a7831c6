"""The network's classes, and the names under which the data know them."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.networks.frozen import FrozenNetwork

#: Class of pixels that count for nothing.
IGNORED = -1

#: Classes of which data say that they count for nothing.
IGNORED_NAMES = re.compile("ignore|void", re.IGNORECASE)


@dataclass(frozen=True)
class ClassNames:
    """The classes of a network, as data are matched to them.

    Parameters
    ----------
    names
        In the network's order, the background first.
    separator
        The class that parts touching objects, if there is one. It is part of
        an object, so it never counts as a class of its own.
    synonyms
        From a plain name (:func:`plain`) in the data to one of the network.

    Raises
    ------
    InputError
        If there is no class besides background and separator.
    """

    names: tuple[str, ...]
    separator: str | None = None
    synonyms: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not [name for name in self.names[1:] if name != self.separator]:
            raise InputError(
                f"the network has no class of objects to evaluate, only {', '.join(self.names)}"
            )

    @classmethod
    def of(cls, network: FrozenNetwork, class_map: Path | None = None) -> ClassNames:
        """Take a network's classes, with the synonyms of a class map.

        Raises
        ------
        InputError
            If the map cannot be read, or names a class that the network does not have.
        """
        synonyms = read_class_map(class_map) if class_map else {}
        known = {plain(own) for own in network.classes}
        if class_map and (unknown := sorted({*synonyms.values()} - known)):
            raise InputError(
                f"{class_map.name} names {', '.join(unknown)} in the network's column; the "
                f"classes of {network.name} are {', '.join(network.classes)}"
            )
        return cls(network.classes, network.separator, synonyms)

    @property
    def foreground(self) -> int:
        """Index of the first class that is neither background nor separator."""
        return next(i for i, name in enumerate(self.names) if i and name != self.separator)

    def find(self, name: str) -> int | None:
        """Index of the class that data call by this name, `IGNORED`, or ``None``."""
        if IGNORED_NAMES.search(name):
            return IGNORED
        wanted = self.synonyms.get(plain(name), plain(name))
        known = [plain(own) for own in self.names]
        return known.index(wanted) if wanted in known else None

    def all_objects_merged(self) -> NDArray[np.intp]:
        """As what each class counts, (K,), where the data only know foreground."""
        merged = np.full(len(self.names), self.foreground)
        merged[0] = 0
        return merged

    def separator_merged(self) -> NDArray[np.intp]:
        """As what each class counts, (K,), where the data know several classes."""
        merged = np.arange(len(self.names))
        if self.separator is not None:
            merged[self.names.index(self.separator)] = self.foreground
        return merged


def plain(name: str) -> str:
    """Return a name without what makes no difference: case, underscores, spaces beside."""
    return " ".join(name.replace("_", " ").split()).casefold()


def read_class_map(path: Path) -> dict[str, str]:
    """Read which name of the data is which of the network.

    Parameters
    ----------
    path
        A CSV file with a header. Besides a column ``index``, which is not
        read, the first column holds the network's names, the second the data's.

    Returns
    -------
    The network's name by the data's, both :func:`plain`.

    Raises
    ------
    InputError
        If the file is missing or does not have two columns of names, or a class of the
        data is given to several of the network.
    """
    rows = read_rows(path)
    columns = [column for column in (rows[0] if rows else {}) if column and column != "index"]
    if len(columns) < 2 or any(row[column] is None for row in rows for column in columns[:2]):
        raise InputError(
            f"{path.name}: a class map has a header and two columns of names, first the "
            "network's, then the data's, for example index,voc_name,coco_name"
        )
    own, foreign = columns[:2]
    synonyms: dict[str, str] = {}
    for row in rows:
        theirs, ours = plain(row[foreign]), plain(row[own])
        if synonyms.setdefault(theirs, ours) != ours:
            raise InputError(
                f"{path.name} gives {theirs} of the data to {synonyms[theirs]} and to {ours} of "
                "the network; one row of each is enough"
            )
    return synonyms


def read_class_list(path: Path) -> dict[int, str]:
    """Read lines ``index name``; other lines, such as a title, are passed over.

    Between both there may also be one of ``: = , ;``.
    """
    found = re.findall(
        r"^\s*(\d+)(?:[ \t]+|[ \t]*[:=,;][ \t]*)([^\s:=,;].*?)\s*$", read_text(path), re.MULTILINE
    )
    if not found:
        raise InputError(f"{path.name} has no line of the form 'index name', such as '1 nucleus'")
    return {int(index): name for index, name in found}


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file with a header."""
    try:
        return list(csv.DictReader(read_text(path).splitlines()))
    except csv.Error as error:
        raise InputError(f"{path.name} is no table: {error}") from error


def read_text(path: Path) -> str:
    """Read a text file, or say in one line why not."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
