"""Reading JSON: as a user's editor wrote it, and nothing that it says is dropped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from napari_guideme.errors import InputError
from napari_guideme.files.whole import first_line

T = TypeVar("T")


def read_json(path: Path, kind: str, read: Callable[[Any], T]) -> T:
    """Read a JSON file.

    Parameters
    ----------
    path
        The file; Windows may have put a mark before its text.
    kind
        What it shall be: ``"hints file"``.
    read
        Takes its plain values.

    Raises
    ------
    InputError
        If there is no such file, it is no JSON, or `read` refuses it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        return read(json.loads(text, object_pairs_hook=_without_doubles))
    except FileNotFoundError:
        raise InputError(f"there is no {kind} {path}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path.name}: this is no JSON: {error}") from error
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path.name}: {first_line(error)}") from error


def entries_of(path: Path) -> dict[str, Any]:
    """Return what a JSON file tells; nothing if it is missing or is anything else."""
    try:
        entries = read_json(path, "file", lambda entries: entries)
    except InputError:
        return {}
    return entries if isinstance(entries, dict) else {}


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two entries with one key Python would keep the last one only."""
    entries: dict[str, Any] = {}
    for key, value in pairs:
        if key in entries:
            raise InputError(f'"{key}" is told twice in one object; put both together')
        entries[key] = value
    return entries
