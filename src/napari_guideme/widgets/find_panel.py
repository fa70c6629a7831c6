"""*Find by name*: a box to type in, the labels that stand in for the name, and *Find*."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

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
from napari_guideme.widgets.colours import MAPS
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.find_options import FindOptions
from napari_guideme.widgets.found_maps import FoundMaps
from napari_guideme.widgets.named import Looked
from napari_guideme.widgets.naming import Namer
from napari_guideme.widgets.word_means import WordMeans

if TYPE_CHECKING:
    from napari_guideme.localize.proxies import StandIns

HOW = "What do you look for? Any thing that can be seen, in a word or two."
LOADING = "Loading the classifier …"
LOOKING = "Looking the name up …"
TO_FIND = "Press Return to find it."
FOUND = "Take a label away by a click, or add one: it is found anew."
NONE_LEFT = "Add a label that looks like it, to stand in for it."
NO_WORDNET = "Rarer names:"
SEARCH = "This slice is not searched yet: press Find, or click."


class FindPanel(QWidget):
    """What to look for, and by which labels of a classifier.

    Signals
    -------
    told
        What to do, in words.
    """

    told = Signal(str)

    def __init__(self, controller: Controller, means: WordMeans, parent: QWidget) -> None:
        super().__init__(parent)
        self._means = means
        self.namer = Namer(controller, self)
        self.maps = FoundMaps(controller, self)
        self.line = QLineEdit(placeholderText="motorbike")
        self.find = QPushButton("Find")
        self.find.setToolTip("Find it in the image, or in the slice that is shown")
        self.answer = QLabel(HOW, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.positive = ChipRow("Labels that stand in for it:", MAPS["stands in"])
        self.negative = ChipRow("Labels that distract from it:", MAPS["distracts"])
        self.show_maps = QCheckBox("Show where the labels were seen")
        self.show_maps.setToolTip("Two maps: green stands in, red distracts")
        self.options = FindOptions(self.namer)
        self.fetch = QPushButton("Fetch WordNet (10 MB)")
        self._wordnet, self._has_wordnet = QWidget(), True
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
            self.answer.setText(_sentence(str(error)))

    # -- what comes of it ---------------------------------------------------

    def _on_typed(self, name: str) -> None:
        self.namer.hear(name)

    def _on_busy(self, busy: bool) -> None:
        if busy:
            self.answer.setText(LOADING if self.namer.is_loading else LOOKING)

    def _on_looked(self, looked: Looked) -> None:
        if looked is not self._looked:
            self._looked = looked
            self._words.setStringList(list(looked.known.vocabulary))
            for row in (self.positive, self.negative):
                row.offer(looked.labels)
        told = self.namer.stand_ins
        self._show_labels(told is not None)
        if told is None:
            self.answer.setText(HOW)
            return
        self.positive.show_chips(list(self._chips(looked, told.positive)))
        self.negative.show_chips(list(self._chips(looked, told.negative)))
        self.answer.setText(self._advice(looked, told))
        self.find.setEnabled(bool(told.positive))
        self._wordnet.setVisible(bool(looked.why) and not self._has_wordnet)

    def _advice(self, looked: Looked, told: StandIns) -> str:
        if told.positive:
            return FOUND if self.namer.is_found else TO_FIND
        return f"{_sentence(looked.why)} {NONE_LEFT}" if looked.why else NONE_LEFT

    def _on_chosen(self) -> None:
        told = self.namer.stand_ins
        if self._looked is not None and told is not None:
            self.answer.setText(self._advice(self._looked, told))

    def _on_refused(self, why: str) -> None:
        self._show_labels(False)
        self.answer.setText(_sentence(why))

    def _on_fetch(self) -> None:
        self.fetch.setEnabled(False)
        self._means.fetch_wordnet()

    def _on_means(self, wordnet: bool, _: bool) -> None:
        self.fetch.setEnabled(True)
        if wordnet and not self._has_wordnet:
            self.namer.reread()
        self._has_wordnet = wordnet

    def _on_progress(self, done: int, total: int) -> None:
        self.told.emit(f"Looking at the image: {done} of {total} labels …")

    def _show_labels(self, shown: bool) -> None:
        for part in (self.positive, self.negative, self.show_maps):
            part.setVisible(shown)
        self._wordnet.hide()
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
        labels = self.positive, self.negative, self.show_maps
        for widget in (self.answer, self._wordnet, *labels, self.options):
            column.addWidget(widget)
        fetching = QHBoxLayout(self._wordnet)
        fetching.setContentsMargins(0, 0, 0, 0)
        fetching.addWidget(QLabel(NO_WORDNET), 1)
        fetching.addWidget(self.fetch)
        self.fetch.setToolTip("A dictionary of English; it is downloaded once")

    def _connect(self) -> None:
        self.line.textChanged.connect(self._on_typed)
        self.line.returnPressed.connect(self._on_return)
        self.find.clicked.connect(lambda: self.namer.find())
        self.show_maps.toggled.connect(self.maps.show)
        self.fetch.clicked.connect(lambda: self._on_fetch())
        self._means.found.connect(self._on_means)
        for row, distracts in ((self.positive, False), (self.negative, True)):
            row.taken.connect(self.namer.take_away)
            row.added.connect(lambda title, distracts=distracts: self._on_added(title, distracts))
        self.namer.busy.connect(self._on_busy)
        self.namer.looked.connect(self._on_looked)
        self.namer.chosen.connect(self._on_chosen)
        self.namer.refused.connect(self._on_refused)
        self.namer.progressed.connect(self._on_progress)


def _sentence(why: str) -> str:
    """Put a reason as a sentence, without what is to be done in a shell."""
    told = why.partition("; `")[0]
    return f"{told[:1].upper()}{told[1:]}."
