"""Choosing a network: a bundled one, one that was opened, or *Open network…*."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_guideme.networks.opening import FORMATS
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.opener import Opener

FILTER = f"Networks ({' '.join(f'*{suffix}' for suffix in FORMATS)});;All files (*)"

#: Torchvision itself takes seconds to import, too long before a menu opens.
TORCHVISION = (
    "deeplabv3_mobilenet_v3_large",
    "deeplabv3_resnet101",
    "deeplabv3_resnet50",
    "fcn_resnet101",
    "fcn_resnet50",
    "lraspp_mobilenet_v3_large",
)


class NetworkChoice(QWidget):
    """The networks that are known, and ways to more of them.

    Signals
    -------
    chosen
        Label of the network that the user chose.
    """

    chosen = Signal(str)

    def __init__(self, controller: Controller, opener: Opener, parent: QWidget) -> None:
        super().__init__(parent)
        self._controller = controller
        self._opener = opener
        self.combo = QComboBox()
        self.open = QPushButton("Open network…")
        self.open.setToolTip("Take your own network: ONNX, PyTorch, bioimage.io, MONAI")
        self.edit = QPushButton("Edit…")
        self.edit.setToolTip("Names of the classes, values and colours of this network")
        self.dialog: QFileDialog | QInputDialog | None = None
        self._folder = ""
        menu = QMenu(self)
        menu.addAction("A file …", self.ask_file)
        menu.addAction("A folder (bioimage.io, MONAI) …", self.ask_folder)
        menu.addAction("One of torchvision's …", self.ask_name)
        self.open.setMenu(menu)
        self._lay_out()
        self.combo.activated.connect(lambda _: self.chosen.emit(self.combo.currentText()))
        self.refresh()

    def refresh(self) -> None:
        """Offer the networks that are known now, the chosen one on top."""
        self.combo.clear()
        for index, known in enumerate(self._controller.networks):
            self.combo.addItem(known.label)
            hint = known.card.description if known.is_bundled else str(known.source)
            self.combo.setItemData(index, hint, Qt.ItemDataRole.ToolTipRole)
        self.combo.setCurrentText(self._controller.network.label)
        self.edit.setEnabled(not self._controller.network.is_bundled)

    def ask_file(self) -> None:
        """Let the user choose a file."""
        self._ask(QFileDialog.FileMode.ExistingFile, FILTER)

    def ask_folder(self) -> None:
        """Let the user choose a folder."""
        self._ask(QFileDialog.FileMode.Directory, "")

    def ask_name(self) -> None:
        """Let the user choose one of torchvision's networks."""
        dialog = QInputDialog(self)
        dialog.setWindowTitle("Open network")
        dialog.setLabelText("Trained on photographs; downloaded once, 13 to 233 MB:")
        dialog.setComboBoxItems(TORCHVISION)
        dialog.textValueSelected.connect(self._on_name)
        self.dialog = dialog
        dialog.open()

    def _ask(self, mode: QFileDialog.FileMode, names: str) -> None:
        dialog = QFileDialog(self, "Open network", self._folder, names)
        dialog.setFileMode(mode)
        dialog.fileSelected.connect(self._on_path)
        self.dialog = dialog
        dialog.open()

    def _on_path(self, chosen: str) -> None:
        self._folder = str(Path(chosen).parent)
        self._opener.open(Path(chosen))

    def _on_name(self, name: str) -> None:
        from napari_guideme.networks.pretrained import PREFIX

        self._opener.open(f"{PREFIX}{name}")

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.open, 1)
        buttons.addWidget(self.edit)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.combo)
        column.addLayout(buttons)
