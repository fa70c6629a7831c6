"""How things are found: who answers, and by which networks, for who knows better."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QWidget
from superqt import QCollapsible

from napari_guideme.localize import FINDING_NAMES
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER
from napari_guideme.referring import REFERRING
from napari_guideme.widgets.file_choice import FileChoice
from napari_guideme.widgets.seeking import Seeker
from napari_guideme.widgets.sought import AUTOMATIC, BY_NAME, BY_SENTENCE, Query

#: Who answers: what it is called, and when.
ANSWERING = {
    AUTOMATIC: ("automatic", "A mere name is a name, all else a sentence"),
    BY_SENTENCE: ("as a sentence", "See-through-Text follows it to one thing among others"),
    BY_NAME: ("as a name", "Labels of an image classifier stand in for it: all things of a kind"),
}
_SHORT = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon

OF_CLASSIFIERS = "Weights of SqueezeNet 1.1 (*.safetensors);;All files (*)"
OF_REFERRING = "Weights of See-through-Text (*.safetensors);;All files (*)"


class FindOptions(QCollapsible):
    """A fold with the choices that have good defaults."""

    def __init__(self, seeker: Seeker) -> None:
        super().__init__("How it is found")
        self.answering, self.method = QComboBox(), QComboBox()
        self.classifier = FileChoice(DEFAULT_CLASSIFIER, "Open classifier", OF_CLASSIFIERS)
        self.referring = FileChoice(REFERRING, "Open network for sentences", OF_REFERRING)
        for who, (name, hint) in ANSWERING.items():
            self.answering.addItem(name, who)
            _hint(self.answering, hint)
        for name, hint in FINDING_NAMES.items():
            self.method.addItem(name)
            _hint(self.method, hint)
        for combo in (self.answering, self.referring, self.method, self.classifier):
            # Names of files may be long, and docks are narrow.
            combo.setSizeAdjustPolicy(_SHORT)
            combo.setMinimumContentsLength(10)
        choices = QWidget()
        form = QFormLayout(choices)
        form.addRow("Understood", self.answering)
        form.addRow("Sentences by", self.referring)
        form.addRow("Names by", self.method)
        form.addRow("Classifier", self.classifier)
        self.addWidget(choices)
        self.answering.activated.connect(
            lambda _: seeker.choose(answering=self.answering.currentData())
        )
        self.method.textActivated.connect(seeker.choose_method)
        self.classifier.chosen.connect(lambda source: seeker.choose(classifier=source))
        self.referring.chosen.connect(lambda source: seeker.choose(referring=source))

    def show_query(self, query: Query) -> None:
        """Show how something is looked for; nothing is looked for by this."""
        self.answering.setCurrentIndex(self.answering.findData(query.answering))
        self.method.setCurrentText(query.method)
        self.classifier.show_source(query.classifier)
        self.referring.show_source(query.referring)


def _hint(combo: QComboBox, hint: str) -> None:
    """Explain the last entry."""
    combo.setItemData(combo.count() - 1, hint, Qt.ItemDataRole.ToolTipRole)
