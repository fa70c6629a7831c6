"""Files of expressions: written by the generator, by people, or both together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_guideme.errors import InputError
from napari_guideme.files.whole import write_text
from napari_guideme.referring.claims import KINDS
from napari_guideme.referring.expressions import Expression

_FORM = '{"image": "stem", "object": 3, "sentence": "the larger cup"}'


def read_expressions(path: Path | str) -> dict[str, list[Expression]]:
    """Read expressions by the stems of the images that they are about.

    Parameters
    ----------
    path
        A text file, one JSON object on each line: ``image`` is the stem of an image,
        ``object`` the id of an object in its mask, ``sentence`` what refers to it.
        ``kinds`` may say what tells it, as the generator does; people need not. Empty
        lines are passed over.

    Raises
    ------
    InputError
        If the file cannot be read or a line is otherwise; the message tells its number.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    found: dict[str, list[Expression]] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            stem, expression = _read(line, f"{path.name}, line {number}")
            found.setdefault(stem, []).append(expression)
    return found


def write_expressions(path: Path | str, found: Mapping[str, Sequence[Expression]]) -> None:
    """Write expressions by the stems of their images, so that they can be read again."""
    lines = [
        json.dumps(
            {"image": stem, "object": e.object_id, "sentence": e.sentence, "kinds": list(e.kinds)}
            if e.kinds
            else {"image": stem, "object": e.object_id, "sentence": e.sentence},
            ensure_ascii=False,
        )
        for stem, expressions in found.items()
        for e in expressions
    ]
    write_text(Path(path), "".join(f"{line}\n" for line in lines))


def _read(line: str, where: str) -> tuple[str, Expression]:
    try:
        entry = json.loads(line)
    except ValueError:
        raise InputError(f"{where}: not JSON; write {_FORM}") from None
    if not isinstance(entry, dict) or not {"image", "object", "sentence"} <= set(entry):
        raise InputError(f"{where}: image, object and sentence are needed; write {_FORM}")
    if unknown := sorted(set(entry) - {"image", "object", "sentence", "kinds"}):
        raise InputError(f"{where}: unknown {unknown[0]!r}; write {_FORM}")
    return _text(entry, "image", where), Expression(
        _text(entry, "sentence", where), _object_id(entry["object"], where), _kinds(entry, where)
    )


def _text(entry: dict[str, Any], key: str, where: str) -> str:
    if not isinstance(entry[key], str) or not entry[key].strip():
        raise InputError(f"{where}: {key} must be a text that is not empty; write {_FORM}")
    return str(entry[key]).strip()


def _object_id(told: Any, where: str) -> int:
    if not isinstance(told, int) or isinstance(told, bool) or told < 1:
        raise InputError(f"{where}: object must be a whole number above 0; write {_FORM}")
    return told


def _kinds(entry: dict[str, Any], where: str) -> tuple[Any, ...]:
    told = entry.get("kinds", [])
    if not isinstance(told, list) or not all(kind in KINDS for kind in told):
        raise InputError(f"{where}: kinds must be a list of {', '.join(KINDS)}")
    return tuple(told)
