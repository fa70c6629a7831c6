"""A strip along the axis of a stack: what became of each slice, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

#: Okabe and Ito's palette, distinguishable with every kind of colour vision; light and dark
#: differ, too. What asks for the user's eye comes first.
COLOURS = {
    "doubtful": "#e69f00",
    "corrected": "#009e73",
    "carried": "#3fa7e0",
    "own": "#8a8a8a",
    "none": "#3d4048",
}

#: How much of the height a cell fills, so that the colour is not all that tells.
_HEIGHTS = {"doubtful": 0.8, "corrected": 1.0, "carried": 0.6, "own": 0.35, "none": 0.12}
_HEIGHT, _MARK = 26, 7


@dataclass(frozen=True)
class Cell:
    """A slice: its state, a key of `COLOURS`, and what is told about it."""

    state: str
    told: str


class Strip(QWidget):
    """One cell per slice, from left to right; where they are too many, the one that asks most.

    Signals
    -------
    picked
        Number of a slice that was clicked.
    """

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="guideme-strip")
        self.cells: Sequence[Cell] = ()
        self.shown = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("What became of each slice")

    def show_cells(self, cells: Sequence[Cell], shown: int) -> None:
        """Show these, of which one is the slice that the viewer shows."""
        self.cells, self.shown = cells, shown
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as may be, and low."""
        return QSize(200, _HEIGHT + _MARK)

    minimumSizeHint = sizeHint

    def at(self, x: float) -> int:
        """Return the slice at a place; where some share a pixel, the one whose colour it has."""
        whole = len(self.cells)
        column = min(max(int(x), 0), self.width() - 1)
        slices = self._slices(column) if whole > self.width() else None
        if slices is None:
            return min(max(int(x * whole / self.width()), 0), whole - 1)
        return min(slices, key=lambda index: list(COLOURS).index(self.cells[index].state))

    def _slices(self, column: int) -> range:
        """Slices that share a column of pixels."""
        whole, width = len(self.cells), self.width()
        return range(column * whole // width, max((column + 1) * whole // width, 1))

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the cells, and a mark under the shown one."""
        whole, width = len(self.cells), self.width()
        if not whole:
            return
        painter = QPainter(self)
        painter.fillRect(QRectF(0, 0, width, _HEIGHT), QColor("#16171b"))
        count = min(whole, width)
        for number in range(count):
            left, right = number * width / count, (number + 1) * width / count
            cell = self.cells[self.at((left + right) / 2)]
            gap = 1.0 if right - left > 4 else 0.0
            height = _HEIGHT * _HEIGHTS[cell.state]
            box = QRectF(left, _HEIGHT - height, right - left - gap, height)
            painter.fillRect(box, QColor(COLOURS[cell.state]))
        middle = (self.shown + 0.5) * width / whole
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().text())
        top, bottom = _HEIGHT + 1, _HEIGHT + _MARK
        corners = (middle, top), (middle - 5, bottom), (middle + 5, bottom)
        painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners]))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to a slice."""
        if self.cells:
            self.picked.emit(self.at(event.pos().x()))

    def event(self, event: QEvent) -> bool:
        """Tell about the slice under the mouse."""
        if isinstance(event, QHelpEvent) and self.cells:
            QToolTip.showText(event.globalPos(), self.cells[self.at(event.pos().x())].told, self)
            return True
        return bool(super().event(event))


def legend(states: Sequence[str]) -> str:
    """Tell in rich text what the colours mean."""
    names = {
        "corrected": "corrected",
        "carried": "carried",
        "doubtful": "doubtful",
        "own": "network's&nbsp;own",
        "none": "no&nbsp;labels&nbsp;yet",
    }
    marks = (
        f'<span style="color:{COLOURS[state]}">&#9632;</span>&nbsp;{names[state]}'
        for state in states
    )
    return " &nbsp;".join(marks)
