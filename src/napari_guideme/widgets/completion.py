"""Completion of a sentence, word by word."""

from __future__ import annotations

from collections.abc import Container, Sequence

from qtpy.QtCore import QModelIndex, QObject, QStringListModel, Qt
from qtpy.QtWidgets import QCompleter

from napari_guideme.language.places import CELL_NAMES

#: What else is worth completing besides the names of classes.
_OPERATIONS = ("find the", "remove the", "replace the", "there is no", "missing", "instead of")
_PLACES = (*CELL_NAMES, "top", "bottom", "left", "right", "corners", "edges", "everywhere")
_OF_PATIENT = {
    "superior": ("superior", "inferior"),
    "anterior": ("anterior", "posterior"),
    "patient": ("patient's left", "patient's right"),
}

#: Begins no word, so nothing is offered between words.
_NOTHING = "\0"


class WordCompleter(QCompleter):
    """Offers words for the last one of a sentence."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._words = QStringListModel(self)
        self.setModel(self._words)
        self.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)

    def offer(self, classes: Sequence[str], axes: Container[str] = ()) -> None:
        """Offer what can be said of some classes, where some axes of the patient are known."""
        of_patient = (name for axis, names in _OF_PATIENT.items() if axis in axes for name in names)
        words = dict.fromkeys((*_OPERATIONS, *classes, *_PLACES, *of_patient))
        self._words.setStringList(list(words))

    def splitPath(self, path: str | None) -> list[str]:
        """Complete no more than the last word."""
        return [(path or "").rpartition(" ")[2] or _NOTHING]

    def pathFromIndex(self, index: QModelIndex) -> str:
        """Put a word in the place of the one that was begun."""
        before, space, _ = self.completionPrefix().rpartition(" ")
        return f"{before}{space}{super().pathFromIndex(index)}"
