"""The part of the dock widget that asks: one question, its candidates, and the way out."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_guideme.widgets.asking import ANSWER_KEYS, Asker
from napari_guideme.widgets.colours import class_colours
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Asked

COLUMNS = 2


class AskPanel(QWidget):
    """*Ask me*, and, while questions are asked, the candidates as buttons and keys."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.asker = Asker(controller, self)
        self._controller = controller
        self.ask = _button("Ask me", "Let the network ask where your answer helps most")
        self.told = QLabel(wordWrap=True)
        self.candidates: list[QPushButton] = []
        self.others = QComboBox()
        self.not_sure = _button("0   Not sure", "Ask me elsewhere instead")
        self.show_ring = _button("Back to the ring", "Fly to the pixel again")
        self.stop = _button("Esc   Stop asking", "Your answers stay")
        self._box = QGroupBox("What is in the middle of the ring?")
        self._grid = QGridLayout()
        self._lay_out()
        self._connect()
        self._on_asking(False)

    def _lay_out(self) -> None:
        ways = QHBoxLayout()
        for button in (self.not_sure, self.show_ring):
            ways.addWidget(button)
        inside = QVBoxLayout(self._box)
        inside.addLayout(self._grid)
        inside.addWidget(self.others)
        inside.addLayout(ways)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.ask)
        column.addWidget(self._box)
        column.addWidget(self.told)
        column.addWidget(self.stop)

    def _connect(self) -> None:
        asker = self.asker
        self.ask.clicked.connect(lambda: asker.start())
        self.not_sure.clicked.connect(lambda: asker.not_sure())
        self.show_ring.clicked.connect(lambda: asker.show())
        self.stop.clicked.connect(lambda: asker.stop())
        self.others.textActivated.connect(self._on_other)
        asker.asking.connect(self._on_asking)
        asker.asked.connect(self._on_asked)
        asker.told.connect(self._on_told)

    def _on_asking(self, asking: bool) -> None:
        self.ask.setVisible(not asking)
        self._box.setVisible(asking)
        self.stop.setVisible(asking)
        if not asking:
            self.told.hide()

    def _on_told(self, text: str) -> None:
        self.told.setText(text)
        self.told.setVisible(bool(text))

    def _on_asked(self, asked: Asked | None) -> None:
        """Offer the candidates; without a question they stay, but cannot be chosen."""
        self._box.setEnabled(asked is not None)
        if asked is None or asked.question is None:
            return
        names = self._controller.classes
        colours = dict(zip(names, class_colours(len(names)), strict=True))
        for button in self.candidates:
            self._grid.removeWidget(button)
            button.deleteLater()
        self.candidates = []
        for index, name in enumerate(asked.question.classes):
            button = _button(f"{ANSWER_KEYS[index]}   {name}", f"It is {name}")
            button.setStyleSheet(_candidate_style(colours[name]))
            button.clicked.connect(lambda _, name=name: self.asker.answer(name))
            self._grid.addWidget(button, index // COLUMNS, index % COLUMNS)
            self.candidates.append(button)
        self._offer_others([name for name in names if name not in asked.question.classes])

    def _offer_others(self, names: list[str]) -> None:
        self.others.clear()
        self.others.addItems(["another class …", *names])
        self.others.setVisible(bool(names))

    def _on_other(self, name: str) -> None:
        if self.others.currentIndex() > 0:
            self.asker.answer(name)


def _button(text: str, hint: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(hint)
    return button


def _candidate_style(colour: str) -> str:
    return (
        f"QPushButton {{ background: {colour}; color: black; border-radius: 4px; padding: 6px; "
        "text-align: left; }"
        "QPushButton:hover { border: 2px solid white; }"
        "QPushButton:disabled { background: #555; color: #999; }"
    )
