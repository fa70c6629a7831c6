"""What is known about a network without loading it, and the file that says so.

A card is stored beside the network, ``cells.onnx`` and ``cells.guideme.toml``.
Every entry may be missing; a card completes another one.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from napari_guideme.errors import InputError
from napari_guideme.files import write_text
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.windows import without_window

Output = Literal["logits", "probabilities"]

SUFFIX = ".guideme.toml"

#: Files beside a network that name its classes, in the order of its output.
CLASS_LISTS = ("classes.csv", "classes.txt")


@dataclass(frozen=True)
class NetworkCard:
    r"""What a network finds, expects and returns; whatever is unknown is empty.

    Parameters
    ----------
    name, description, licence
        What is shown to the user.
    classes
        Names of the classes in the order of the output, the background first.
    separator
        The class that parts touching objects.
    output
        Whether the network returns logits or probabilities.
    guide_point
        Where to guide.
    channels_last
        Whether the network takes and returns (N, \*spatial, C).
    architecture
        For files that hold nothing but weights: ``name`` and the arguments.
    preparation
        Entries of a :class:`~napari_guideme.networks.preparation.Preparation`. In a
        file, ``window`` may stand for its limits.
    interaction
        Entries of an :class:`~napari_guideme.networks.interaction.InteractionMaps`,
        if the network was trained to take clicks. Its classes then are the
        background and the object.

    Raises
    ------
    InputError
        If an entry is not of the kind it has to be.
    """

    name: str = ""
    description: str = ""
    licence: str = ""
    classes: tuple[str, ...] = ()
    separator: str | None = None
    output: Output | None = None
    guide_point: str | None = None
    channels_last: bool | None = None
    architecture: Mapping[str, Any] = field(default_factory=dict)
    preparation: Mapping[str, Any] = field(default_factory=dict)
    interaction: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.output not in (None, *get_args(Output)):
            raise InputError(f"output {self.output!r} is unknown; choose logits or probabilities")
        if doubled := {c for c in self.classes if self.classes.count(c) > 1}:
            raise InputError(f"the class {min(doubled)!r} is named twice")
        if self.separator is not None and self.classes and self.separator not in self.classes:
            raise InputError(f"the separator {self.separator!r} is none of the classes")
        Preparation.from_dict({**_implied(self.preparation), **self.preparation})
        InteractionMaps.from_dict(self.interaction)
        if self.interaction and len(self.classes) not in (0, 2):
            raise InputError(
                "a network that takes clicks has two classes, background and object, "
                f"not {', '.join(self.classes)}"
            )

    @property
    def separator_index(self) -> int | None:
        """Number of the class that parts touching objects, if there is one."""
        return None if self.separator is None else self.classes.index(self.separator)

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> NetworkCard:
        """Read the table of a card file; unknown and misshapen entries are refused."""
        known = [entry.name for entry in fields(cls)]
        if unknown := set(entries) - set(known):
            raise InputError(
                f"unknown entry {', '.join(sorted(unknown))}; known are {', '.join(known)}"
            )
        for key, value in entries.items():
            if not _fits(key, value):
                raise InputError(f"{key} = {value!r} is not {_KINDS.get(key, _TEXT)[1]}")
        prepared = without_window(entries.get("preparation", {}))
        classes = tuple(entries.get("classes", ()))
        return cls(**{**entries, "classes": classes, "preparation": prepared})

    def to_dict(self) -> dict[str, Any]:
        """Return what is known, as :meth:`from_dict` reads it."""
        known = {key: value for key, value in asdict(self).items() if value not in (None, "", {})}
        return {**known, "classes": list(self.classes)} if self.classes else known

    def completed(self, other: NetworkCard) -> NetworkCard:
        """Return this card, with what it does not know taken from another one.

        The numbers by which values are scaled make one formula: they all come from the same card.
        """
        missing = {
            entry.name: getattr(other, entry.name)
            for entry in fields(self)
            if getattr(self, entry.name) in (None, "", (), {})
        }
        if self.classes and missing.get("separator") not in self.classes:
            missing.pop("separator", None)
        prepared = dict(other.preparation)
        if _LINEAR & set(self.preparation):
            prepared = {key: value for key, value in prepared.items() if key not in _LINEAR}
        return replace(self, **{**missing, "preparation": {**prepared, **self.preparation}})


def sidecar(path: Path) -> Path:
    """Where the card of a network file or folder is: ``cells.onnx``, ``cells.guideme.toml``."""
    return path.with_name((path.name if path.is_dir() else path.stem) + SUFFIX)


def read_card(path: Path | str) -> NetworkCard:
    """Read a card file.

    Raises
    ------
    InputError
        If there is no such file, or an entry is unknown or misshapen.
    """
    path = Path(path)
    try:
        return NetworkCard.from_dict(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        raise InputError(f"there is no card {path}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path.name}: {str(error).splitlines()[0]}") from error


def write_card(path: Path | str, card: NetworkCard) -> None:
    """Write a card file, whole or not at all."""
    import tomli_w

    write_text(Path(path), tomli_w.dumps(card.to_dict()))


def beside(path: Path) -> NetworkCard:
    """What stands beside a network file: its sidecar, and a list of its classes."""
    found = sidecar(path)
    card = read_card(found) if found.is_file() else NetworkCard()
    folder = path if path.is_dir() else path.parent
    lists = [folder / name for name in CLASS_LISTS if (folder / name).is_file()]
    if card.classes or not lists:
        return card
    return card.completed(NetworkCard(classes=read_classes(lists[0])))


def read_classes(path: Path) -> tuple[str, ...]:
    """Read class names in the order of the output.

    One name a line, with or without its index before it; or a CSV table with a
    header, whose first column that holds no numbers has the names.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the classes in {path.name}: {error}") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if path.suffix.lower() == ".csv":
        return _column_of_names(path, _rows(path, lines))
    first = [line.split(maxsplit=1) for line in lines]
    if all(len(parts) == 2 and parts[0] == str(i) for i, parts in enumerate(first)):
        return tuple(name for _, name in first)
    return tuple(lines)


def _rows(path: Path, lines: Sequence[str]) -> list[list[str]]:
    try:
        return list(csv.reader(lines))
    except csv.Error as error:
        raise InputError(f"{path.name} is no table: {error}") from error


def _column_of_names(path: Path, rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    body = rows[1:]
    if not body or any(len(row) != len(rows[0]) for row in rows):
        raise InputError(f"{path.name} is not a table of class names with a header")
    for column in zip(*body, strict=True):
        if not all(value.strip().isdigit() for value in column):
            return tuple(value.strip() for value in column)
    raise InputError(f"{path.name} has no column of class names")


def _implied(preparation: Mapping[str, Any]) -> dict[str, int]:
    """Axes and channels that fit lists of values, where a card does not tell them."""
    size, mean, std = (preparation.get(key, ()) for key in ("size", "mean", "std"))
    implied = {}
    if isinstance(size, list | tuple) and len(size) in (2, 3):
        implied["ndim"] = len(size)
    if lengths := {len(v) for v in (mean, std) if isinstance(v, list | tuple)} - {0, 1}:
        implied["channels"] = max(lengths)
    return implied


#: Entries of a preparation that make one formula: (scale x - mean) / std.
_LINEAR = {"scale", "mean", "std"}

_TEXT = (str, "a text")
_KINDS: Mapping[str, tuple[type, str]] = {
    "classes": (list, "a list of texts"),
    "channels_last": (bool, "true or false"),
    "architecture": (dict, "a table"),
    "preparation": (dict, "a table"),
    "interaction": (dict, "a table"),
}


def _fits(key: str, value: Any) -> bool:
    kind, _ = _KINDS.get(key, _TEXT)
    if kind is list:
        return isinstance(value, list | tuple) and all(isinstance(v, str) and v for v in value)
    return isinstance(value, kind)
