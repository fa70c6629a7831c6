"""The bar that says that something is being computed, or how much of it is done."""

from __future__ import annotations

from qtpy.QtCore import QTimer
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QProgressBar

#: How long the bar of something whose end is not known lies on one side.
SWING_MS = 500


class BusyBar(QProgressBar):
    """Swings to and fro while nobody knows how much is done.

    Qt's own bar moves twenty times a second, and every time napari's whole window is put together
    anew. Where there is no GPU, that takes more of the cores than a network does.
    """

    def __init__(self) -> None:
        super().__init__(minimum=0, textVisible=False)
        self._is_left = True
        self._swing = QTimer(self, interval=SWING_MS)
        self._swing.timeout.connect(self._turn)
        self.show_busy()

    @property
    def share(self) -> float | None:
        """How much is done, from 0 to 1, ``None`` while nobody knows."""
        return None if self._is_busy else self.value() / self.maximum()

    def show_busy(self) -> None:
        """Show that something is being computed."""
        self._is_busy = True
        self.setMaximum(2)
        self.setValue(1)
        if self.isVisible():
            self._swing.start()

    def show_share(self, share: float) -> None:
        """Show how much is done, from 0 to 1."""
        self._is_busy, self._is_left = False, True
        self._swing.stop()
        self.setInvertedAppearance(False)
        self.setMaximum(100)
        self.setValue(round(100 * share))

    def showEvent(self, event: QShowEvent) -> None:
        """Swing while it is seen."""
        if self._is_busy:
            self._swing.start()
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        """Rest while it is not."""
        self._swing.stop()
        super().hideEvent(event)

    def _turn(self) -> None:
        self._is_left = not self._is_left
        self.setInvertedAppearance(not self._is_left)
