"""From text to sessions; nothing that a file says is believed before it was looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_guideme.errors import InputError
from napari_guideme.files import read_json
from napari_guideme.hints import Hint, Hints, TextHint
from napari_guideme.hints_json import hint_from_json
from napari_guideme.history import History, Past
from napari_guideme.session_file.contents import (
    FORMAT,
    VERSION,
    FileReference,
    ImageReference,
    NetworkReference,
    Part,
    SessionFile,
    Setup,
    Volume,
)
from napari_guideme.session_file.searches import Limits, NameSearch, Search, SentenceSearch

if TYPE_CHECKING:
    from napari_guideme.outlines import Kept

Table = Mapping[str, Any]
T = TypeVar("T")

#: No outline in a file may be larger: a few bytes could ask for all memory there is.
_LARGEST = 1 << 31
#: No value of an image that is looked at is larger: the difference of two is a float32, too.
_BRIGHTEST = 1e38


def read_session(path: Path | str) -> SessionFile:
    """Read a session file; nothing in it is executed.

    Raises
    ------
    InputError
        If there is no such file, it is no session file, or a newer version wrote it.
    """
    path = Path(path)
    return read_json(path, "session file", lambda entries: session_from_json(entries, path.parent))


def session_from_json(entries: Any, folder: Path) -> SessionFile:
    """Read plain values; paths are told as seen from `folder`."""
    if not isinstance(entries, dict) or entries.get("format") != FORMAT:
        raise InputError("this is no session of napari-guideme")
    version = _whole(entries, "version")
    if version > VERSION:
        raise InputError(
            f"it was written by a newer napari-guideme (version {version}, this one reads "
            f"up to {VERSION}); upgrade with pip install -U napari-guideme"
        )
    image, network = _table(entries, "image"), _table(entries, "network")
    parts = tuple(_part(part, folder) for part in _tables(entries, "parts"))
    if not parts:
        raise InputError("nothing was corrected in it")
    if len({type(part.search) for part in parts}) > 1:
        raise InputError("its parts are about different kinds of things")
    return SessionFile(
        ImageReference(
            _optional(image, "path", lambda e, k: folder / _text(e, k)),
            _wholes(image, "shape"),
            _text(image, "dtype"),
            _optional(image, "series", _whole),
            _optional(image, "volume", _whole),
            _optional(image, "channel_axis", _whole_of_any_sign),
        ),
        _network(network, folder),
        parts,
        _truth(entries, "instances"),
        _optional(entries, "along", lambda e, k: _volume(_table(e, k))),
    )


def _volume(entries: Table) -> Volume:
    return Volume(
        _whole(entries, "axis"),
        _text(entries, "extent"),
        _text(entries, "sha256"),
        _optional(entries, "spacing", _numbers),
    )


def _part(entries: Table, folder: Path) -> Part:
    axes, index = (_optional(entries, key, _wholes) for key in ("axes", "index"))
    if (axes is None) != (index is None):
        raise InputError('"axes" and "index" belong together')
    setup, history = _setup(_table(entries, "setup"), folder), _history(entries)
    inherited = _optional(entries, "inherited", _table)
    search = _optional(entries, "search", lambda e, k: _search(_table(e, k), folder))
    return Part(axes, index, _text(entries, "sha256"), setup, history, inherited, search)


def _network(entries: Table, folder: Path) -> NetworkReference:
    return NetworkReference(
        folder / _text(entries, "path") if "path" in entries else _text(entries, "name"),
        _text(entries, "fingerprint"),
        _optional(entries, "card", _table),
    )


def _search(entries: Table, folder: Path) -> Search:
    limits = _optional(entries, "limits", _limits)
    if "sentence" in entries:
        return SentenceSearch(_text(entries, "sentence"), _outline(entries, "clicks"), limits)
    return NameSearch(
        _text(entries, "name"),
        _network(_table(entries, "classifier"), folder),
        _wholes(entries, "positive"),
        _wholes(entries, "negative"),
        _text(entries, "method"),
        _whole(entries, "views"),
        _outline(entries, "grabcut"),
        limits,
    )


def _outline(entries: Table, drawn_once: str) -> str:
    """How what was found is outlined; files told once only whether it follows the image."""
    if "outline" in entries:
        return _text(entries, "outline")
    return drawn_once if _truth(entries, "grabcut") else "threshold"


def _limits(entries: Table, key: str) -> Limits:
    values = _numbers(entries, key)
    if len(values) != 2 or not all(abs(value) <= _BRIGHTEST for value in values):
        raise InputError(f'"{key}" must be what is black and what is white: {values!r:.60}')
    return values[0], values[1]


def _setup(entries: Table, folder: Path) -> Setup:
    def guide(entries: Table, key: str) -> FileReference:
        told = _table(entries, key)
        path = _optional(told, "path", lambda e, k: folder / _text(e, k))
        return FileReference(path, _text(told, "sha256"))

    return Setup(
        channel_axis=_optional(entries, "channel_axis", _whole_of_any_sign),
        channels=_optional(entries, "channels", _wholes),
        guide_point=_optional(entries, "guide_point", _text),
        calibrated=_optional(entries, "calibrated", _text),
        telling=_text(entries, "telling"),
        text_guide=_optional(entries, "text_guide", guide),
        patient=tuple(_each(entries, "patient", str)),
        zoom=_optional(entries, "zoom", _whole),
        spacing=_optional(entries, "spacing", _numbers),
        locked=_truth(entries, "locked"),
    )


def _history(entries: Table) -> History:
    hints, sentences = _hints(_tables(entries, "hints"))
    masks = [_mask(entry) for entry in _tables(entries, "masks")]
    pasts: list[Past] = []
    for entry in _tables(entries, "history"):
        warm, start = (_optional(entry, key, _whole) for key in ("warm", "start"))
        if warm is not None and warm >= len(pasts):
            raise InputError(f"an entry goes on from number {warm}, which comes later")
        pasts.append(
            Past(
                Hints(tuple(_numbered(hints, _wholes(entry, "hints"), "hint"))),
                _text(entry, "method"),
                _truth(entry, "refined"),
                warm,
                None if start is None else _numbered(masks, [start], "mask")[0],
                tuple(_numbered(masks, _wholes(entry, "kept"), "mask")),
            )
        )
    cursor = _whole(entries, "cursor")
    if not cursor < len(pasts):
        raise InputError(f"the cursor is at {cursor} of {len(pasts)} entries")
    return History(tuple(pasts), cursor, sentences)


def _hints(entries: Sequence[Table]) -> tuple[list[Hint], dict[TextHint, str]]:
    hints, sentences = [], {}
    for number, entry in enumerate(entries, start=1):
        told = {key: value for key, value in entry.items() if key != "sentence"}
        hint = hint_from_json(told, f"hint {number}")
        hints.append(hint)
        if isinstance(hint, TextHint) and "sentence" in entry:
            sentences[hint] = _text(entry, "sentence")
    return hints, sentences


def _mask(entries: Table) -> Kept:
    """Paint runs, the first one of what does not belong to the mask."""
    from napari_guideme.outlines import Kept

    corner, shape = _wholes(entries, "corner"), _wholes(entries, "shape")
    runs = np.array(_wholes(entries, "runs"), dtype=np.int64)
    # Python's own numbers do not overflow.
    size = sum(runs.tolist())
    if len(corner) != len(shape) or size != np.prod(shape, dtype=object) or size > _LARGEST:
        raise InputError("the runs of a mask do not fill its shape")
    belongs = np.arange(len(runs)) % 2 == 1
    across = _whole(entries, "across") if "across" in entries else 0
    return Kept(_whole(entries, "id"), corner, np.repeat(belongs, runs).reshape(shape), across)


def _numbered(known: Sequence[T], numbers: Sequence[int], what: str) -> list[T]:
    if any(number >= len(known) for number in numbers):
        raise InputError(f"there is no {what} {max(numbers)}")
    return [known[number] for number in numbers]


# -- single entries -------------------------------------------------------------


def _optional(entries: Table, key: str, read: Callable[[Table, str], T]) -> T | None:
    return None if entries.get(key) is None else read(entries, key)


def _entry(entries: Table, key: str, kind: type[T]) -> T:
    value = entries.get(key)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f'"{key}" is missing, or not what it has to be: {value!r:.60}')
    return value


def _each(entries: Table, key: str, kind: type[T]) -> list[T]:
    values = _entry(entries, key, list)
    if not all(isinstance(v, kind) and not isinstance(v, bool) for v in values):
        raise InputError(f'"{key}" holds something else than it has to: {values!r:.60}')
    return values


def _table(entries: Table, key: str) -> dict[str, Any]:
    return _entry(entries, key, dict)


def _tables(entries: Table, key: str) -> list[dict[str, Any]]:
    return _each(entries, key, dict)


def _text(entries: Table, key: str) -> str:
    return _entry(entries, key, str)


def _truth(entries: Table, key: str) -> bool:
    return _entry(entries, key, bool)


def _whole_of_any_sign(entries: Table, key: str) -> int:
    return _entry(entries, key, int)


def _whole(entries: Table, key: str) -> int:
    return _wholes({key: [_entry(entries, key, int)]}, key)[0]


def _wholes(entries: Table, key: str) -> tuple[int, ...]:
    values = _each(entries, key, int)
    if not all(0 <= value <= _LARGEST for value in values):
        raise InputError(f'"{key}" must be whole numbers from 0 on: {values!r:.60}')
    return tuple(values)


def _numbers(entries: Table, key: str) -> tuple[float, ...]:
    values = _entry(entries, key, list)
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        raise InputError(f'"{key}" must be numbers: {values!r:.60}')
    return tuple(map(float, values))
