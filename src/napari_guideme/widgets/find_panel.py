"""*Find by name*: a box to type in, the labels that stand in for the name, and *Find*."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from qtpy.QtCore import QStringListModel, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QCompleter,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_guideme.errors import InputError
from napari_guideme.widgets.chips import ChipRow
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.find_options import FindOptions
from napari_guideme.widgets.found_maps import FoundMaps
from napari_guideme.widgets.named import Looked
from napari_guideme.widgets.naming import Namer

BEGIN = "Type what you look for and press Find."
HOW = "Any thing that can be seen, in one or two words."
LOADING = "Loading the classifier …"
LOOKING = "Looking the name up …"
TO_FIND = "Press Return to find it. A click on a label takes it away."
NONE_LEFT = "At least one label has to stand in for it: add one."
SEARCH = "This slice is not searched yet: press Find, or click."

POSITIVE, NEGATIVE = "#2f7d4f", "#a8323e"


class FindPanel(QWidget):
    """What to look for, and by which labels of a classifier.

    Signals
    -------
    told
        What to do, in words.
    """

    told = Signal(str)

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.namer = Namer(controller, self)
        self.maps = FoundMaps(controller, self)
        self.line = QLineEdit(placeholderText="motorbike")
        self.find = QPushButton("Find")
        self.find.setToolTip("Find it in the image, or in the slice that is shown")
        self.answer = QLabel(HOW, wordWrap=True, objectName="guideme-looked")
        self.positive = ChipRow("These labels of the classifier stand in for it:", POSITIVE)
        self.negative = ChipRow("These are there, too, and distract:", NEGATIVE)
        self.show_maps = QCheckBox("Show where the labels were seen")
        self.show_maps.setToolTip("Two maps: green stands in, red distracts")
        self.options = FindOptions(self.namer)
        self._words = QStringListModel(self)
        self._looked: Looked | None = None
        self._lay_out()
        self._connect()
        self._show_labels(False)

    @property
    def is_busy(self) -> bool:
        """Whether a name is being looked up."""
        return self.namer.is_busy

    def describe(self, outcome: Outcome) -> str:
        """Say what was found before anybody clicked."""
        name = outcome.session.network.classes[1]
        if not outcome.labels.any():
            return f"No {name} was found. Change the labels above, or click on it with {name}."
        return f"Found {name}. Click with {name} on what is missing, else with background."

    # -- what the user does -------------------------------------------------

    def _on_return(self) -> None:
        """Find it, unless Return only chose a word to complete it with."""
        popup = self.line.completer().popup()
        if not (popup.isVisible() and popup.currentIndex().isValid()):
            popup.hide()
            self.namer.find()

    def _on_added(self, title: str, distracts: bool) -> None:
        try:
            self.namer.add(title, distracts=distracts)
        except InputError as error:
            self.answer.setText(f"{_sentence(str(error))}")

    # -- what comes of it ---------------------------------------------------

    def _on_typed(self, name: str) -> None:
        self.namer.hear(name)

    def _on_busy(self, busy: bool) -> None:
        if busy:
            self.answer.setText(LOADING if self.namer.is_loading else LOOKING)

    def _on_looked(self, looked: Looked) -> None:
        if looked is not self._looked:
            self._looked = looked
            self._words.setStringList(list(looked.words))
            for row in (self.positive, self.negative):
                row.offer(looked.labels)
        told = self.namer.stand_ins
        self._show_labels(told is not None)
        if told is None:
            self.answer.setText(_sentence(looked.why) if looked.why else HOW)
            return
        self.positive.show_chips(list(self._chips(looked, told.positive)))
        self.negative.show_chips(list(self._chips(looked, told.negative)))
        self.answer.setText(TO_FIND if told.positive else NONE_LEFT)
        self.find.setEnabled(bool(told.positive))

    def _on_refused(self, why: str) -> None:
        self._show_labels(False)
        self.answer.setText(_sentence(why))

    def _on_progress(self, done: int, total: int) -> None:
        self.told.emit(f"Looking at the image: {done} of {total} labels …")

    def _show_labels(self, shown: bool) -> None:
        for part in (self.positive, self.negative):
            part.setVisible(shown)
        self.find.setEnabled(shown)

    def _chips(self, looked: Looked, labels: Iterable[int]) -> Iterable[tuple[int, str, str]]:
        for label in labels:
            likely = 0.0 if looked.probabilities is None else float(looked.probabilities[label])
            hint = f"{likely:.1%} likely in this image; a click takes it away"
            yield label, looked.labels[label], hint

    # -- making -------------------------------------------------------------

    def _lay_out(self) -> None:
        completer = QCompleter(self._words, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.line.setCompleter(completer)
        self.line.setClearButtonEnabled(True)
        box = QHBoxLayout()
        box.addWidget(self.line, 1)
        box.addWidget(self.find)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(box)
        for widget in (self.answer, self.positive, self.negative, self.show_maps, self.options):
            column.addWidget(widget)

    def _connect(self) -> None:
        self.line.textChanged.connect(self._on_typed)
        self.line.returnPressed.connect(self._on_return)
        self.find.clicked.connect(lambda: self.namer.find())
        self.show_maps.toggled.connect(self.maps.show)
        for row, distracts in ((self.positive, False), (self.negative, True)):
            row.taken.connect(self.namer.take_away)
            row.added.connect(lambda title, distracts=distracts: self._on_added(title, distracts))
        self.namer.busy.connect(self._on_busy)
        self.namer.looked.connect(self._on_looked)
        self.namer.refused.connect(self._on_refused)
        self.namer.progressed.connect(self._on_progress)


def _sentence(why: str) -> str:
    return escape(f"{why[:1].upper()}{why[1:]}.")
