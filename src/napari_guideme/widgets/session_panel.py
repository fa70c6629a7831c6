"""Saving what was done, opening it again, and the offer to go on after a crash."""

from __future__ import annotations

from collections.abc import Generator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image
from napari.utils.notifications import show_info
from qtpy.QtCore import QCoreApplication, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_guideme.errors import InputError
from napari_guideme.files import may_name_a_patient
from napari_guideme.session_file import (
    SUFFIX,
    NameSearch,
    Search,
    SessionFile,
    read_session,
    save_session,
)
from napari_guideme.widgets.autosave import Autosave, Claim, Work
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.rearranged import origin, stored
from napari_guideme.widgets.recovery import Found, Recovery, matches
from napari_guideme.widgets.resuming import Resumer, slice_of, undeclared_channels
from napari_guideme.widgets.saving import save_dialog, with_suffix
from napari_guideme.widgets.seeking import Seeker

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step

FILTER = f"Sessions (*{SUFFIX})"


class SessionPanel(QWidget):
    """*Save session…* and *Open session…*; the banner of :attr:`offer` has a place of its own.

    Signals
    -------
    wanted
        The image that a session is resumed for, and whether something was looked for in it;
        the widget is to choose it.
    """

    wanted = Signal(object, bool)

    def __init__(self, controller: Controller, seeker: Seeker, parent: QWidget) -> None:
        super().__init__(parent)
        self._controller = controller
        self.autosave = Autosave(controller, self)
        self.recovery = Recovery(self)
        self.resumer = Resumer(controller, seeker, self)
        self.offer = Offer(parent)
        self.save = QPushButton("Save session…")
        self.save.setToolTip("Hints and how the labels came about; it can be opened again")
        self.open = QPushButton("Open session…")
        self.open.setToolTip("Go on with hints and labels that were saved")
        self.dialog: QFileDialog | None = None
        self._folder = ""
        self._resuming: tuple[Work, Claim | None] | None = None
        self._files = LatestJob(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.save)
        row.addWidget(self.open)
        self._connect()

    @property
    def is_busy(self) -> bool:
        """Whether a session is being read, written, looked for or resumed."""
        jobs = self._files, self.recovery.job, self.autosave.job
        return self.resumer.is_busy or any(job.is_busy for job in jobs)

    def look(self) -> None:
        """Look whether the chosen image was being corrected when napari stopped."""
        self.recovery.look(self._controller.image)

    def stop(self) -> None:
        """Stop all that runs."""
        self.resumer.cancel()
        self._files.cancel()

    def end(self) -> None:
        """Leave nothing behind: the user ends properly. What is offered stays for next time."""
        self.stop()
        self.recovery.forget()
        self.autosave.end()

    # -- going on -----------------------------------------------------------

    def go_on(self) -> None:
        """Go on with what was being corrected when napari stopped."""
        found = self.recovery.take()
        self.offer.hide()
        if found is not None:
            image, claim, contents = found
            self._resume(image, contents, claim)

    def discard(self) -> None:
        """Delete what was being corrected when napari stopped."""
        found = self.recovery.take()
        self.offer.hide()
        if found is not None:
            found[1].remove()
            self._look_again()

    def _resume(self, image: Image, contents: SessionFile, claim: Claim | None = None) -> None:
        channels = undeclared_channels(contents, image)
        if channels is not None:
            image = self._controller.declare_channels(image, channels)
        work = Work(image, self._controller.network)
        for part in contents.parts:
            work.put(slice_of(image, part).key, part)
        self.wanted.emit(image, contents.parts[0].search is not None)
        self._resuming = work, claim
        self.resumer.resume(image, contents)

    def _on_chosen(self, known: object) -> None:
        """Keep what is resumed from now on, as the network is known."""
        if self._resuming is not None:
            (work, claim), self._resuming = self._resuming, None
            work.network = self._controller.network
            self.autosave.take_over(work, claim)

    def _on_stopped(self) -> None:
        """Leave an autosave that could not be resumed as it is."""
        if self._resuming is not None:
            (_, claim), self._resuming = self._resuming, None
            if claim is not None:
                claim.release()
                self._look_again()

    def _look_again(self) -> None:
        self.recovery.forget()
        self.look()

    def _on_found(self, found: Found | None) -> None:
        self.offer.setVisible(found is not None)
        if found is not None:
            image, _, contents = found
            self.offer.ask(image.name, contents.parts[-1].search)

    # -- files --------------------------------------------------------------

    def ask_where_to_save(self) -> None:
        """Let the user choose a file for what was done to the chosen image."""
        self._controller.reported(self._ask_where_to_save)

    def _ask_where_to_save(self) -> None:
        image = self._controller.checked_image()
        if self.autosave.work(image, self._controller.network) is None:
            raise InputError(f"nothing was corrected in {image.name} yet: click, paint or tell")
        path = origin(image)[0].source.path
        folder = self._folder or (str(Path(path).parent) if path else "")
        dialog = save_dialog(self, "Save session", image, SUFFIX, FILTER, folder)
        dialog.fileSelected.connect(
            lambda chosen: self._controller.reported(lambda: self.save_to(Path(chosen)))
        )
        self.dialog = dialog
        dialog.open()

    def ask_what_to_open(self) -> None:
        """Let the user choose a session file."""
        dialog = QFileDialog(self, "Open session", self._folder, FILTER)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda chosen: self.open_from(Path(chosen)))
        self.dialog = dialog
        dialog.open()

    def save_to(self, path: Path) -> None:
        """Write what was done to the chosen image."""
        path = with_suffix(path, SUFFIX)
        self._folder = str(path.parent)
        controller = self._controller
        work = self.autosave.work(controller.image, controller.network)
        session = controller.session
        if work is None or session is None:
            controller.problem.emit("There is nothing to save yet.")
            return
        source = Path(origin(work.image)[0].source.path or "")
        there = source if source.is_file() and not may_name_a_patient(source) else None

        def saving() -> Generator[Step, None, str]:
            save_session(path, work.contents(session.network, there))
            return f"{path.name} saved"
            yield

        self._files.request(saving, f"Saving {path.name}")

    def open_from(self, path: Path) -> None:
        """Go on with a session file: on an image that is there, or else on its own."""
        self._folder = str(path.parent)
        images = [x for x in self._controller.viewer.layers if isinstance(x, Image)]
        images.sort(key=lambda image: image is not self._controller.image)

        def reading() -> Generator[Step, None, tuple[SessionFile, Image | None]]:
            contents = read_session(path)
            for image in images:
                seen = contents.with_channels_last(stored(image))
                if matches(seen, image):
                    return seen, image
            return contents, None
            yield

        self._files.request(reading, f"Opening {path.name}")

    def _on_file(self, done: str | tuple[SessionFile, Image | None]) -> None:
        if isinstance(done, str):
            show_info(done)
            return
        contents, image = done
        if image is None and (image := self._opened_image(contents)) is not None:
            contents = contents.with_channels_last(stored(image))
        if image is not None:
            self._controller.reported(lambda: self._resume(image, contents))

    def _opened_image(self, contents: SessionFile) -> Image | None:
        """Open the image of a session; its slices are compared when they are replayed."""
        path = contents.image.path
        if path is None or not path.exists():
            name = f"{path.name}, which is not where it was" if path else "another image"
            self._controller.problem.emit(f"This session is of {name}: open that image first.")
            return None
        try:
            layers = self._controller.viewer.open(path)
        except Exception as error:
            # Readers of others raise whatever a file makes them stumble over.
            self._controller.problem.emit(f"{path.name} cannot be opened: {error}")
            return None
        return next((layer for layer in layers if isinstance(layer, Image)), None)

    def _on_failed(self, error: Exception) -> None:
        if not isinstance(error, InputError):
            raise error
        self._controller.problem.emit(str(error))

    # -- connecting ---------------------------------------------------------

    def _connect(self) -> None:
        self.save.clicked.connect(lambda: self.ask_where_to_save())
        self.open.clicked.connect(lambda: self.ask_what_to_open())
        self.offer.go_on.clicked.connect(lambda: self.go_on())
        self.offer.discard.clicked.connect(lambda: self.discard())
        self.recovery.found.connect(self._on_found)
        self.resumer.chosen.connect(self._on_chosen)
        self.resumer.stopped.connect(self._on_stopped)
        self.resumer.resumed.connect(self._look_again)
        self._files.done.connect(self._on_file)
        self._files.failed.connect(self._on_failed)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.end)


class Offer(QFrame):
    """A banner: go on with what was being corrected, or discard it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, objectName="guideme-offer")
        self.setStyleSheet("#guideme-offer { border: 1px solid #d9a400; border-radius: 4px; }")
        self.text = QLabel(wordWrap=True)
        self.go_on = QPushButton("Continue")
        self.go_on.setToolTip("Bring hints and labels back")
        self.discard = QPushButton("Discard")
        self.discard.setToolTip("Delete what was kept; the image itself is not touched")
        buttons = QHBoxLayout()
        buttons.addWidget(self.go_on)
        buttons.addWidget(self.discard)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addLayout(buttons)
        self.hide()

    def ask(self, name: str, search: Search | None) -> None:
        """Ask about an image, and what was looked for in it if anything was."""
        what = f"<b>{escape(name)}</b> was being corrected"
        if search is not None:
            sought = search.name if isinstance(search, NameSearch) else search.sentence
            what = f"you looked for <b>{escape(sought)}</b> in <b>{escape(name)}</b>"
        self.text.setText(f"napari stopped while {what}: continue?")
