"""Labels as chips: a click takes one away, typing adds one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qtpy.QtCore import QStringListModel, Qt, Signal
from qtpy.QtWidgets import QCompleter, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget
from superqt import QFlowLayout


class ChipRow(QWidget):
    """A heading, chips, and a place to type another one.

    Parameters
    ----------
    heading
        What the chips mean.
    colour
        Of the chips.

    Signals
    -------
    taken
        The label of the chip that was clicked.
    added
        What was typed.
    """

    taken = Signal(int)
    added = Signal(str)

    def __init__(self, heading: str, colour: str) -> None:
        super().__init__()
        self._colour = colour
        self.heading = QLabel(heading, wordWrap=True)
        self.chips: list[QPushButton] = []
        self._flow = QWidget()
        self.add = QLineEdit(placeholderText="add …")
        self.add.setFixedWidth(90)
        self.add.setToolTip("Another label of the classifier, then Return")
        self._titles = QStringListModel(self)
        self._lay_out()
        self.add.returnPressed.connect(lambda: self._on_typed())

    def offer(self, titles: Iterable[str]) -> None:
        """Offer these to be added."""
        self._titles.setStringList(list(titles))

    def show_chips(self, chips: Sequence[tuple[int, str, str]]) -> None:
        """Show label, title and hint of each chip."""
        for chip in self.chips:
            self._flow.layout().removeWidget(chip)
            chip.deleteLater()
        self._flow.layout().removeWidget(self.add)
        self.chips = [self._chip(*chip) for chip in chips]
        for widget in (*self.chips, self.add):
            self._flow.layout().addWidget(widget)

    def _chip(self, label: int, title: str, hint: str) -> QPushButton:
        chip = QPushButton(f"{title}  ×")
        chip.setToolTip(hint)
        chip.setStyleSheet(_STYLE.format(colour=self._colour))
        chip.clicked.connect(lambda: self.taken.emit(label))
        return chip

    def _on_typed(self) -> None:
        title = self.add.text().strip()
        if title:
            self.add.clear()
            self.added.emit(title)

    def _lay_out(self) -> None:
        completer = QCompleter(self._titles, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.popup().setMinimumWidth(200)
        self.add.setCompleter(completer)
        QFlowLayout(self._flow).setContentsMargins(0, 0, 0, 0)
        self._flow.layout().addWidget(self.add)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.heading)
        column.addWidget(self._flow)


_STYLE = (
    "QPushButton {{ background: {colour}; color: black; border-radius: 9px; "
    "padding: 3px 9px; font-weight: bold; }}"
)
