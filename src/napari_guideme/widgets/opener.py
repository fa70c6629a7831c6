"""Opening a network in the background, and telling it what its file does not say."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_guideme.errors import InputError
from napari_guideme.networks.card import NetworkCard, sidecar, write_card
from napari_guideme.networks.catalogue import open_network
from napari_guideme.networks.downloading import listening
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.known import Known

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.networks.frozen import FrozenNetwork


class Opener(QObject):
    """Opens networks, and tries other cards on the one that is chosen.

    Signals
    -------
    opened
        The `Known` network that was opened; it is chosen already.
    tried
        The `Known` network as the card that was tried describes it; it is chosen already.
    refused
        Why a card does not fit; the one before still counts.
    problem
        A message for the user.
    busy
        Whether something is being loaded.
    downloaded
        How many bytes of a network are here, and of how many, 0 if that is not known.
    """

    opened = Signal(object)
    tried = Signal(object)
    refused = Signal(str)
    problem = Signal(str)
    busy = Signal(bool)
    downloaded = Signal(object, object)

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._before: Known | None = None
        self._then: Callable[[], None] | None = None
        self._opening = LatestJob(self)
        self._opening.done.connect(self._on_opened)
        self._opening.failed.connect(self._on_failed)
        self._trying = LatestJob(self)
        self._trying.done.connect(self._on_tried)
        self._trying.failed.connect(self._on_refused)
        for job in (self._opening, self._trying):
            job.busy.connect(self.busy)

    @property
    def is_busy(self) -> bool:
        """Whether something is being loaded."""
        return self._opening.is_busy or self._trying.is_busy

    @property
    def is_opening(self) -> bool:
        """Whether a network is being opened that is not chosen yet."""
        return self._opening.is_busy

    def open(self, source: str | Path) -> None:
        """Open a network and choose it; if that fails, nothing changes."""
        device = self._controller.choice.device

        def work() -> Generator[Step, None, tuple[str | Path, FrozenNetwork, str]]:
            with listening(self.downloaded.emit):
                return source, open_network(source, device), device
            yield

        self._opening.request(work, f"Opening {Path(source).name}")

    def cancel(self) -> None:
        """Stop loading; nothing changes."""
        self._then = None
        self._opening.cancel()
        self._trying.cancel()

    def label(self) -> None:
        """Label the image, if there is one."""
        if self._controller.image is not None:
            self._controller.run()

    # -- cards --------------------------------------------------------------

    def begin(self) -> None:
        """Remember the network as it is, to come back to it."""
        self._before = self._controller.network

    def try_card(self, card: NetworkCard) -> None:
        """Use the chosen network with another card, and label the image anew."""
        known, device = self._controller.network, self._controller.choice.device
        networks = self._controller.networks

        def work() -> Generator[Step, None, tuple[Known, FrozenNetwork, str]]:
            return *networks.amended(known, card, device), device
            yield

        self._trying.request(work, f"Trying {known.label}")

    def when_tried(self, action: Callable[[], None]) -> None:
        """Do something with the chosen network, once the card that is being tried is its own."""
        if self._trying.is_busy:
            self._then = action
        else:
            action()

    def accept(self) -> None:
        """Go on with the network as it is now."""
        before, self._before = self._before, None
        if before is not None and before is not self._controller.network:
            self._controller.forget_network(before)

    def revert(self) -> None:
        """Go back to the network as it was."""
        self.cancel()
        before, self._before = self._before, None
        if before is not None and before is not self._controller.network:
            self._replace(before)
            self.label()

    @property
    def sidecar(self) -> Path | None:
        """Where the card of the chosen network is found when it is opened again."""
        source = self._controller.network.source
        return sidecar(source) if isinstance(source, Path) else None

    def save(self, path: Path) -> None:
        """Write the card of the chosen network.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        write_card(path, self._controller.network.card)

    # -- what follows -------------------------------------------------------

    def _on_opened(self, result: tuple[str | Path, FrozenNetwork, str]) -> None:
        known = self._controller.networks.add(*result)
        self._controller.choose_network(known)
        self.opened.emit(known)
        self.label()

    def _on_tried(self, result: tuple[Known, FrozenNetwork, str]) -> None:
        known, network, device = result
        self._controller.networks.put(known, network, device)
        self._replace(known)
        self.tried.emit(known)
        self.label()
        then, self._then = self._then, None
        if then is not None:
            then()

    def _replace(self, known: Known) -> None:
        """Choose the network with this card instead of the one it has."""
        former = self._controller.network
        self._controller.networks.put(known)
        self._controller.choose_network(known)
        if former is not self._before:
            self._controller.forget_network(former)

    def _on_refused(self, error: Exception) -> None:
        self._then = None
        if not isinstance(error, InputError):
            raise error
        self.refused.emit(str(error))

    def _on_failed(self, error: Exception) -> None:
        if not isinstance(error, InputError):
            raise error
        self.problem.emit(str(error))
