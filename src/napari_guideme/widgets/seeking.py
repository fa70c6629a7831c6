"""The user types what to look for; it is looked at in the background, then found."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from napari.layers import Image, Layer
from qtpy.QtCore import QObject, Signal

from napari_guideme.errors import InputError
from napari_guideme.widgets.answering import Answer, Answering
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.known import Known
from napari_guideme.widgets.slices import Slice, shown_slice
from napari_guideme.widgets.sought import Query, Sought

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step

IN_2D = "things are looked for in the picture that 2-D shows: leave the 3-D view first"


class Seeker(QObject):
    """Hears what is typed, and lets the controller find it.

    Signals
    -------
    looked
        The `Answer` to what is typed now.
    refused
        Why nothing can be looked for now.
    chosen
        The controller's network changed.
    progressed
        Steps that were done, and steps in all.
    busy
        Whether what is typed is being looked at.
    stopped
        What is typed is not looked at any more, though there is no answer yet.
    recalled
        The `Query` by which something was found that is there again: after an undo, or from
        a session that was saved.

    Attributes
    ----------
    answer
        To what is typed now, as soon as it is known.
    answering
        Who answers.
    """

    looked = Signal(object)
    refused = Signal(str)
    chosen = Signal()
    progressed = Signal(int, int)
    busy = Signal(bool)
    stopped = Signal()
    recalled = Signal(object)

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self.answering = Answering(self.progressed.emit)
        self._query = Query()
        self._before: Known | None = None
        self._sought: dict[tuple[Layer, str], Sought] = {}
        self._wanted = self._is_ready = self._has_loaded = False
        self.answer: Answer | None = None
        self._job = LatestJob(self)
        self._job.done.connect(self._on_looked)
        self._job.failed.connect(self._on_failed)
        self._job.busy.connect(self.busy)
        controller.devices_found.connect(lambda _: self._on_ready())
        controller.steps.switched.connect(self._on_switched)
        controller.forgotten.connect(self._on_forgotten)

    @property
    def is_busy(self) -> bool:
        """Whether what is typed is being looked at."""
        return self._job.is_busy

    @property
    def is_loading(self) -> bool:
        """Whether what answers is being loaded, and nobody cancelled that."""
        return self._job.is_awaited and not self._has_loaded

    @property
    def is_on(self) -> bool:
        """Whether the user is looking for things."""
        return self._before is not None

    @property
    def finds(self) -> Sought | None:
        """What is being found and corrected now."""
        network = self._controller.network
        return network if isinstance(network, Sought) else None

    @property
    def is_found(self) -> bool:
        """Whether what is typed is what is shown."""
        return self.finds is not None and self.finds is self._known

    # -- what the user does -------------------------------------------------

    def enter(self) -> None:
        """Look for things from now on; what was found before is there again."""
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

    def hear(self, text: str) -> None:
        """Look at what is being typed; nothing is found yet."""
        self._wanted = False
        self._query = replace(self._query, text=text.strip())
        self._listen()

    def find(self) -> None:
        """Find what was typed, once it was looked at; what was cancelled is looked at anew."""
        if self.answer is None and not self._job.is_awaited:
            self._listen()
        if self._job.is_awaited:
            self._wanted = True
        else:
            self._controller.reported(self._find)

    def choose_method(self, method: str) -> None:
        """Find names in another way from now on; what is found already, too."""
        self._query = replace(self._query, method=method)
        if self.answer is not None:
            query = replace(self.answer.query, method=method)
            self.answer = replace(self.answer, query=query)
        if self.is_found:
            self.find()

    def choose(self, **told: str) -> None:
        """Let another one answer from now on, for what is found already, too.

        Parameters
        ----------
        told
            What changes of a `Query`.
        """
        found = self.is_found
        self._query, self._has_loaded = replace(self._query, **told), False
        self._listen()
        self._wanted = found

    def edit(self, answer: Answer) -> None:
        """Put another answer in the place of this one; what is found already is found anew."""
        self.answer = answer
        self.looked.emit(answer)
        if self.is_found:
            self.find()

    def recall(self, image: Image, sought: Sought) -> None:
        """Look for what was looked for before; whoever recalls it brings the labels, too."""
        self._sought[image, sought.query.text] = sought
        self._choose(sought)
        self._ask(sought.query)

    def reread(self) -> None:
        """Look anew, as more words are known now."""
        self.answering.finder.reread()
        self._listen()

    def stop(self) -> None:
        """Look at nothing any more."""
        was_looking, self._wanted = self._job.is_awaited, False
        self._job.cancel()
        if was_looking:
            self.stopped.emit()

    # -- looking at what is typed -------------------------------------------

    def _on_ready(self) -> None:
        """Two threads must not import torch at once, so this waits for the other."""
        if not self._is_ready:
            self._is_ready = True
            self.look()

    def _listen(self) -> None:
        if not (self.is_on and self._is_ready):
            return
        self.answer = None
        try:
            part = self._part() if self._query.text else None
        except InputError as error:
            self._job.cancel()
            self.refused.emit(str(error))
            return
        self._job.request(self._looking(part), "Looking at what was typed")

    def _part(self) -> Slice:
        """Return the slice that is shown.

        Raises
        ------
        InputError
            If there is none in which things can be found.
        """
        viewer = self._controller.viewer
        part = shown_slice(viewer, self._controller.checked_image())
        if viewer.dims.ndisplay == 3:
            raise InputError(IN_2D)
        return part

    def _looking(self, part: Slice | None) -> Callable[[], Generator[Step, None, Answer]]:
        query, device = self._query, self._controller.choice.device

        def work() -> Generator[Step, None, Answer]:
            return self.answering.look(query, part, device)
            yield

        return work

    def _on_looked(self, answer: Answer) -> None:
        controller, part = self._controller, answer.part
        if part is not None and (part.layer is not controller.image or not self._is_there(part)):
            return
        self._has_loaded = True
        self.answer = answer.recalling(self._known)
        self.looked.emit(self.answer)
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
    def _known(self) -> Sought | None:
        """What was found already by what is typed, in the image that is chosen."""
        image = self._controller.image
        return self._sought.get((image, self._query.text)) if image is not None else None

    def _find(self) -> None:
        wanted, known = self.answer.sought() if self.answer else None, self._known
        if wanted is None:
            return
        self._part()
        if not wanted.finds_as(known):
            if known is not None:
                self._controller.steps.replaced(known, wanted)
            self._sought[self._controller.checked_image(), self._query.text] = wanted
            self._choose(wanted)
        elif known is not None and known is not self._controller.network:
            self._choose(known)
        self.progressed.emit(0, wanted.steps)
        self._controller.run()

    def _choose(self, known: Known) -> None:
        self._controller.choose_network(known)
        self.chosen.emit()

    def _on_switched(self, left: Sought, sought: Sought) -> None:
        """Show how that was looked for which an undo or a redo brought back."""
        for key in [key for key, known in self._sought.items() if known is left]:
            self._sought[key] = sought
            self._ask(replace(sought.query, text=key[1]))
        self.chosen.emit()

    def _ask(self, query: Query) -> None:
        """Take what was asked before for what is asked now."""
        self._wanted, self._query = False, query
        self.recalled.emit(query)
        self._listen()

    def _on_forgotten(self, layer: Layer) -> None:
        """Forget what was found in an image that is no longer the same."""
        for key in [key for key in self._sought if key[0] is layer]:
            self._controller.steps.forget(self._sought.pop(key))
