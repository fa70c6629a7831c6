"""One background job at a time, and the newest wins."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from threading import Event
from typing import Any

from napari.qt.threading import GeneratorWorker, create_worker
from napari.utils import progress
from qtpy.QtCore import QObject, QTimer, Signal

from napari_guideme.networks.cancelling import Cancelled, cancellable
from napari_guideme.widgets import libraries

#: What it yields tells by `index` and `total` how far it has come.
Work = Callable[[], Generator[Any, None, Any]]

#: Clicks that follow each other faster than this are answered together.
DEBOUNCE_MS = 120

#: Jobs that end sooner get no bar in napari's activity dock: to make one takes longer.
PATIENCE_MS = 500

#: Those that tell nothing before their last step get one later: they share the cores with its
#: drawing.
SILENCE_MS = 3000


class LatestJob(QObject):
    """Runs work off the GUI thread; a newer request stops the older one.

    Signals
    -------
    stepped
        What the work yielded, unless it was cancelled or overtaken.
    done
        What the work returned, unless it was cancelled or overtaken.
    failed
        The exception that the work raised, unless it was cancelled or overtaken.
    busy
        Whether something is running or about to.
    """

    stepped = Signal(object)
    done = Signal(object)
    failed = Signal(object)
    busy = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._next: tuple[Work, str] | None = None
        self._worker: _Worker | None = None
        self._stop = Event()
        self._bar: progress | None = None
        self._timer = QTimer(self, singleShot=True, interval=DEBOUNCE_MS)
        self._timer.timeout.connect(self._start)
        self._description, self._step, self._wants_bar = "", None, False
        self._patience = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._silence = QTimer(self, singleShot=True, interval=SILENCE_MS)
        for timer in (self._patience, self._silence):
            timer.timeout.connect(self._draw_bar)

    @property
    def is_busy(self) -> bool:
        """Whether something is running or about to."""
        return self._worker is not None or self._next is not None

    @property
    def is_awaited(self) -> bool:
        """Whether an answer is to come: what was cancelled may run on for a while without one."""
        return self._next is not None or (self._worker is not None and not self._stop.is_set())

    def request(self, work: Work, description: str, *, at_once: bool = False) -> None:
        """Run `work` as soon as possible instead of whatever runs or waits now.

        What runs may finish its present step; only :meth:`cancel` interrupts it.
        Work without a description shows no progress. `at_once` waits for no more requests.
        """
        self._next = work, description
        if self._worker is not None:
            self._worker.leave()
        self._timer.start()
        self.busy.emit(True)
        if at_once:
            self._start()

    def cancel(self) -> None:
        """Stop what runs and forget what waits."""
        self._next = None
        self._timer.stop()
        self._stop.set()
        if self._worker is not None:
            self._worker.quit()
        self.busy.emit(self.is_busy)

    def _start(self) -> None:
        if self._worker is not None or self._next is None:
            return
        (work, self._description), self._next = self._next, None
        self._timer.stop()
        self._stop = Event()
        self._worker = create_worker(
            _guarded,
            work,
            self._stop,
            _worker_class=_Worker,
            _start_thread=False,
            _connect={
                "yielded": self._on_step,
                "returned": self._on_returned,
                "finished": self._on_finished,
            },
        )
        self._worker.stop = self._stop
        self._worker.start()
        self._wants_bar = bool(self._description)
        self._patience.start()
        self._silence.start()

    def _draw_bar(self) -> None:
        """Show how far a job is that has been running for a while."""
        step = self._step
        waits = (self._silence if step is None else self._patience).isActive()
        if self._wants_bar and not waits and (step is None or step.index < step.total):
            self._make_bar()
        if self._bar is not None and step is not None:
            self._bar.total = step.total
            self._bar.update(step.index - self._bar.n)

    def _make_bar(self) -> None:
        worker, self._wants_bar = self._worker, False
        bar = progress(total=0, desc=self._description)
        # Making it lets Qt deliver what comes next, even that the job is done.
        if worker is None or worker is not self._worker:
            bar.close()
        else:
            self._bar = bar

    def _on_step(self, step: Any) -> None:
        if not self._is_overtaken:
            self.stepped.emit(step)
        # Drawing the bar lets Qt deliver what comes next, so it is the last thing to do.
        self._step = step
        self._draw_bar()

    def _on_returned(self, result: Any) -> None:
        if self._is_overtaken:
            # Nobody waits for it; what changed in the midst of it may even have made it fail.
            return
        if isinstance(result, _Raised):
            self.failed.emit(result.error)
        else:
            self.done.emit(result)

    @property
    def _is_overtaken(self) -> bool:
        return self._next is not None or self._stop.is_set()

    def _on_finished(self) -> None:
        self._worker, self._step = None, None
        self._patience.stop()
        self._silence.stop()
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._next is not None:
            QTimer.singleShot(0, self._start)
        self.busy.emit(self.is_busy)


class _Worker(GeneratorWorker):
    """Ends at once when it is told to quit, as napari tells all workers when it closes."""

    stop: Event

    def quit(self) -> None:
        """Stop in the middle of the present step."""
        self.stop.set()
        super().quit()

    def leave(self) -> None:
        """Stop after the present step."""
        super().quit()


@dataclass(frozen=True)
class _Raised:
    """What work raised."""

    error: Exception


def _guarded(work: Work, stop: Event) -> Generator[Any, None, Any]:
    """Return what work raises: with PySide6 napari stumbles over errors of a worker."""
    try:
        return (yield from _stepped(work, stop))
    except Cancelled:
        return None
    except Exception as error:
        return _Raised(error)


def _stepped(work: Work, stop: Event) -> Generator[Any, None, Any]:
    libraries.load()
    steps = work()
    while True:
        # Left at a step, it may be closed in another thread, whose context is another one.
        with cancellable(stop):
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
        yield step
