"""The list of what was said about a slice, to say it again or take it back."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_guideme.widgets.talking import Entry, Talker

#: Lines that are seen without scrolling.
LINES = 4

NOTHING = "  (moved nothing)"


class SaidList(QWidget):
    """One line for each hint; what was taken back is struck out."""

    def __init__(self, talker: Talker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._talker = talker
        self._entries: list[Entry] = []
        self.list = QListWidget()
        self.again = QPushButton("Say again")
        self.back = QPushButton("Take back")
        self._lay_out()
        self.list.currentRowChanged.connect(lambda _: self._enable())
        self.again.clicked.connect(lambda: self._talker.say_again(self._chosen.hint))
        self.back.clicked.connect(lambda: self._talker.take_back(self._chosen.hint))

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Show these lines; the one that was chosen stays so, unless there is a new one."""
        if list(entries) == self._entries:
            return
        grown = len(entries) > len(self._entries)
        row = len(entries) - 1 if grown else self.list.currentRow()
        self._entries = list(entries)
        with signals_blocked(self.list):
            self.list.clear()
            for entry in entries:
                self.list.addItem(_item(entry))
            self.list.setCurrentRow(row if row < len(entries) else -1)
        height = self.list.sizeHintForRow(0) * min(LINES, max(1, len(entries)))
        self.list.setFixedHeight(height + 2 * self.list.frameWidth())
        self.setVisible(bool(entries))
        self._enable()

    @property
    def _chosen(self) -> Entry:
        row: int = self.list.currentRow()
        return self._entries[row]

    def _enable(self) -> None:
        chosen = self._chosen if self.list.currentRow() >= 0 else None
        self.again.setEnabled(chosen is not None and not chosen.counts)
        self.back.setEnabled(chosen is not None and chosen.counts)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.again, self.back):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(QLabel("Said about this slice"))
        column.addWidget(self.list)
        column.addLayout(buttons)
        self.again.setToolTip("Let the chosen line count again")
        self.back.setToolTip("Let the chosen line count no more; Undo brings it back")
        self.hide()


def _item(entry: Entry) -> QListWidgetItem:
    item = QListWidgetItem(f"{entry.described}{NOTHING if entry.unmet else ''}")
    if not entry.counts:
        font = item.font()
        font.setStrikeOut(True)
        item.setFont(font)
        item.setForeground(Qt.GlobalColor.gray)
    return item
