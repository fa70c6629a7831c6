"""The classes to click with, as coloured buttons."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QGroupBox, QPushButton

from napari_guideme.widgets.colours import class_colours

COLUMNS = 3


class ClassButtons(QGroupBox):
    """One button per class, one of them pressed.

    Signals
    -------
    chosen
        Name of the class that the user chose.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__("Click with")
        self.group = QButtonGroup(self, exclusive=True)
        self._grid = QGridLayout(self)

    @property
    def current(self) -> str:
        """The class whose button is pressed."""
        name: str = self.group.checkedButton().text()
        return name

    def offer(self, names: Sequence[str]) -> None:
        """Show these classes, the background first; the one after it is chosen."""
        for button in self.group.buttons():
            self.group.removeButton(button)
            button.deleteLater()
        for index, (name, colour) in enumerate(zip(names, class_colours(len(names)), strict=True)):
            button = QPushButton(name, checkable=True)
            button.setToolTip(f"Click on what is {name} (T for the next class)")
            button.setStyleSheet(_style(colour))
            button.clicked.connect(lambda _, name=name: self.chosen.emit(name))
            self.group.addButton(button, index)
            self._grid.addWidget(button, index // COLUMNS, index % COLUMNS)
        self.group.button(min(1, len(names) - 1)).setChecked(True)

    def check(self, index: int) -> None:
        """Press the button of a class."""
        self.group.button(index).setChecked(True)


def _style(colour: str) -> str:
    return (
        f"QPushButton {{ background: {colour}; color: black; border: 3px solid transparent; "
        "border-radius: 4px; padding: 5px; }"
        # White alone is hardly seen on the light theme of napari.
        "QPushButton:checked { border: 3px solid white; text-decoration: underline; }"
    )
