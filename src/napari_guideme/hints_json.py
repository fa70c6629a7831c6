"""Hints as JSON: what a file of hints holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from napari_guideme.errors import InputError
from napari_guideme.hints import Click, Hint, Hints, Scribble, TextHint


def hints_from_json(entries: Any) -> Hints:
    """Read clicks, scribbles and what was said in words.

    ``{"clicks": [{"at", "class"}], "scribbles": [{"path", "width", "class"}],
    "texts": [{"operation", "class", "place", "instead_of"}]}``; a scribble of several
    strokes has ``"paths"`` instead of ``"path"``, a place is a list of cells.

    Raises
    ------
    InputError
        If the layout is another; the message names the entry.
    """
    if not isinstance(entries, dict) or not set(entries) <= {"clicks", "scribbles", "texts"}:
        raise InputError(
            'hints must be an object with "clicks", "scribbles" and "texts", and nothing else'
        )
    texts = [_text(entry, f"text {n}") for n, entry in _numbered(entries, "texts")]
    clicks = [_click(entry, f"click {n}") for n, entry in _numbered(entries, "clicks")]
    scribbles = [_scribble(entry, f"scribble {n}") for n, entry in _numbered(entries, "scribbles")]
    return Hints().added([*texts, *clicks, *scribbles])


def hints_to_json(hints: Hints) -> dict[str, list[dict[str, Any]]]:
    """Write what :func:`hints_from_json` reads."""
    told: dict[str, list[dict[str, Any]]] = {"clicks": [], "scribbles": []}
    for hint in hints:
        for kind, entry in hint_to_json(hint).items():
            told.setdefault(f"{kind}s", []).append(entry)
    return told


def hint_from_json(entry: Any, where: str) -> Hint:
    """Read one hint: ``{"click": {...}}``, ``{"scribble": {...}}`` or ``{"text": {...}}``.

    Raises
    ------
    InputError
        If the layout is another; the message begins with `where`.
    """
    readers: dict[str, Callable[[Any, str], Hint]]
    readers = {"click": _click, "scribble": _scribble, "text": _text}
    if not isinstance(entry, dict) or len(entry) != 1 or not set(entry) <= set(readers):
        raise InputError(f'{where} must be an object with "click", "scribble" or "text"')
    ((kind, told),) = entry.items()
    return readers[kind](told, where)


def hint_to_json(hint: Hint) -> dict[str, dict[str, Any]]:
    """Write what :func:`hint_from_json` reads."""
    if isinstance(hint, Click):
        return {"click": {"at": list(hint.at), "class": hint.class_name}}
    if isinstance(hint, Scribble):
        paths = [[list(at) for at in path] for path in hint.paths]
        return {"scribble": {"paths": paths, "width": hint.width, "class": hint.class_name}}
    told = {"operation": hint.operation, "class": hint.class_name}
    place = [list(cell) for cell in hint.place]
    return {"text": {**told, "place": place, "instead_of": hint.instead_of}}


def _text(entry: Any, where: str) -> TextHint:
    _require(entry, {"operation", "class"}, where, optional=frozenset({"place", "instead_of"}))
    place, instead_of = entry.get("place", []), entry.get("instead_of")
    if not isinstance(place, list) or not all(
        _filled(cell) and all(type(part) is int for part in cell) for cell in place
    ):
        raise InputError(f'{where}: "place" must be a list of cells such as [0, 2]')
    if instead_of is not None and not isinstance(instead_of, str):
        raise InputError(f'{where}: "instead_of" must be a name')
    with _named(where):
        cells = tuple(map(tuple, place))
        return TextHint(entry["operation"], _name(entry), cells, instead_of)


def _numbered(entries: dict[str, Any], key: str) -> Iterable[tuple[int, Any]]:
    listed = entries.get(key, [])
    if not isinstance(listed, list):
        raise InputError(f'"{key}" must be a list')
    return enumerate(listed, start=1)


def _click(entry: Any, where: str) -> Click:
    _require(entry, {"at", "class"}, where)
    with _named(where):
        return Click(entry["at"], _name(entry))


def _scribble(entry: Any, where: str) -> Scribble:
    strokes = "paths" if isinstance(entry, dict) and "paths" in entry else "path"
    _require(entry, {strokes, "class"}, where, optional=frozenset({"width"}))
    paths = entry["paths"] if strokes == "paths" else [entry["path"]]
    if not _filled(paths) or not all(_filled(path) for path in paths):
        raise InputError(f'{where}: "{strokes}" must hold lists of positions')
    with _named(where):
        return Scribble(tuple(map(tuple, paths)), _name(entry), entry.get("width", 1))


def _require(
    entry: Any, keys: set[str], where: str, optional: frozenset[str] = frozenset()
) -> None:
    if not isinstance(entry, dict) or not keys <= set(entry) <= keys | optional:
        listed = ", ".join(f'"{key}"' for key in sorted(keys | optional))
        raise InputError(f"{where} must be an object with {listed}")


def _filled(entry: Any) -> bool:
    return isinstance(entry, list) and bool(entry)


def _name(entry: dict[str, Any]) -> str:
    if not isinstance(entry["class"], str):
        raise InputError('"class" must be a name')
    return entry["class"]


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Say in which entry something is wrong."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
