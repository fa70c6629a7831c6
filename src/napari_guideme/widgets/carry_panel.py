"""The part of the dock widget that carries corrections on, shown for stacks."""

from __future__ import annotations

from napari import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from napari_guideme.widgets.board import Board
from napari_guideme.widgets.carrier import Carrier
from napari_guideme.widgets.carry_words import summary, told
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.strip import COLOURS, Cell, Strip, legend

#: What the user chooses by, in plain words, and what it means.
EXTENTS = {
    "slice": ("This slice", "Correct the slice that is shown and no other one"),
    "onward": (
        "Onward until it no longer fits",
        "Carry every correction to the slices before and after, and stop where what was "
        "clicked, or changed by words, looks different",
    ),
    "volume": (
        "Whole volume",
        "Carry every correction to all slices where something looks like what was clicked, or "
        "changed by words, and label the others",
    ),
}


class CarryPanel(QGroupBox):
    """How far corrections go, the strip of all slices, and the way to those in doubt."""

    def __init__(self, controller: Controller, parent: QWidget) -> None:
        super().__init__("A correction counts for", parent)
        self.carrier = Carrier(controller, self)
        self.extents = QButtonGroup(self)
        self.strip = Strip(self)
        self.legend = QLabel(
            legend(("corrected", "carried", "doubtful", "own")),
            wordWrap=True,
            textFormat=Qt.TextFormat.RichText,
        )
        self.told = QLabel(wordWrap=True, objectName="guideme-carried")
        self.doubtful = QPushButton("Next doubtful")
        self.doubtful.setToolTip("Show the next slice to look at")
        self.all = QCheckBox("Label all slices")
        self.all.setToolTip("In the background; your clicks always go first")
        self._lay_out()
        self._connect(controller.viewer)
        self.look()

    @property
    def is_busy(self) -> bool:
        """Whether something is being carried or labelled in the background."""
        return self.carrier.is_busy

    @property
    def is_labelled(self) -> bool:
        """Whether the slice that is shown has labels without being corrected itself."""
        stack, board = self.carrier.stack, self.carrier.board
        return stack is not None and board is not None and board.has_labels(stack.index)

    def look(self) -> None:
        """Show what is known about the stack that is shown; of a picture nothing."""
        stack, board = self.carrier.stack, self.carrier.board
        self.carrier.look()
        self.setVisible(stack is not None)
        if stack is None:
            return
        cells = _cells(board) if board else [Cell("none", "Not labelled yet")] * len(stack)
        self.strip.show_cells(cells, stack.index)
        carries = board is not None and bool(board.covered or board.settled)
        self.told.setText(summary(board.states) if board and carries else "")
        self.told.setVisible(bool(self.told.text()))
        self.doubtful.setEnabled(self.carrier.next_doubtful() is not None)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        for extent, (text, hint) in EXTENTS.items():
            button = QRadioButton(text, objectName=extent, checked=extent == self.carrier.extent)
            button.setToolTip(hint)
            self.extents.addButton(button)
            column.addWidget(button)
        row = QHBoxLayout()
        row.addWidget(self.all)
        row.addWidget(self.doubtful)
        for widget in (self.strip, self.legend, self.told):
            column.addWidget(widget)
        column.addLayout(row)

    def _connect(self, viewer: Viewer) -> None:
        self.extents.buttonClicked.connect(lambda b: self.carrier.choose_extent(b.objectName()))
        self.all.toggled.connect(self.carrier.label_all)
        self.carrier.changed.connect(self.look)
        self.strip.picked.connect(self.carrier.show)
        self.doubtful.clicked.connect(lambda: self._show_doubtful())
        for event in (viewer.dims.events.current_step, viewer.dims.events.order):
            event.connect(lambda _: self.look())

    def _show_doubtful(self) -> None:
        index = self.carrier.next_doubtful()
        if index is not None:
            self.carrier.show(index)


def _cells(board: Board) -> list[Cell]:
    cells = []
    for state in board.states:
        labelled = board.has_labels(state.index)
        name = state.state if state.state != "own" or labelled else "none"
        assert name in COLOURS
        cells.append(Cell(name, told(state, labelled)))
    return cells
