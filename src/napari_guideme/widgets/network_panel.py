"""*Does this look right?*: the card of a network beside the labels that it makes."""

from __future__ import annotations

from pathlib import Path

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_guideme.errors import InputError
from napari_guideme.networks.card import SUFFIX
from napari_guideme.widgets.card_form import CardForm
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.known import Known
from napari_guideme.widgets.opener import Opener

LOOK = (
    "Name the classes. If the labels look wrong, try other values or colours: they follow at once."
)
NO_IMAGE = "Open an image to see what the network makes of it."
ASSUMED = {"classes": "how its classes are called", "value_range": "which values it expects"}


class NetworkPanel(QGroupBox):
    """Shows a card, tries what the user changes, and keeps, saves or drops it.

    Signals
    -------
    closed
        The user is done with the card.
    """

    closed = Signal()

    def __init__(self, controller: Controller, opener: Opener, parent: QWidget) -> None:
        super().__init__("Does this look right?", parent)
        self._controller = controller
        self._opener = opener
        self.told = QLabel(wordWrap=True)
        self.form = CardForm()
        self.refusal = QLabel(wordWrap=True, styleSheet="color: #ff6b6b;")
        self.right = QPushButton("Looks right")
        self.save = QPushButton("Save beside the network…")
        self.cancel = QPushButton("Cancel")
        self.dialog: QFileDialog | None = None
        self._explain()
        self._lay_out()
        self._connect()
        self.hide()

    def edit(self) -> None:
        """Show the card of the chosen network."""
        self._opener.begin()
        self._show(self._controller.network)
        self.show()

    def look(self) -> None:
        """Show what the network makes of an image that was chosen meanwhile."""
        if not self.isHidden():
            self._explain_card(self._controller.network)
            self._opener.label()

    def _show(self, known: Known) -> None:
        self.form.show_card(known.card)
        self._tell("")
        self._explain_card(known)

    def _on_tried(self, known: Known) -> None:
        """Show the card that counts now, but leave what is told to be wrong to the user."""
        if not self.refusal.text():
            self._show(known)

    def _explain_card(self, known: Known) -> None:
        missing = " and ".join(ASSUMED[entry] for entry in known.assumed)
        guess = f"{known.label} does not say {missing}, so this is a guess. " if missing else ""
        self.told.setText(guess + (LOOK if self._controller.image else NO_IMAGE))

    def _tell(self, refusal: str) -> None:
        """Say why the entries do not count, or that they do."""
        self.refusal.setText(refusal)
        self.refusal.setVisible(bool(refusal))
        for button in (self.right, self.save):
            button.setEnabled(not refusal)

    # -- what the user does -------------------------------------------------

    def _try(self) -> None:
        try:
            self._opener.try_card(self.form.card())
            self._tell("")
        except InputError as error:
            self._tell(f"{error}.")

    def _accept(self) -> None:
        self._opener.accept()
        self._close()

    def _revert(self) -> None:
        self._opener.revert()
        self._close()

    def _close(self) -> None:
        self.hide()
        self.closed.emit()

    def _save(self) -> None:
        name = Path.home() / f"{self._controller.network.card.name}{SUFFIX}"
        self._ask_where(self._opener.sidecar or name)

    def _ask_where(self, path: Path) -> None:
        dialog = QFileDialog(self, "Save the card", str(path.parent), f"Card (*{SUFFIX})")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(SUFFIX[1:])
        dialog.selectFile(path.name)
        dialog.fileSelected.connect(lambda chosen: self._write(Path(chosen)))
        self.dialog = dialog
        dialog.open()

    def _write(self, path: Path) -> None:
        try:
            self._opener.save(path)
        except InputError as error:
            show_error(f"{error}; choose another folder")
            self._ask_where(Path.home() / path.name)
            return
        beside = self._opener.sidecar
        elsewhere = f"; it counts by itself as {beside}" if beside else "; give it with --card"
        show_info(f"{path.name} is saved{'' if path == beside else elsewhere}")
        self._accept()

    # -- making -------------------------------------------------------------

    def _explain(self) -> None:
        self.right.setToolTip("Go on with these entries; they are forgotten with the viewer")
        self.save.setToolTip("Write them into a small file that counts whenever this is opened")
        self.cancel.setToolTip("Go back to the entries that were there before")

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.right, self.cancel):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        for widget in (self.told, self.form, self.refusal):
            column.addWidget(widget)
        column.addWidget(self.save)
        column.addLayout(buttons)

    def _connect(self) -> None:
        opener = self._opener
        self.form.changed.connect(self._try)
        self.right.clicked.connect(lambda: opener.when_tried(self._accept))
        self.save.clicked.connect(lambda: opener.when_tried(self._save))
        self.cancel.clicked.connect(self._revert)
        opener.tried.connect(self._on_tried)
        self._controller.refined.connect(lambda outcome: self.form.show_shares(outcome.shares))
        opener.refused.connect(lambda message: self._tell(f"{message}."))
