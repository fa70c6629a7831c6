"""Going on with a session that was saved: its hints come back, and the labels that follow."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_guideme.errors import InputError
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.catalogue import open_network
from napari_guideme.session_file import Part, SessionFile
from napari_guideme.widgets.channels import ALONG, has_channels
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.flight import show_slice
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.known import Known
from napari_guideme.widgets.slices import Slice, spatial_shape
from napari_guideme.widgets.sought import Sought

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.widgets.seeking import Seeker

    #: Returns for every part what labels it, or a network that nobody knows yet.
    Opening = Callable[[], Generator[Step, None, tuple[list[Known], FrozenNetwork | None]]]


class Resumer(QObject):
    """Replays the slices of a session file, one after the other, in the background.

    Clicks that come meanwhile count afterwards; hints that were there already stay.

    Signals
    -------
    chosen
        The `Known` network of the session; it is chosen already.
    resumed
        All slices have their hints and labels.
    stopped
        It was cancelled, or failed.
    busy
        Whether a session is being resumed.
    """

    chosen = Signal(object)
    resumed = Signal()
    stopped = Signal()
    busy = Signal(bool)

    def __init__(
        self, controller: Controller, seeker: Seeker, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._controller, self._seeker = controller, seeker
        self._image: Image | None = None
        self._contents: SessionFile | None = None
        self._waiting: list[tuple[Part, Known]] = []
        self._opening, self._replaying = LatestJob(self), LatestJob(self)
        self._opening.done.connect(self._on_opened)
        self._replaying.done.connect(self._on_replayed)
        for job in (self._opening, self._replaying):
            job.failed.connect(self._on_failed)

    @property
    def is_busy(self) -> bool:
        """Whether a session is being resumed."""
        return self._contents is not None

    def resume(self, image: Image, contents: SessionFile) -> None:
        """Go on with a session of this image."""
        self.cancel()
        self._image, self._contents = image, contents
        self._controller.cancel()
        self._controller.hold_hints()
        self.busy.emit(True)
        name = Path(contents.network.source).name
        opening = self._network if contents.parts[0].search is None else self._sought
        self._opening.request(opening(contents), f"Opening {name}")

    def cancel(self) -> None:
        """Stop; slices that are there already stay."""
        if self.is_busy:
            self._opening.cancel()
            self._replaying.cancel()
            self._stop()
            self.stopped.emit()

    def _network(self, contents: SessionFile) -> Opening:
        """Open the network that was corrected, unless it is open."""
        source, device = contents.network.source, self._controller.choice.device
        card = NetworkCard.from_dict(contents.network.card) if contents.network.card else None
        known = self._find(source, card)

        def work() -> Generator[Step, None, tuple[list[Known], FrozenNetwork]]:
            if known is not None:
                network = self._controller.networks.load(known, device)
            else:
                network = open_network(source, device, card)
            contents.check_network(network.fingerprint, Path(source).name)
            return [known] * len(contents.parts) if known else [], network
            yield

        return work

    def _sought(self, contents: SessionFile) -> Opening:
        """Open what looks for a thing, in every slice as it did then."""
        device, name = self._controller.choice.device, Path(contents.network.source).name

        def work() -> Generator[Step, None, tuple[list[Known], None]]:
            found: list[Sought] = []
            for part in contents.parts:
                assert part.search is not None, "parts are all of one kind"
                sought = self._seeker.answering.recalled(part.search, contents.network, device)
                told = sought.answering(device).reference(part.search)
                contents.check_network(told.fingerprint, name)
                found.append(next((one for one in found if sought.finds_as(one)), sought))
            return [*found], None
            yield

        return work

    def _find(self, source: str | Path, card: NetworkCard | None) -> Known | None:
        """Return the network if it was opened, and as it was then."""
        for known in self._controller.networks:
            if str(known.source) == str(source) and (card is None or _same(known.card, card)):
                return known
        return None

    def _on_opened(self, opened: tuple[list[Known], FrozenNetwork | None]) -> None:
        known, network = opened
        controller, contents = self._controller, self._contents
        if contents is None:
            return
        if network is not None and not known:
            source, device = contents.network.source, controller.choice.device
            known = [controller.networks.add(source, network, device)] * len(contents.parts)
        self._waiting = list(zip(contents.parts, known, strict=True))
        self._choose(known[-1])
        self.chosen.emit(known[-1])
        self._next()

    def _choose(self, known: Known) -> None:
        if isinstance(known, Sought) and self._image is not None:
            self._seeker.recall(self._image, known)
        elif known is not self._controller.network:
            self._controller.choose_network(known)

    def _next(self) -> None:
        image = self._image
        if image is None or image not in self._controller.viewer.layers:
            self.cancel()
            return
        if not self._waiting:
            self._stop()
            self.resumed.emit()
            return
        part, known = self._waiting.pop(0)
        if known is not self._controller.network:
            self._choose(known)
        controller, setup = self._controller, part.setup
        controller.choice = replace(
            controller.choice, guide_point=setup.guide_point, telling=setup.telling
        )
        replay = partial(controller.replayed, slice_of(image, part), part)
        self._replaying.request(replay, f"Continuing with {image.name}")

    def _on_replayed(self, outcome: Outcome) -> None:
        controller = self._controller
        if self._contents is None or outcome.part.layer is not controller.image:
            self.cancel()
            return
        if not self._waiting:
            show_slice(controller.viewer, outcome.part)
        controller.adopt(outcome)
        self._next()

    def _stop(self) -> None:
        self._contents, self._waiting = None, []
        self._controller.release_hints()
        self.busy.emit(False)

    def _on_failed(self, error: Exception) -> None:
        self.cancel()
        if not isinstance(error, InputError):
            raise error
        self._controller.problem.emit(str(error))


def _same(card: NetworkCard, other: NetworkCard) -> bool:
    """Whether two cards say the same, one of which went through a file."""
    return json.dumps(card.to_dict(), sort_keys=True) == json.dumps(other.to_dict(), sort_keys=True)


def undeclared_channels(contents: SessionFile, image: Image) -> int | None:
    """Return the axis of channels of a session where an image is not said to have any."""
    axis = contents.image.channel_axis
    coloured = all(part.setup.channel_axis is not None for part in contents.parts)
    if axis is None or not coloured or has_channels(image):
        return None
    return axis % int(image.ndim)


def slice_of(image: Image, part: Part) -> Slice:
    """Find the slice of an image that a part of its session is about.

    Raises
    ------
    InputError
        If the image layer has other axes than the session.
    """
    ndim = len(spatial_shape(image))
    axes, index = part.axes or (0, 1), part.index or (0, 0)
    coloured = part.setup.channel_axis is not None
    if len(index) != ndim or len(axes) != 2 or has_channels(image) is not coloured:
        raise InputError(
            f"{image.name} has {ndim} axes, the session is of an image with {len(index)}"
            f"{f' and channels: choose {ALONG} … if it has' if coloured else ''}; "
            "it can be replayed in the shell"
        )
    return Slice(image, axes, index)
