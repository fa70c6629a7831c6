"""The labels that stand in for a name: chips, where they were seen, and how to know more names."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_guideme.errors import InputError
from napari_guideme.widgets.chips import ChipRow
from napari_guideme.widgets.colours import MAPS
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.found_maps import FoundMaps
from napari_guideme.widgets.named import Looked
from napari_guideme.widgets.seeking import Seeker
from napari_guideme.widgets.word_means import WordMeans

NO_WORDNET = "Rarer names:"


class NamePanel(QWidget):
    """Shown while the proxies answer.

    Signals
    -------
    refused
        Why a label cannot be added.
    """

    refused = Signal(str)

    def __init__(
        self, controller: Controller, seeker: Seeker, means: WordMeans, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._seeker, self._means = seeker, means
        self.maps = FoundMaps(controller, self)
        self.positive = ChipRow("Labels that stand in for it:", MAPS["stands in"])
        self.negative = ChipRow("Labels that distract from it:", MAPS["distracts"])
        self.show_maps = QCheckBox("Show where the labels were seen")
        self.show_maps.setToolTip("Two maps: green stands in, red distracts")
        self.fetch = QPushButton("Fetch WordNet (10 MB)")
        self._wordnet, self._has_wordnet = QWidget(), True
        self._looked: Looked | None = None
        self._lay_out()
        self._connect()

    def show_looked(self, looked: Looked) -> None:
        """Show what stands in for the name, and what distracts."""
        told = looked.search
        if self._looked is None or self._looked.labels is not looked.labels:
            for row in (self.positive, self.negative):
                row.offer(looked.labels)
        self._looked = looked
        if told is not None:
            self.positive.show_chips(list(_chips(looked, told.positive)))
            self.negative.show_chips(list(_chips(looked, told.negative)))
        self._wordnet.setVisible(bool(looked.why) and not self._has_wordnet)

    def _on_taken(self, label: int) -> None:
        if isinstance(self._seeker.answer, Looked):
            self._seeker.edit(self._seeker.answer.without(label))

    def _on_added(self, title: str, distracts: bool) -> None:
        try:
            self.add(title, distracts=distracts)
        except InputError as error:
            self.refused.emit(str(error))

    def add(self, title: str, *, distracts: bool) -> None:
        """Let a label stand in for the name, or distract from it.

        Raises
        ------
        InputError
            If the classifier has no such label.
        """
        if isinstance(self._seeker.answer, Looked):
            self._seeker.edit(self._seeker.answer.adding(title, distracts=distracts))

    def _on_fetch(self) -> None:
        self.fetch.setEnabled(False)
        self._means.fetch_wordnet()

    def _on_means(self, wordnet: bool, _: bool) -> None:
        self.fetch.setEnabled(True)
        if wordnet and not self._has_wordnet:
            self._seeker.reread()
        self._has_wordnet = wordnet

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self._wordnet, self.positive, self.negative, self.show_maps):
            column.addWidget(widget)
        fetching = QHBoxLayout(self._wordnet)
        fetching.setContentsMargins(0, 0, 0, 0)
        fetching.addWidget(QLabel(NO_WORDNET), 1)
        fetching.addWidget(self.fetch)
        self.fetch.setToolTip("A dictionary of English; it is downloaded once")

    def _connect(self) -> None:
        self.show_maps.toggled.connect(self.maps.show)
        self.fetch.clicked.connect(lambda: self._on_fetch())
        self._means.found.connect(self._on_means)
        for row, distracts in ((self.positive, False), (self.negative, True)):
            row.taken.connect(self._on_taken)
            row.added.connect(lambda title, distracts=distracts: self._on_added(title, distracts))


def _chips(looked: Looked, labels: Iterable[int]) -> Iterable[tuple[int, str, str]]:
    for label in labels:
        likely = 0.0 if looked.probabilities is None else float(looked.probabilities[label])
        hint = f"{likely:.1%} likely in this image; a click takes it away"
        yield label, looked.labels[label], hint
