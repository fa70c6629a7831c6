"""What there is to understand words with, and to follow them: WordNet and text guides."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_guideme.errors import InputError
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.jobs import LatestJob

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step


class WordMeans(QObject):
    """Looks in the background; both take long to load.

    Signals
    -------
    found
        Whether there is WordNet, and whether there is a text guide for the chosen
        network.
    """

    found = Signal(bool, bool)

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._is_ready = False
        self._looking, self._fetching = LatestJob(self), LatestJob(self)
        self._looking.done.connect(lambda found: self.found.emit(*found))
        self._fetching.done.connect(lambda _: self.look())
        for job in (self._looking, self._fetching):
            job.failed.connect(self._on_failed)
        for loaded in (controller.devices_found, controller.refined):
            loaded.connect(lambda _: self._on_loaded())

    @property
    def is_busy(self) -> bool:
        """Whether something is looked for or fetched."""
        return self._looking.is_busy or self._fetching.is_busy

    def look(self) -> None:
        """Look what there is for the chosen network, as soon as torch is loaded."""
        if not self._is_ready:
            return
        source = self._controller.network.source

        def work() -> Generator[Step, None, tuple[bool, bool]]:
            from napari_guideme.language.text_guide import find
            from napari_guideme.language.wordnet import find_wordnet

            return find_wordnet() is not None, find(source) is not None
            yield

        self._looking.request(work, "")

    def fetch_wordnet(self) -> None:
        """Download WordNet, once for all."""

        def work() -> Generator[Step, None, None]:
            from napari_guideme.language.wordnet import fetch_wordnet

            fetch_wordnet()
            return
            yield

        self._fetching.request(work, "Fetching WordNet")

    def stop(self) -> None:
        """Look no more."""
        for job in (self._looking, self._fetching):
            job.cancel()

    def _on_loaded(self) -> None:
        """Two threads must not import torch at once, so this waits for the other."""
        if not self._is_ready:
            self._is_ready = True
            self.look()

    def _on_failed(self, error: Exception) -> None:
        if not isinstance(error, InputError):
            raise error
        self._controller.problem.emit(str(error))
        self.look()
