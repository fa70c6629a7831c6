"""*Save correction…* and *Apply to layers…*."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from napari.utils.notifications import show_info
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_guideme.errors import InputError
from napari_guideme.widgets.applying import AppliedSlice, Results, Told, apply_to
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.saving import save_dialog, with_suffix
from napari_guideme.widgets.slices import shown_slice

if TYPE_CHECKING:
    from napari_guideme.guidance.saved import SavedGuidance

#: As `napari_guideme.guidance.saved.SUFFIX`, which would load torch.
SUFFIX = ".guidance.safetensors"
FILTER = f"Corrections (*{SUFFIX})"


class ApplyPanel(QWidget):
    """Takes a correction from image to image: as a file, or to layers of the viewer.

    Signals
    -------
    busy
        Whether a correction is being saved or applied.
    """

    busy = Signal(bool)

    def __init__(self, controller: Controller, parent: QWidget) -> None:
        super().__init__(parent)
        self._controller = controller
        self.results = Results(controller.viewer)
        self.job = LatestJob(self)
        self.save = QPushButton("Save correction…")
        self.save.setToolTip("A small file that corrects other images in the same way")
        self.apply = QPushButton("Apply to layers…")
        self.apply.setToolTip("Correct other images of the viewer in the same way")
        self.told = QLabel(wordWrap=True, objectName="guideme-applied")
        self.told.hide()
        self.dialog: QDialog | None = None
        self._lines: list[str] = []
        row = QGridLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.save, 0, 0)
        row.addWidget(self.apply, 0, 1)
        row.addWidget(self.told, 1, 0, 1, 2)
        self._connect()

    @property
    def is_busy(self) -> bool:
        """Whether a correction is being saved or applied."""
        return self.job.is_busy

    def cancel(self) -> None:
        """Stop; labels that are not finished go."""
        self.job.cancel()
        self.results.drop()

    # -- saving -------------------------------------------------------------

    def save_to(self, path: Path) -> None:
        """Write the present correction."""
        path = with_suffix(path, SUFFIX)
        guidance = self._present()

        def saving() -> Generator[Any, None, str]:
            guidance().save(path)
            return f"{path.name} saved"
            yield

        self.job.request(saving, f"Saving {path.name}")

    def _present(self) -> Callable[[], SavedGuidance]:
        """Return what finds the present correction, in the background."""
        controller = self._controller
        part = shown_slice(controller.viewer, controller.checked_image())
        return partial(controller.sessions.guidance, controller.choice, part)

    # -- applying -----------------------------------------------------------

    def apply_present(self, images: list[Image]) -> None:
        """Apply the correction that was just made."""
        self._controller.reported(lambda: self._apply(images, self._present()))

    def apply_file(self, images: list[Image], path: Path) -> None:
        """Apply a saved correction."""

        def read() -> SavedGuidance:
            from napari_guideme.guidance.saved import SavedGuidance

            return SavedGuidance.read(path)

        self._controller.reported(lambda: self._apply(images, read))

    def _apply(self, images: list[Image], guidance: Callable[[], SavedGuidance]) -> None:
        if not images:
            raise InputError("choose at least one image")
        controller, choice = self._controller, self._controller.choice
        parts = [shown_slice(controller.viewer, image) for image in images]
        network = partial(controller.networks.load, choice.network, choice.device)
        self._lines = []
        self.results.drop()
        self.job.request(lambda: apply_to(parts, guidance, network), "Applying a correction")

    def _on_step(self, step: AppliedSlice | Told) -> None:
        if isinstance(step, AppliedSlice):
            if step.part.layer in self._controller.viewer.layers:
                self.results.write(step)
            return
        self.results.finish(step.image)
        self._lines.append(step.words)
        self.told.setText("\n".join(self._lines))
        self.told.show()

    def _on_done(self, message: str | None) -> None:
        show_info(message or "\n".join(self._lines))

    def _on_failed(self, error: Exception) -> None:
        self.results.drop()
        if not isinstance(error, InputError):
            raise error
        self._controller.problem.emit(str(error))

    # -- asking -------------------------------------------------------------

    def ask_where_to_save(self) -> None:
        """Let the user choose a file for the present correction."""
        self._controller.reported(self._ask_where_to_save)

    def _ask_where_to_save(self) -> None:
        image = self._controller.checked_image()
        if not self._controller.keeper.has_labels:
            raise InputError("there is no correction yet: press Run, then click")
        dialog = save_dialog(self, "Save correction", image, SUFFIX, FILTER)
        dialog.fileSelected.connect(
            lambda path: self._controller.reported(lambda: self.save_to(Path(path)))
        )
        self.dialog = dialog
        dialog.open()

    def ask_what_to_apply_to(self) -> None:
        """Let the user choose images, and the present correction or a saved one."""
        images = [
            layer
            for layer in self._controller.viewer.layers
            if isinstance(layer, Image) and not self._controller.made(layer)
        ]
        self.dialog = dialog = ImageDialog(images, self._controller.image, self)
        dialog.present.clicked.connect(lambda: self.apply_present(dialog.chosen))
        dialog.saved.clicked.connect(lambda: self._ask_which(dialog.chosen))
        dialog.open()

    def _ask_which(self, images: list[Image]) -> None:
        dialog = QFileDialog(self, "Apply a saved correction", "", FILTER)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self.apply_file(images, Path(path)))
        self.dialog = dialog
        dialog.open()

    def _connect(self) -> None:
        self.save.clicked.connect(lambda: self.ask_where_to_save())
        self.apply.clicked.connect(lambda: self.ask_what_to_apply_to())
        self.job.stepped.connect(self._on_step)
        self.job.done.connect(self._on_done)
        self.job.failed.connect(self._on_failed)
        self.job.busy.connect(self.busy)


class ImageDialog(QDialog):
    """A list of images to tick, and which correction to apply to them."""

    def __init__(self, images: list[Image], current: Image | None, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Apply a correction to layers")
        self._images = images
        self.list = QListWidget()
        for image in images:
            item = QListWidgetItem(image.name)
            ticked = image is not current
            item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
            self.list.addItem(item)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        role = QDialogButtonBox.ButtonRole.AcceptRole
        self.present = buttons.addButton("Apply the present correction", role)
        self.saved = buttons.addButton("Apply a saved one…", role)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(QLabel("Each image gets a labels layer of its own."))
        column.addWidget(self.list)
        column.addWidget(buttons)

    @property
    def chosen(self) -> list[Image]:
        """The images that are ticked."""
        ticked = (self.list.item(n).checkState() for n in range(len(self._images)))
        pairs = zip(self._images, ticked, strict=True)
        return [image for image, state in pairs if state == Qt.CheckState.Checked]
