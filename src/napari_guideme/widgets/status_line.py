"""The line that says what to do next, and what became of what was done."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QLabel

from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.find_panel import SEARCH
from napari_guideme.widgets.object_panel import BEGIN
from napari_guideme.widgets.sought import Sought

NO_IMAGE = "There is no image yet: drop one into the viewer, or try File › Open Sample › Guide Me."
START = "Press Run: the network labels the image, then you correct it."
RUNNING = "The network labels the image …"
OPENING = "Opening the network …"
DOWNLOADING = "Downloading the network …"
ASKED = "Each answer corrects the labels, here and elsewhere."
OWN = "These are the network's own labels."
UNLABELLED = "This slice is not labelled yet: press Run, or click."
CLICK = "Now choose a class below and click where the labels are wrong."


class StatusLine(QLabel):
    """Says one thing at a time.

    Parameters
    ----------
    controller
        Of the widget.
    is_finding
        Whether the user names what to find.
    """

    def __init__(self, controller: Controller, is_finding: Callable[[], bool]) -> None:
        super().__init__(NO_IMAGE, wordWrap=True, objectName="guideme-status")
        self._controller = controller
        self._is_finding = is_finding

    def begin(self) -> None:
        """Say how to begin with the picture or the slice that is shown."""
        part = self._controller.shown_part
        is_slice = part is not None and len(part.axes) < len(part.index)
        if self._is_finding():
            has_name = isinstance(self._controller.network, Sought)
            self.setText(SEARCH if is_slice and has_name else "")
        elif self._controller.image is None:
            self.setText(NO_IMAGE)
        elif self._controller.outlines_objects:
            self.setText(BEGIN)
        else:
            self.setText(UNLABELLED if is_slice else START)

    def show_running(self, running: bool) -> None:
        """Say that the network makes the first labels, or no longer."""
        if running and self.text() in (START, UNLABELLED):
            self.setText(RUNNING)
        elif not running and self.text() == RUNNING:
            self.begin()

    def show_labelled(self) -> None:
        """Say that the user may click now."""
        self.setText(CLICK)

    def show_opening(self, opening: bool) -> None:
        """Say that a network is being opened, or no longer."""
        if opening and not self.text().startswith(DOWNLOADING):
            self.setText(OPENING)
        elif not opening and self.text().startswith((OPENING, DOWNLOADING)):
            self.begin()

    def show_downloaded(self, done: int, total: int) -> None:
        """Say how much of a network is here; then it is opened."""
        of = f" of {total / 1e6:.0f}" if total else ""
        self.setText(OPENING if done == total else f"{DOWNLOADING} {done / 1e6:.0f}{of} MB")

    def show_asking(self, asking: bool) -> None:
        """Say what answers do while the network asks, and what clicks do otherwise."""
        if self.text() in (ASKED, CLICK):
            self.setText(ASKED if asking else CLICK)


def told(outcome: Outcome) -> str:
    """Tell what became of hints."""
    report = outcome.report
    changed = f"{report.changed_pixels} pixels changed"
    if outcome.session.hints.marks:
        changed += f", {report.far_pixels} of them far from hints"
    said = f"{report.satisfied} of {report.hints} hints satisfied. {changed}."
    if outcome.unmet_words:
        said += " Some words moved nothing."
    return f"{said} Unmet hints are ringed in red." if outcome.unmet else said
