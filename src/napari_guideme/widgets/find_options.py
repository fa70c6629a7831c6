"""How names are found: method and classifier, for who knows better."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QWidget
from superqt import QCollapsible

from napari_guideme.localize import FINDING_NAMES
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER
from napari_guideme.widgets.naming import Namer

A_FILE = "a file …"
FILTER = "Weights of SqueezeNet 1.1 (*.safetensors);;All files (*)"


class FindOptions(QCollapsible):
    """A fold with the choices that have good defaults."""

    def __init__(self, namer: Namer) -> None:
        super().__init__("How it is found")
        self._namer = namer
        self._chosen = 0
        self.dialog: QFileDialog | None = None
        self.method, self.classifier = QComboBox(), QComboBox()
        for name, hint in FINDING_NAMES.items():
            self.method.addItem(name)
            self.method.setItemData(self.method.count() - 1, hint, Qt.ItemDataRole.ToolTipRole)
        self.classifier.addItem(DEFAULT_CLASSIFIER, DEFAULT_CLASSIFIER)
        self.classifier.addItem(A_FILE)
        choices = QWidget()
        form = QFormLayout(choices)
        form.addRow("Method", self.method)
        form.addRow("Classifier", self.classifier)
        self.addWidget(choices)
        self.method.textActivated.connect(namer.choose_method)
        self.classifier.activated.connect(self._on_classifier)

    def open(self, path: Path) -> None:
        """Ask the classifier in a file from now on."""
        index = self.classifier.findData(str(path))
        if index < 0:
            index = self.classifier.count() - 1
            self.classifier.insertItem(index, path.name, str(path))
        self._choose(index)

    def _on_classifier(self, index: int) -> None:
        if self.classifier.itemData(index) is not None:
            self._choose(index)
            return
        self.classifier.setCurrentIndex(self._chosen)
        dialog = QFileDialog(self, "Open classifier", "", FILTER)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda chosen: self.open(Path(chosen)))
        self.dialog = dialog
        dialog.open()

    def _choose(self, index: int) -> None:
        self._chosen = index
        self.classifier.setCurrentIndex(index)
        self._namer.choose_classifier(self.classifier.itemData(index))
