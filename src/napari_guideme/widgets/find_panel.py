"""*Find by name*: a box to type a name or a sentence in, who answers it, and *Find*."""

from __future__ import annotations

from qtpy.QtCore import QStringListModel, Qt, Signal
from qtpy.QtWidgets import (
    QCompleter,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_guideme.widgets.answering import Answer
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.find_options import FindOptions
from napari_guideme.widgets.name_panel import NamePanel
from napari_guideme.widgets.named import Looked
from napari_guideme.widgets.read_panel import ReadPanel
from napari_guideme.widgets.seeking import Seeker
from napari_guideme.widgets.sentences import Heard, Sentence
from napari_guideme.widgets.sought import Query
from napari_guideme.widgets.word_means import WordMeans

HOW = "Name a kind of thing in a word or two, or say in a sentence which one of many you mean."
EXAMPLE = "cup, or: the cup on the left"
LOADING = "Loading what finds it …"
LOOKING = "Looking it up …"
TO_FIND = "Press Return to find it."
FOUND = "Take a label away by a click, or add one: it is found anew."
NONE_LEFT = "Add a label that looks like it, to stand in for it."
STOPPED = "Cancelled. Press Return to look it up again."
SENTENCE = "A sentence: See-through-Text follows it to one thing among others."
SEVERAL = "Of several it finds one; click on the others."
SEARCH = "This slice is not searched yet: press Find, or click."


class FindPanel(QWidget):
    """What to look for, and how it was understood.

    Signals
    -------
    told
        What to do, in words.
    """

    told = Signal(str)

    def __init__(self, controller: Controller, means: WordMeans, parent: QWidget) -> None:
        super().__init__(parent)
        self.seeker = Seeker(controller, self)
        self.line = QLineEdit(placeholderText=EXAMPLE)
        self.line.setToolTip(HOW)
        self.find = QPushButton("Find")
        self.find.setToolTip("Find it in the image, or in the slice that is shown")
        self.answer = QLabel(HOW, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.names = NamePanel(controller, self.seeker, means, self)
        self.reading = ReadPanel(controller, self)
        self.options = FindOptions(self.seeker)
        self._words = QStringListModel(self)
        self._lay_out()
        self._connect()
        self._show(None)

    @property
    def is_busy(self) -> bool:
        """Whether what is typed is being looked at."""
        return self.seeker.is_busy

    def describe(self, outcome: Outcome) -> str:
        """Say what was found before anybody clicked, and by whom."""
        name = outcome.session.network.classes[1]
        correct = f"Click with {name} on what is missing, else with background."
        if isinstance(self.seeker.finds, Sentence):
            if outcome.labels.any():
                return f"See-through-Text followed the sentence: this is the {name}. {correct}"
            return (
                f"See-through-Text found no {name} that the sentence fits. Say it in other "
                f"words, or click on it with {name}."
            )
        if outcome.labels.any():
            return f"Found {name} by the labels that stand in for it. {correct}"
        return f"No {name} was found. Change the labels above, or click on it with {name}."

    # -- what the user does -------------------------------------------------

    def _on_return(self) -> None:
        """Find it, unless Return only chose a word to complete it with."""
        popup = self.line.completer().popup()
        if not (popup.isVisible() and popup.currentIndex().isValid()):
            popup.hide()
            self.seeker.find()

    # -- what comes of it ---------------------------------------------------

    def _on_busy(self, busy: bool) -> None:
        if busy:
            self.answer.setText(LOADING if self.seeker.is_loading else LOOKING)

    def _on_recalled(self, query: Query) -> None:
        with signals_blocked(self.line):
            self.line.setText(query.text)
        self.options.show_query(query)

    def _on_looked(self, answer: Answer) -> None:
        self._show(answer)
        self.answer.setText(self._advice(answer))
        if isinstance(answer, Looked):
            self._words.setStringList(list(answer.known.vocabulary))
            self.names.show_looked(answer)

    def _on_chosen(self) -> None:
        self.reading.look()
        if self.seeker.answer is not None:
            self.answer.setText(self._advice(self.seeker.answer))

    def _on_stopped(self) -> None:
        """What is typed can still be found: it is looked at again then."""
        is_typed = bool(self.line.text().strip())
        self._show(None)
        self.answer.setText(STOPPED if is_typed else HOW)
        self.find.setEnabled(is_typed)

    def _on_refused(self, why: str) -> None:
        self._show(None)
        self.answer.setText(_sentence(why))

    def _on_progress(self, done: int, total: int) -> None:
        if self.seeker.finds is not None:
            self.told.emit(self.seeker.finds.doing.format(done, total))

    def _advice(self, answer: Answer) -> str:
        if answer.part is None:
            return HOW
        if isinstance(answer, Heard):
            listed = ", ".join(f"'{word}'" for word in answer.unknown)
            unknown = f"It does not know: {listed}." if listed else ""
            to_find = "" if self.seeker.is_found else TO_FIND
            several = SEVERAL if answer.several else ""
            return " ".join(filter(None, (SENTENCE, unknown, several, to_find)))
        if answer.sought() is None:
            return f"{_sentence(answer.why)} {NONE_LEFT}" if answer.why else NONE_LEFT
        return FOUND if self.seeker.is_found else TO_FIND

    def _show(self, answer: Answer | None) -> None:
        """Show what belongs to a name or to a sentence."""
        typed = answer if answer is not None and answer.part is not None else None
        self.names.setVisible(isinstance(typed, Looked))
        self.reading.setVisible(isinstance(typed, Heard))
        self.find.setEnabled(typed is not None and typed.sought() is not None)

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
        for widget in (self.answer, self.names, self.reading, self.options):
            column.addWidget(widget)

    def _connect(self) -> None:
        self.line.textChanged.connect(self.seeker.hear)
        self.line.returnPressed.connect(self._on_return)
        self.find.clicked.connect(lambda: self.seeker.find())
        self.seeker.busy.connect(self._on_busy)
        self.seeker.looked.connect(self._on_looked)
        self.seeker.chosen.connect(self._on_chosen)
        self.seeker.recalled.connect(self._on_recalled)
        self.seeker.stopped.connect(self._on_stopped)
        self.seeker.refused.connect(self._on_refused)
        self.names.refused.connect(lambda why: self.answer.setText(_sentence(why)))
        self.seeker.progressed.connect(self._on_progress)


def _sentence(why: str) -> str:
    """Put a reason as a sentence, without what is to be done in a shell."""
    told = why.partition("; `")[0]
    is_word = told.partition(" ")[0].isalpha()
    return f"{told[:1].upper() if is_word else told[:1]}{told[1:]}."
