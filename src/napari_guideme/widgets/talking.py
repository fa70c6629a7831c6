"""The user says it in words: understood while they are typed, and applied when asked for."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from qtpy.QtCore import QObject, Signal

from napari_guideme.errors import InputError
from napari_guideme.hints import TextHint
from napari_guideme.language.places import View
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.known import Choice, Networks
from napari_guideme.widgets.layers import GuideLayers
from napari_guideme.widgets.orientation import view_of
from napari_guideme.widgets.slices import Slice, shown_slice

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.session import GuideSession

#: In the 3-D view nobody sees which slice words are about, nor what is left in it.
NEEDS_2D = "words are about a slice as you see it: switch napari to its 2-D view to say them"


@dataclass(frozen=True)
class Heard:
    """What was made of a sentence about a slice.

    Attributes
    ----------
    sentence, part, view, choice
        What was said, of which slice, how it is seen, and for which network.
    hints, described
        What was understood, and the same in short; nothing if it is refused.
    why, understood, suggestions
        Why it is refused, what was understood, and what would be.
    """

    sentence: str
    part: Slice
    view: View
    choice: Choice
    hints: tuple[TextHint, ...] = ()
    described: tuple[str, ...] = ()
    why: str = ""
    understood: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A line of what was said about a slice; `unmet` if the labels do not follow it."""

    hint: TextHint
    described: str
    counts: bool
    unmet: bool


class Talker(QObject):
    """Understands sentences in the background and lets them count.

    Signals
    -------
    heard
        The `Heard` of the sentence that was typed last, ``None`` if there is none.
    refused
        Why nothing can be said now.
    told
        The sentence that counts now.
    history_changed
        What was said about the slice that is shown, or what of it counts.
    """

    heard = Signal(object)
    refused = Signal(str)
    told = Signal(str)
    history_changed = Signal()

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._placed: tuple[GuideLayers, Slice] | None = None
        self._is_telling = False
        self._given: Heard | None = None
        self._job = LatestJob(self)
        self._job.done.connect(self._on_heard)
        self._job.failed.connect(self._on_failed)
        controller.refined.connect(self._on_refined)

    @property
    def is_busy(self) -> bool:
        """Whether a sentence is being understood."""
        return self._job.is_busy

    # -- what the user does -------------------------------------------------

    def hear(self, sentence: str) -> None:
        """Understand a sentence that is being typed; nothing is applied."""
        if not self._is_telling:
            self._listen(sentence)

    def tell(self, sentence: str) -> None:
        """Understand a sentence and let it count."""
        self._is_telling = bool(sentence.strip())
        self._listen(sentence)

    def say_again(self, hint: TextHint) -> None:
        """Let something count that was said before."""
        part = self._shown_slice()
        self._controller.say(part, [hint])
        self.history_changed.emit()

    def take_back(self, hint: TextHint) -> None:
        """Let something count no more."""
        self._controller.take_back(self._shown_slice(), hint)
        self.history_changed.emit()

    def stop(self) -> None:
        """Listen no more; what counts stays."""
        self._is_telling, self._given = False, None
        self._job.cancel()
        self._show_place(None)

    @property
    def axes(self) -> frozenset[str]:
        """Along which directions can be told apart in the slice that is shown."""
        try:
            return view_of(self._shown_slice(), self._controller.viewer).axes
        except InputError:
            return frozenset()

    @property
    def history(self) -> list[Entry]:
        """What was said about the slice that is shown, what was said first first."""
        controller = self._controller
        if controller.layers is None:
            return []
        try:
            part = self._shown_slice()
        except InputError:
            return []
        said, unmet = controller.layers.said, _unmet(controller.outcome, part)
        if not said.ever(part):
            return []
        from napari_guideme.language.understanding import described

        view, counting = view_of(part, controller.viewer), said.counting(part)
        return [
            Entry(hint, described(hint, view), hint in counting, hint in counting and hint in unmet)
            for hint in said.ever(part)
        ]

    # -- from sentences to hints --------------------------------------------

    def _shown_slice(self) -> Slice:
        image, viewer = self._controller.checked_image(), self._controller.viewer
        if viewer.dims.ndisplay == 3:
            raise InputError(NEEDS_2D)
        return shown_slice(viewer, image)

    def _listen(self, sentence: str) -> None:
        if not sentence.strip():
            self.stop()
            self.heard.emit(None)
            return
        try:
            part = self._shown_slice()
        except InputError as error:
            self.stop()
            self.refused.emit(str(error))
            return
        controller = self._controller
        view = view_of(part, controller.viewer)
        given = Heard(sentence, part, view, controller.choice)
        if given == self._given and not self._is_telling:
            return
        self._given = given
        self._job.request(_understanding(given, controller.networks), "")

    def _on_heard(self, heard: Heard) -> None:
        """Show what was understood, unless it was about what is not chosen any more."""
        telling, self._is_telling = self._is_telling, False
        controller = self._controller
        if heard.choice != controller.choice or heard.part.layer is not controller.image:
            self._listen(heard.sentence)
            return
        if telling and heard.hints:
            self._given = None
            self._show_place(None)
            said = controller.guide_layers().said
            said.sentences |= dict.fromkeys(heard.hints, heard.sentence)
            controller.say(heard.part, heard.hints)
            self.history_changed.emit()
            self.told.emit(heard.sentence)
        else:
            self._show_place(heard)
            self.heard.emit(heard)

    def _on_failed(self, error: Exception) -> None:
        self._is_telling = False
        raise error

    def _on_refined(self, outcome: Outcome) -> None:
        """Let the session see what the user sees, so that scripts go on from there."""
        session = outcome.session
        if session is self._controller.session and not self._controller.outlines_objects:
            cast("GuideSession", session).view = view_of(outcome.part, self._controller.viewer)
        self.history_changed.emit()

    # -- the box on the image -----------------------------------------------

    def _show_place(self, heard: Heard | None) -> None:
        """Outline where words would count, in one slice at a time."""
        placed, self._placed = self._placed, None
        if heard is not None and heard.hints:
            self._placed = self._controller.guide_layers(), heard.part
        if placed is not None and (self._placed is None or placed[0] is not self._placed[0]):
            placed[0].write_place(placed[1], ())
        if self._placed is not None and heard is not None:
            self._placed[0].write_place(heard.part, heard.hints)


def _understanding(given: Heard, networks: Networks) -> Callable[[], Generator[Step, None, Heard]]:
    """Return the work of understanding a sentence, for the background."""

    def work() -> Generator[Step, None, Heard]:
        from napari_guideme.language.understanding import NotUnderstood, described, understand
        from napari_guideme.language.wordnet import HOW_TO_GET

        classes = given.choice.network.card.classes
        try:
            hints = understand(given.sentence, classes, given.view)
            if guide := networks.text_guide(given.choice):
                for hint in hints:
                    guide.check(hint)
        except NotUnderstood as error:
            # The panel has a button for that.
            why = error.why.replace(f" ({HOW_TO_GET})", "")
            return replace(
                given, why=why, understood=error.understood, suggestions=error.suggestions
            )
        except InputError as error:
            return replace(given, why=str(error))
        short = tuple(described(hint, given.view) for hint in hints)
        return replace(given, hints=hints, described=short)
        yield

    return work


def _unmet(outcome: Outcome | None, part: Slice) -> list[TextHint]:
    """What was said about a slice and is not followed."""
    if outcome is None or outcome.part.key != part.key:
        return []
    return outcome.unmet_words
