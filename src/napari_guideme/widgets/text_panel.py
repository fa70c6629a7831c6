"""The part of the dock widget for words: a box to type in, and what comes of it."""

from __future__ import annotations

import re
from difflib import get_close_matches
from html import escape

from magicgui.widgets import LineEdit
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_guideme.language import TELLING_NAMES
from napari_guideme.widgets.completion import WordCompleter
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.moved_map import MovedMap
from napari_guideme.widgets.said_list import SaidList
from napari_guideme.widgets.talking import Heard, Talker
from napari_guideme.widgets.word_means import WordMeans

HOW = "What is missing, or what is wrong, and where. Press Return to apply it."
TO_APPLY = "Understood. Press Return to apply it."
NO_CLASSES = "This network outlines what you click on; it has no classes to speak of."
NO_WORDNET = "More synonyms:"


class TextPanel(QGroupBox):
    """*Or say it in words*: a sentence, what was understood of it, and what was said."""

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__("Or say it in words", parent)
        self._controller = controller
        self.talker = Talker(controller, self)
        self.means = WordMeans(controller, self)
        self.map = MovedMap(controller, self)
        self.sentence = LineEdit()
        self.line = self.sentence.native
        self.completer = WordCompleter(self)
        self.tell = QPushButton("Tell")
        self.tell.setToolTip("Let the sentence count, as Return does")
        self.answer = QLabel(wordWrap=True, textFormat=Qt.TextFormat.RichText)
        self.chips: list[QLabel] = []
        self._chip_row = QWidget()
        self.said = SaidList(self.talker)
        self.show_moved = QCheckBox("Show what the words moved")
        self.telling = QComboBox()
        self.fetch = QPushButton("Fetch WordNet (10 MB)")
        self._wordnet = QWidget()
        # Whoever shows the panel lays this where most users need not see it.
        self.following = QWidget(self)
        self._lay_out()
        self._connect()
        self._on_means(True, False)
        self.offer()
        self._on_heard(None)

    @property
    def is_busy(self) -> bool:
        """Whether anything about words is being computed."""
        return any(part.is_busy for part in (self.talker, self.means, self.map))

    def offer(self) -> None:
        """Offer what can be said to the chosen network."""
        speaks = not self._controller.outlines_objects
        self.setEnabled(speaks)
        self.setToolTip("" if speaks else NO_CLASSES)
        example = self._controller.classes[min(1, len(self._controller.classes) - 1)]
        self.line.setPlaceholderText(f"find the {example} on the top left")
        self.telling.setCurrentText(self._controller.choice.telling)
        if not speaks:
            self.line.clear()
        self.means.look()
        self.look()

    def look(self) -> None:
        """Read the sentence anew, for what is shown now."""
        self.completer.offer(self._controller.classes, self.talker.axes)
        self.talker.hear(self.line.text())
        self._on_history()

    def stop(self) -> None:
        """Stop all that is about words, and take the box off the image."""
        for part in (self.talker, self.means, self.map):
            part.stop()

    # -- what the user does -------------------------------------------------

    def _on_return(self) -> None:
        """Apply the sentence, unless Return only chose a word to complete it with."""
        popup = self.completer.popup()
        if not (popup.isVisible() and popup.currentIndex().isValid()):
            popup.hide()
            self._tell()

    def _tell(self) -> None:
        self.talker.tell(self.line.text())

    def _on_suggestion(self, suggestion: str) -> None:
        self.line.setText(improved(self.line.text(), suggestion))
        self.line.setFocus()

    # -- what comes of it ---------------------------------------------------

    def _on_heard(self, heard: Heard | None) -> None:
        self._show_chips(heard.described if heard else ())
        self.tell.setEnabled(heard is not None and bool(heard.hints))
        if heard is None:
            self.answer.setText(NO_CLASSES if self._controller.outlines_objects else HOW)
        else:
            self.answer.setText(TO_APPLY if heard.hints else _refusal(heard))

    def _on_refused(self, why: str) -> None:
        self._on_heard(None)
        self.answer.setText(f"{escape(why)}.")

    def _on_told(self, sentence: str) -> None:
        if self.line.text() == sentence:
            self.line.clear()
        else:
            self.talker.hear(self.line.text())

    def _on_view(self, _: object) -> None:
        self.look()

    def _on_history(self) -> None:
        entries = self.talker.history
        self.said.show_entries(entries)
        self.show_moved.setVisible(bool(entries))

    def _on_means(self, wordnet: bool, guide: bool) -> None:
        self._wordnet.setVisible(not wordnet)
        self.fetch.setEnabled(True)
        self.following.setVisible(guide)

    def _on_fetch(self) -> None:
        self.fetch.setEnabled(False)
        self.means.fetch_wordnet()

    def _show_chips(self, described: tuple[str, ...]) -> None:
        for chip in self.chips:
            self._chip_row.layout().removeWidget(chip)
            chip.deleteLater()
        self.chips = [QLabel(text, styleSheet=CHIP) for text in described]
        for chip in self.chips:
            self._chip_row.layout().addWidget(chip)
        self._chip_row.setVisible(bool(described))

    # -- making -------------------------------------------------------------

    def _lay_out(self) -> None:
        box = QHBoxLayout()
        box.addWidget(self.line, 1)
        box.addWidget(self.tell)
        QFlowLayout(self._chip_row).setContentsMargins(0, 0, 0, 0)
        fetching = QHBoxLayout(self._wordnet)
        fetching.setContentsMargins(0, 0, 0, 0)
        fetching.addWidget(QLabel(NO_WORDNET, wordWrap=True), 1)
        fetching.addWidget(self.fetch)
        following = QFormLayout(self.following)
        following.setContentsMargins(0, 0, 0, 0)
        following.addRow("Words are followed by", self.telling)
        column = QVBoxLayout(self)
        column.addLayout(box)
        for widget in (self._chip_row, self.answer, self.said, self.show_moved, self._wordnet):
            column.addWidget(widget)
        for name, hint in TELLING_NAMES.items():
            self.telling.addItem(name)
            self.telling.setItemData(self.telling.count() - 1, hint, Qt.ItemDataRole.ToolTipRole)
        self.show_moved.setToolTip("A heat map of how far words alone moved what they name")
        self.fetch.setToolTip("A dictionary of English; it is downloaded once")
        self.line.setClearButtonEnabled(True)
        self.line.setCompleter(self.completer)

    def _connect(self) -> None:
        self.line.textChanged.connect(self.talker.hear)
        self.line.returnPressed.connect(self._on_return)
        self.tell.clicked.connect(lambda: self._tell())
        self.answer.linkActivated.connect(self._on_suggestion)
        self.show_moved.toggled.connect(self.map.show)
        self.telling.textActivated.connect(self._controller.choose_telling)
        self.fetch.clicked.connect(self._on_fetch)
        self.talker.heard.connect(self._on_heard)
        self.talker.refused.connect(self._on_refused)
        self.talker.told.connect(self._on_told)
        self.talker.history_changed.connect(self._on_history)
        self.means.found.connect(self._on_means)
        self._controller.viewer.dims.events.ndisplay.connect(self._on_view)


CHIP = "background: #2f6f9f; color: white; border-radius: 9px; padding: 3px 9px; font-weight: bold;"


def improved(sentence: str, suggestion: str) -> str:
    """Put a suggestion into a sentence: the whole of it, or in the place of one word."""
    if suggestion.startswith(("find ", "remove ")):
        return suggestion
    near = get_close_matches(suggestion, sentence.lower().split(), n=1, cutoff=0.5)
    if not near:
        return f"{sentence} {suggestion}"
    return re.sub(re.escape(near[0]), lambda _: suggestion, sentence, count=1, flags=re.IGNORECASE)


def _link(suggestion: str) -> str:
    told = escape(suggestion)
    return f'<a href="{told}" style="color: #7fc4ff;">{told}</a>'


def _refusal(heard: Heard) -> str:
    """Say why, what was understood, and what can be clicked on instead."""
    lines = [f"Not understood: {escape(heard.why)}."]
    if heard.understood:
        lines.append(f"Understood: {escape(', '.join(heard.understood))}.")
    if heard.suggestions:
        lines.append(f"Try {' or '.join(map(_link, heard.suggestions))}.")
    return "<br>".join(lines)
