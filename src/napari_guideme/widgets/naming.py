"""The user names what to look for: labels stand in for it, and it is found."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from qtpy.QtCore import QObject, Signal

from napari_guideme.errors import InputError
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.known import Known
from napari_guideme.widgets.named import Finder, Looked, Named, Query
from napari_guideme.widgets.slices import Slice, shown_slice

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.localize.proxies import StandIns

IN_2D = "names are looked for in the picture that 2-D shows: leave the 3-D view first"


class Namer(QObject):
    """Looks up in the background what is typed, and lets the controller find it.

    Signals
    -------
    looked
        The `Looked` for what is typed now, ``None`` while nothing is.
    refused
        Why nothing can be looked for now.
    chosen
        The controller's network changed.
    progressed
        Maps that were made, and maps in all.
    busy
        Whether a name is being looked up.
    """

    looked = Signal(object)
    refused = Signal(str)
    chosen = Signal()
    progressed = Signal(int, int)
    busy = Signal(bool)

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._finder = Finder(self.progressed.emit)
        self._query = Query()
        self._before: Known | None = None
        self._named: dict[tuple[Layer, str], Named] = {}
        self._looked: Looked | None = None
        self._wanted = self._is_ready = False
        self.stand_ins: StandIns | None = None
        self._job = LatestJob(self)
        self._job.done.connect(self._on_looked)
        self._job.failed.connect(self._on_failed)
        self._job.busy.connect(self.busy)
        controller.devices_found.connect(lambda _: self._on_ready())
        controller.viewer.layers.events.removed.connect(self._on_removed)

    @property
    def is_busy(self) -> bool:
        """Whether a name is being looked up."""
        return self._job.is_busy

    @property
    def is_loading(self) -> bool:
        """Whether the classifier is being loaded for the first time."""
        return self.is_busy and self._looked is None

    @property
    def is_on(self) -> bool:
        """Whether the user is looking for names."""
        return self._before is not None

    @property
    def finds(self) -> Named | None:
        """The name that is being found and corrected now."""
        network = self._controller.network
        return network if isinstance(network, Named) else None

    # -- what the user does -------------------------------------------------

    def enter(self) -> None:
        """Look for names from now on; what was found before is there again."""
        if not self.is_on:
            self._before = self._controller.network
        self.look()

    def leave(self) -> None:
        """Go back to the network from before."""
        self.stop()
        before, self._before = self._before, None
        if before is not None and self.finds is not None:
            self._choose(before)

    def look(self) -> None:
        """Look at what is shown now: another image, perhaps."""
        if self._before is None:
            return
        known = self._known
        if (known or self._before) is not self._controller.network:
            self._choose(known or self._before)
        self._listen()

    def hear(self, name: str) -> None:
        """Look a name up that is being typed; nothing is found yet."""
        self._wanted = False
        self._query = replace(self._query, name=name.strip())
        self._listen()

    def find(self) -> None:
        """Find what was typed, as soon as it is looked up."""
        if self.is_busy:
            self._wanted = True
        else:
            self._controller.reported(self._find)

    def choose_method(self, method: str) -> None:
        """Find in another way from now on; what is found already, too."""
        self._query = replace(self._query, method=method)
        if self.is_found:
            self.find()

    def choose_classifier(self, source: str) -> None:
        """Ask another classifier from now on, for what is found already, too."""
        found = self.is_found
        self._query, self._looked = replace(self._query, classifier=source), None
        self._listen()
        self._wanted = found

    def take_away(self, label: int) -> None:
        """Let a label stand in or distract no more."""
        told = self.stand_ins
        if told is not None:
            self._edit(_without(told.positive, label), _without(told.negative, label))

    def add(self, title: str, *, distracts: bool) -> None:
        """Let a label stand in for the name, or distract from it.

        Raises
        ------
        InputError
            If the classifier has no such label.
        """
        told = self.stand_ins
        if told is None or self._looked is None:
            return
        label = _label(title, self._looked)
        positive, negative = _without(told.positive, label), _without(told.negative, label)
        if distracts:
            self._edit(positive, (*negative, label))
        else:
            self._edit((*positive, label), negative)

    def reread(self) -> None:
        """Look up anew, as more words are known now."""
        self._finder.reread()
        self._listen()

    def stop(self) -> None:
        """Look nothing up any more."""
        self._wanted = False
        self._job.cancel()

    # -- looking a name up --------------------------------------------------

    def _on_ready(self) -> None:
        """Two threads must not import torch at once, so this waits for the other."""
        if not self._is_ready:
            self._is_ready = True
            self.look()

    def _listen(self) -> None:
        if not (self.is_on and self._is_ready):
            return
        self.stand_ins = None
        try:
            part = self._part() if self._query.name else None
        except InputError as error:
            self._job.cancel()
            self.refused.emit(str(error))
            return
        self._job.request(self._looking(part), "Looking up what stands in")

    def _part(self) -> Slice:
        """Return the slice that is shown.

        Raises
        ------
        InputError
            If there is none in which names can be found.
        """
        viewer = self._controller.viewer
        part = shown_slice(viewer, self._controller.checked_image())
        if viewer.dims.ndisplay == 3:
            raise InputError(IN_2D)
        return part

    def _looking(self, part: Slice | None) -> Callable[[], Generator[Step, None, Looked]]:
        query, device = self._query, self._controller.choice.device

        def work() -> Generator[Step, None, Looked]:
            return self._finder.look(query, part, device)
            yield

        return work

    def _on_looked(self, looked: Looked) -> None:
        controller, part = self._controller, looked.part
        if part is not None and (part.layer is not controller.image or not self._is_there(part)):
            return
        self._looked, known = looked, self._known
        alike = known is not None and known.query.classifier == looked.query.classifier
        self.stand_ins = known.stand_ins if known and alike else looked.stand_ins
        self.looked.emit(looked)
        wanted, self._wanted = self._wanted, False
        if wanted:
            controller.reported(self._find)

    def _is_there(self, part: Slice) -> bool:
        return part.layer in self._controller.viewer.layers

    def _on_failed(self, error: Exception) -> None:
        self._wanted = False
        if not isinstance(error, InputError):
            raise error
        self.refused.emit(str(error))

    # -- finding it ---------------------------------------------------------

    @property
    def _known(self) -> Named | None:
        """What was found already by the name that is typed, in the image that is chosen."""
        image = self._controller.image
        return self._named.get((image, self._query.name)) if image is not None else None

    def _find(self) -> None:
        looked, told, known = self._looked, self.stand_ins, self._known
        if looked is None or looked.card is None or told is None or not told.positive:
            return
        self._part()
        image, label = self._controller.checked_image(), f'"{self._query.name}"'
        if known is None or (known.query, known.stand_ins) != (self._query, told):
            new = Named(
                label,
                looked.card.name,
                looked.card,
                query=self._query,
                stand_ins=told,
                finder=self._finder,
            )
            self._named[image, self._query.name] = new
            self._choose(new)
            if known is not None:
                self._controller.forget_network(known)
        elif known is not self._controller.network:
            self._choose(known)
        self.progressed.emit(0, len(told.positive + told.negative))
        self._controller.run()

    def _choose(self, known: Known) -> None:
        self._controller.choose_network(known)
        self.chosen.emit()

    def _edit(self, positive: tuple[int, ...], negative: tuple[int, ...]) -> None:
        if self.stand_ins is None:
            return
        self.stand_ins = replace(self.stand_ins, positive=positive, negative=negative)
        self.looked.emit(self._looked)
        if self.is_found:
            self.find()

    @property
    def is_found(self) -> bool:
        """Whether what is typed is what is shown."""
        return self.finds is not None and self.finds is self._known

    def _on_removed(self, event: Any) -> None:
        """Forget what was found in an image that was deleted."""
        for key in [key for key in self._named if key[0] is event.value]:
            self._controller.forget_network(self._named.pop(key))


def _without(labels: tuple[int, ...], label: int) -> tuple[int, ...]:
    return tuple(other for other in labels if other != label)


def _label(title: str, looked: Looked) -> int:
    """Return the label that has a name."""
    called = [i for i, own in enumerate(looked.labels) if own == title]
    called = called or looked.known.called(title)
    if called:
        return called[0]
    near = get_close_matches(title, looked.labels)
    told = f"; near are {', '.join(near)}" if near else ""
    raise InputError(f"the classifier has no label {title!r}{told}")
