"""Which words count in which step: rows are steps, columns words, as in See-through-Text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QFontMetrics,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

#: Counts least, and most.
LIGHT, DARK = QColor("#f4f1e6"), QColor("#123a6b")

#: Pixels of a row and, at most, of a column; beside them are the numbers of the steps.
_ROW, _WIDEST, _BESIDE, _GAP = 13, 64, 24, 4


class AttentionPicture(QWidget):
    """A cell for each step and word, the darker the more the word counts.

    Arrow keys go from cell to cell.

    Signals
    -------
    picked
        A step that was clicked or gone to, from 0 on.
    """

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="guideme-attention")
        self.words: Sequence[str] = ()
        self.attention: NDArray[np.floating] = np.zeros((0, 0))
        self.step = self.word = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Which words count in which step")

    def show_attention(
        self, words: Sequence[str], attention: NDArray[np.floating], step: int
    ) -> None:
        """Show how much each word counts in each step, (T, words), and mark one step."""
        self.words, self.attention = words, attention
        self.word = min(self.word, len(words) - 1)
        self.updateGeometry()
        self.mark(step)

    def mark(self, step: int) -> None:
        """Mark a step."""
        self.step = step
        self.setAccessibleDescription(self.told(step, self.word))
        self.update()

    def told(self, step: int, word: int) -> str:
        """Say in words what a cell shows."""
        value = self.attention[step, word]
        return f"Step {step + 1}, '{self.words[word]}': {value:.2f}"

    def sizeHint(self) -> QSize:
        """As wide as may be; high enough for the words below."""
        return QSize(200, _ROW * len(self.attention) + _GAP + self._below)

    minimumSizeHint = sizeHint

    # -- where things are ---------------------------------------------------

    @property
    def _column(self) -> float:
        wide: int = self.width() - _BESIDE
        return min(_WIDEST, wide / max(len(self.words), 1))

    @property
    def _longest(self) -> int:
        metrics = QFontMetrics(self.font())
        return max((metrics.horizontalAdvance(word) for word in self.words), default=0)

    @property
    def _is_upright(self) -> bool:
        """Whether words have to stand upright to fit below their columns."""
        return self._longest + _GAP > self._column

    @property
    def _below(self) -> int:
        return self._longest if self._is_upright else QFontMetrics(self.font()).height()

    def resizeEvent(self, event: QEvent) -> None:
        """Stand words upright, or lay them down."""
        self.updateGeometry()
        super().resizeEvent(event)

    def box(self, step: int, word: int) -> QRect:
        """Return where a cell is."""
        left, right = (round(_BESIDE + n * self._column) for n in (word, word + 1))
        return QRect(left, step * _ROW, right - left, _ROW)

    def cell(self, at: QPoint) -> tuple[int, int] | None:
        """Return the step and the word at a place, if there is one."""
        word, step = int((at.x() - _BESIDE) // self._column), at.y() // _ROW
        steps, words = self.attention.shape
        return (step, word) if 0 <= step < steps and 0 <= word < words else None

    # -- events -------------------------------------------------------------

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw cells, numbers and words; the marked step has a frame."""
        steps, words = self.attention.shape
        if not self.attention.size:
            return
        painter = QPainter(self)
        text = self.palette().text().color()
        low, high = float(self.attention.min()), float(self.attention.max())
        shares = (self.attention - low) / ((high - low) or 1)
        for step in range(steps):
            for word in range(words):
                painter.fillRect(self.box(step, word), _mixed(float(shares[step, word])))
            painter.setPen(text)
            number = QRect(0, step * _ROW, _BESIDE - _GAP, _ROW)
            painter.drawText(
                number,
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                f"▸{step + 1}" if step == self.step else f"{step + 1}",
            )
        row = self.box(self.step, 0).united(self.box(self.step, words - 1))
        painter.setPen(QColor("#e69f00"))
        painter.drawRect(row.adjusted(0, 0, -1, -1))
        if self.hasFocus():
            painter.setPen(QColor("#d55e00"))
            painter.drawRect(self.box(self.step, self.word).adjusted(1, 1, -2, -2))
        painter.setPen(text)
        for word in range(words):
            self._write(painter, word, steps * _ROW + _GAP)
        painter.end()

    def _write(self, painter: QPainter, word: int, top: int) -> None:
        """Write a word below its column, from top to bottom if it has to be."""
        box = self.box(0, word)
        if not self._is_upright:
            below = QRect(box.left(), top, box.width(), self._below)
            painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, self.words[word])
            return
        painter.save()
        painter.translate(box.center().x(), top)
        painter.rotate(90)
        height = QFontMetrics(self.font()).height()
        painter.drawText(
            QRect(0, -height // 2, self._below, height),
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
            self.words[word],
        )
        painter.restore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the cell that is clicked."""
        found = self.cell(event.pos())
        if found is not None:
            self._go(*found)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from cell to cell."""
        moves = {
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
        }
        move = moves.get(event.key())
        if move is None or not self.attention.size:
            super().keyPressEvent(event)
            return
        steps, words = self.attention.shape
        step, word = self.step + move[0], self.word + move[1]
        self._go(min(max(step, 0), steps - 1), min(max(word, 0), words - 1))
        QToolTip.showText(
            self.mapToGlobal(self.box(self.step, self.word).bottomRight()),
            self.told(self.step, self.word),
            self,
        )

    def _go(self, step: int, word: int) -> None:
        self.word = word
        self.mark(step)
        self.picked.emit(step)

    def event(self, event: QEvent) -> bool:
        """Tell about the cell under the mouse."""
        if isinstance(event, QHelpEvent):
            found = self.cell(event.pos())
            QToolTip.showText(event.globalPos(), self.told(*found) if found else "", self)
            return True
        return bool(super().event(event))


def _mixed(share: float) -> QColor:
    """Colour between light and dark."""
    parts = (
        round(light + share * (dark - light))
        for light, dark in zip(LIGHT.getRgb()[:3], DARK.getRgb()[:3], strict=True)
    )
    return QColor(*parts)
