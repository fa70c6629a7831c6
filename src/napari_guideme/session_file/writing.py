"""From sessions to text."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_guideme.errors import InputError
from napari_guideme.files import write_json
from napari_guideme.hints import Hint, TextHint
from napari_guideme.hints_json import hint_to_json
from napari_guideme.history import History
from napari_guideme.session_file.contents import (
    FORMAT,
    OLDEST,
    SUFFIX,
    VERSION,
    WITH_VOLUMES,
    FileReference,
    NetworkReference,
    Part,
    SessionFile,
    relative,
)
from napari_guideme.session_file.searches import NameSearch, Search

if TYPE_CHECKING:
    from napari_guideme.outlines import Kept


def save_session(path: Path | str, contents: SessionFile) -> None:
    """Write a session file, whole or not at all.

    Raises
    ------
    InputError
        If the name does not end in ``.guideme.json``, or it cannot be written there.
    """
    path = Path(path)
    check_name(path)
    write_json(path, session_to_json(contents, path.parent))


def check_name(path: Path) -> None:
    """Raise `InputError` if a file is not named as session files are."""
    if not path.name.endswith(SUFFIX):
        raise InputError(f"{path.name}: a session file must end in {SUFFIX}")


def session_to_json(contents: SessionFile, folder: Path) -> dict[str, Any]:
    """Write plain values; paths are told as seen from `folder`."""
    image, volume = contents.image, contents.volume
    oldest = OLDEST if volume is None else WITH_VOLUMES
    return {
        "format": FORMAT,
        "version": VERSION if any(part.search for part in contents.parts) else oldest,
        "image": {
            "path": None if image.path is None else relative(image.path, folder),
            "shape": list(image.shape),
            "dtype": image.dtype,
            "series": image.series,
            "volume": image.volume,
            "channel_axis": image.channel_axis,
        },
        "network": _network(contents.network, folder),
        "instances": contents.instances,
        "along": None if volume is None else asdict(volume),
        "parts": [_part(part, folder) for part in contents.parts],
    }


def _network(network: NetworkReference, folder: Path) -> dict[str, Any]:
    source = network.source
    named = {"path": relative(source, folder)} if isinstance(source, Path) else {"name": source}
    card = None if network.card is None else dict(network.card)
    return {**named, "fingerprint": network.fingerprint, "card": card}


def _search(search: Search, folder: Path) -> dict[str, Any]:
    told = {field.name: getattr(search, field.name) for field in fields(search)}
    if isinstance(search, NameSearch):
        told["classifier"] = _network(search.classifier, folder)
    return told


def _part(part: Part, folder: Path) -> dict[str, Any]:
    return {
        "axes": part.axes,
        "index": part.index,
        "sha256": part.sha256,
        "setup": {
            **asdict(part.setup),
            "text_guide": _file(part.setup.text_guide, folder),
        },
        "inherited": None if part.inherited is None else dict(part.inherited),
        "search": None if part.search is None else _search(part.search, folder),
        **_history(part.history),
    }


def _file(reference: FileReference | None, folder: Path) -> dict[str, Any] | None:
    if reference is None:
        return None
    path = None if reference.path is None else relative(reference.path, folder)
    return {"path": path, "sha256": reference.sha256}


def _history(history: History) -> dict[str, Any]:
    """Every hint and every mask once, and the entries, which name them by their number."""
    hints: dict[Hint, int] = {}
    masks: dict[int, tuple[int, Kept]] = {}

    def number_of(kept: Kept) -> int:
        return masks.setdefault(id(kept), (len(masks), kept))[0]

    entries = [
        {
            "hints": [hints.setdefault(hint, len(hints)) for hint in past.hints],
            "method": past.method,
            "refined": past.refined,
            "warm": past.warm,
            "start": None if past.start is None else number_of(past.start),
            "kept": [number_of(kept) for kept in past.kept],
        }
        for past in history.entries
    ]
    return {
        "hints": [_hint(hint, history) for hint in hints],
        "masks": [_mask(kept) for _, kept in masks.values()],
        "history": entries,
        "cursor": history.cursor,
    }


def _hint(hint: Hint, history: History) -> dict[str, Any]:
    told: dict[str, Any] = {**hint_to_json(hint)}
    if isinstance(hint, TextHint) and hint in history.sentences:
        told["sentence"] = history.sentences[hint]
    return told


def _mask(kept: Kept) -> dict[str, Any]:
    """Tell a mask by the lengths of its runs, the first one of what does not belong to it."""
    flat = kept.mask.ravel()
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    runs = np.diff(changes, prepend=0, append=len(flat))
    told = {
        "id": kept.id,
        "corner": list(kept.corner),
        "shape": list(kept.mask.shape),
        "runs": runs.tolist(),
    }
    return {**told, "across": kept.across} if kept.across else told
