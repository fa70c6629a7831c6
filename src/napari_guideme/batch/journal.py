"""What is done already: a line for every piece, so that a run that was stopped goes on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_guideme.errors import InputError
from napari_guideme.files.whole import first_line, output_errors

#: What became of slices or tiles, each as :func:`napari_guideme.batch.work.correct` tells it.
Slices = Sequence[Mapping[str, Any]]


class Journal:
    """A file of lines that only grows; a last line that was torn off is left out.

    A key stands for an image, its labels and all that they are made by. It is told as begun
    before its labels are, so that labels which are there are known as ours.

    Parameters
    ----------
    path
        Where it is, or will be.

    Raises
    ------
    InputError
        If it is there and is no text.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begun: set[str] = set()
        self._done: dict[str, dict[str, Slices]] = defaultdict(dict)
        text = _text(path) if path.is_file() else ""
        self._is_torn = not text.endswith("\n") and bool(text)
        for line in text.splitlines():
            self._take(line)

    def _take(self, line: str) -> None:
        try:
            told = json.loads(line)
            self._begun.add(told["key"])
            if "part" in told:
                self._done[told["key"]][told["part"]] = told["slices"]
            else:
                self._done.pop(told["key"], None)
        except (ValueError, KeyError, TypeError, RecursionError):
            return

    def is_begun(self, key: str) -> bool:
        """Whether labels that are there may be of this key."""
        return key in self._begun

    def is_done(self, key: str, part: str) -> bool:
        """Whether a part was finished."""
        return part in self._done[key]

    def slices(self, key: str) -> list[Mapping[str, Any]]:
        """What became of all parts that are finished, in order."""
        parts = self._done[key].values()
        return sorted((told for part in parts for told in part), key=_place)

    def begin(self, key: str) -> None:
        """Tell that labels are begun, afresh."""
        self._write({"key": key})

    def finish(self, key: str, part: str, slices: Slices) -> None:
        """Tell that a part is finished."""
        self._write({"key": key, "part": part, "slices": slices})

    def _write(self, told: dict[str, Any]) -> None:
        line = json.dumps(told)
        with output_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n" if self._is_torn else f"{line}\n")
        self._is_torn = False
        self._take(line)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is damaged: {first_line(error)}; remove it and begin with --overwrite, "
            "or choose another folder"
        ) from error


def _place(told: Mapping[str, Any]) -> tuple[int, list[int]]:
    return told.get("slice", 0), told.get("tile", [])
