"""The session asks, the user answers: one question after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, cast

from qtpy.QtCore import QObject, Signal

from napari_guideme.hints import Click
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Asked, Outcome
from napari_guideme.widgets.flight import Flight, show_slice
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.ring import Ring
from napari_guideme.widgets.slices import Slice

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.session import GuideSession

#: The keys of the candidates, the first for the most probable one.
ANSWER_KEYS = "123456789"


class Asker(QObject):
    """Looks for the next question whenever there are new labels, until it is stopped.

    Signals
    -------
    asking
        Whether questions are asked now.
    asked
        The `Asked` question to answer, ``None`` while the next one is looked for.
    told
        How it stands, in words.
    """

    asking = Signal(bool)
    asked = Signal(object)
    told = Signal(str)

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.is_asking = False
        self.question: Asked | None = None
        self._controller = controller
        self._viewer = controller.viewer
        self._flight = Flight(self._viewer, self)
        self._ring = Ring(self._viewer, self._keys(), self.stop)
        self._session: GuideSession | None = None
        self._answers: set[Click] = set()
        self._unsure: list[tuple[int, ...]] = []
        self._job = LatestJob(self)
        self._job.done.connect(self._on_question)
        self._job.failed.connect(self._on_failed)
        controller.refined.connect(self._on_refined)
        for job in (self._job, controller.job):
            job.busy.connect(lambda _: self._stop_if_idle())

    @property
    def is_busy(self) -> bool:
        """Whether a question is looked for or flown to."""
        return self._job.is_busy or self._flight.is_flying

    @property
    def answered(self) -> int:
        """How many answers count: those that were not taken back."""
        return 0 if self._session is None else len(self._answers & set(self._session.hints))

    # -- what the user does -------------------------------------------------

    def start(self) -> None:
        """Ask about the slice that is shown; a network that has not run yet runs first."""
        if self.is_asking:
            return
        self.is_asking = True
        self._answers.clear()
        self._ring.remember_tool()
        self.asking.emit(True)
        self._seek()
        outcome, session = self._controller.outcome, self._controller.session
        if self._controller.job.is_busy:
            return
        if outcome is not None and session is not None and outcome.session is session:
            self._look(outcome.part, cast("GuideSession", session))
        else:
            self._controller.run()
            self._stop_if_idle()

    def answer(self, class_name: str) -> None:
        """Say what is at the ring; that is a click like any other."""
        asked = self.question
        if asked is None or asked.question is None:
            return
        self._seek()
        click = Click(tuple(map(float, asked.question.position)), class_name)
        self._answers.add(click)
        show_slice(self._viewer, asked.part)
        self._controller.add_click(asked.part, click)
        self._ring.hold_keys()
        self._stop_if_idle()

    def answer_candidate(self, index: int) -> None:
        """Answer with one of the candidates that are offered."""
        asked = self.question
        if asked is not None and asked.question and index < len(asked.question.classes):
            self.answer(asked.question.classes[index])

    def not_sure(self) -> None:
        """Ask elsewhere; nothing is said about this pixel or those around it."""
        asked = self.question
        if asked is None or asked.question is None:
            return
        self._seek()
        self._unsure.append(asked.question.position)
        self._ring.hold_keys()
        self._look(asked.part, asked.session)

    def show(self) -> None:
        """Fly to the ring again."""
        if self.question is not None and self.question.question is not None:
            self._flight.fly(self.question.part, self.question.question.position)
            self._ring.hold_keys()

    def stop(self) -> None:
        """Ask no more; the answers stay."""
        self._finish(f"{self._count()} given." if self.answered else "")

    # -- from labels to questions -------------------------------------------

    def _on_refined(self, outcome: Outcome) -> None:
        here = self.question is None or self.question.part.key == outcome.part.key
        if self.is_asking and here:
            self._seek()
            self._look(outcome.part, cast("GuideSession", outcome.session))

    def _look(self, part: Slice, session: GuideSession) -> None:
        """Look for a question in the background."""
        if session is not self._session:
            self._session = session
            self._unsure.clear()
        hints, skip = session.hints, tuple(self._unsure)

        def work() -> Generator[Step, None, Asked]:
            return Asked(part, session, hints, session.question(skip=skip))
            yield

        self._job.request(work, "Looking for a question")

    def _on_question(self, asked: Asked) -> None:
        """Ask, unless the hints are others by now: then another question is on its way."""
        if not self.is_asking or asked.session.hints != asked.hints:
            return
        if asked.question is None:
            nothing = "Nothing is uncertain any more, so there is nothing left to ask."
            self._finish(f"{nothing} {self._count()} given.")
            return
        self.question = asked
        self._ring.show(asked.part, asked.question.position)
        self._flight.fly(asked.part, asked.question.position)
        self.asked.emit(asked)
        self.told.emit(f"Press a button or its number. {self._count()} given.")

    # -- coming to an end ---------------------------------------------------

    def _seek(self) -> None:
        """Take the question away until there is another."""
        self.question = None
        self._ring.hide()
        self.asked.emit(None)
        self.told.emit(f"Looking for the next question … {self._count()} given.")

    def _finish(self, told: str) -> None:
        if not self.is_asking:
            return
        self.is_asking, self.question = False, None
        self._job.cancel()
        self._ring.remove()
        self._flight.come_back()
        self.asking.emit(False)
        self.told.emit(told)

    def _stop_if_idle(self) -> None:
        """Stop when the labels that the next question needs will not come."""
        waiting = self.is_asking and self.question is None
        if waiting and not self._controller.job.is_busy and not self._job.is_busy:
            self.stop()

    def _on_failed(self, error: Exception) -> None:
        self.stop()
        raise error

    def _count(self) -> str:
        return "1 answer" if self.answered == 1 else f"{self.answered or 'No'} answers"

    def _keys(self) -> dict[str, Callable[[], None]]:
        keys: dict[str, Callable[[], None]] = {
            "0": self.not_sure,
            "Escape": self.stop,
            "Control-Z": self._controller.undo,
            "Control-Shift-Z": self._controller.redo,
        }
        for index, key in enumerate(ANSWER_KEYS):
            keys[key] = partial(self.answer_candidate, index)
        return keys
