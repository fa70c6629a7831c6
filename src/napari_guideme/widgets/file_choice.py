"""A combo box of what is bundled and of files that the user opens."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog

A_FILE = "a file …"


class FileChoice(QComboBox):
    """What is bundled, files that were opened, and *a file …*.

    Parameters
    ----------
    bundled
        What is chosen at first.
    title, names
        Of the dialog that asks for a file, and its filter.

    Signals
    -------
    chosen
        What is bundled, or the path of a file.
    """

    chosen = Signal(str)

    def __init__(self, bundled: str, title: str, names: str) -> None:
        super().__init__()
        self._title, self._names, self._last = title, names, 0
        self.dialog: QFileDialog | None = None
        self.addItem(bundled, bundled)
        self.addItem(A_FILE)
        self.activated.connect(self._on_activated)

    def open(self, path: Path) -> None:
        """Choose a file."""
        self._choose(self._index_of(str(path)))

    def show_source(self, source: str) -> None:
        """Show what was chosen before, and tell nobody."""
        self._last = self._index_of(source)
        self.setCurrentIndex(self._last)

    def _index_of(self, source: str) -> int:
        """Return where something is listed, from now on if it was not."""
        index: int = self.findData(source)
        if index < 0:
            index = self.count() - 1
            self.insertItem(index, Path(source).name, source)
            self.setItemData(index, source, Qt.ItemDataRole.ToolTipRole)
        return index

    def _on_activated(self, index: int) -> None:
        if self.itemData(index) is not None:
            self._choose(index)
            return
        self.setCurrentIndex(self._last)
        dialog = QFileDialog(self, self._title, "", self._names)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self.open(Path(path)))
        self.dialog = dialog
        dialog.open()

    def _choose(self, index: int) -> None:
        self._last = index
        self.setCurrentIndex(index)
        self.chosen.emit(self.itemData(index))
