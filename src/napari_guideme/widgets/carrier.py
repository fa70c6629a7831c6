"""Corrections of a stack are carried on, and its other slices labelled, in the background."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_guideme.errors import InputError
from napari_guideme.widgets.board import Arrived, Board, nearest_first, steps
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.flight import show_slice
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.sessions import STACKS
from napari_guideme.widgets.stacks import Stack

if TYPE_CHECKING:
    from napari_guideme.volumes import VolumeSession

#: How often a picture of what arrives is drawn, in 2-D and, where all of it is uploaded, in 3-D.
REDRAWN_MS = {2: 100, 3: 1500}


class Carrier(QObject):
    """Carries on after every refinement, as far as the user chose; a click always goes first.

    Signals
    -------
    changed
        What is known about the slices of a stack is otherwise.
    busy
        Whether something is being carried, or labelled in the background.
    """

    changed = Signal()
    busy = Signal(bool)

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.extent = "slice"
        self.labels_all = False
        self._controller = controller
        self._viewer = controller.viewer
        self._boards: OrderedDict[Any, Board] = OrderedDict()
        self._running: Board | None = None
        self._wanted: Board | None = None
        self._gives_up = False
        self._changed: set[Board] = set()
        self._redraw = QTimer(self, singleShot=True)
        self._redraw.timeout.connect(self._draw)
        self.job = LatestJob(self)
        self.job.stepped.connect(self._on_arrived)
        self.job.done.connect(self._on_done)
        self.job.failed.connect(self._on_failed)
        self.job.busy.connect(self._on_busy)
        controller.refined.connect(self._on_refined)
        controller.busy.connect(self._on_refining)
        self._viewer.layers.events.removed.connect(self._on_removed)
        controller.forgotten.connect(self._on_forgotten)

    @property
    def is_busy(self) -> bool:
        """Whether something is being carried, or about to be."""
        return self.job.is_busy or self._wanted is not None

    @property
    def stack(self) -> Stack | None:
        """The stack that is shown, if corrections can be carried there."""
        part = self._controller.shown_part if self._controller.carries else None
        return Stack.of(part) if part is not None else None

    @property
    def board(self) -> Board | None:
        """What is known about the stack that is shown, if anything was done there."""
        stack, layers = self.stack, self._controller.layers
        return self._boards.get((layers, self._controller.choice, stack.key)) if stack else None

    # -- what the user asks for ---------------------------------------------

    def choose_extent(self, extent: str) -> None:
        """Carry this far from now on; what was corrected already counts, too."""
        self.extent = extent
        self._want(self.board)

    def label_all(self, wanted: bool) -> None:
        """Label the slices that nobody looked at, or stop doing so."""
        self.labels_all = wanted
        if wanted and self.board is None:
            self._controller.run()
        else:
            self._want(self.board)

    def cancel(self) -> None:
        """Stop; what was carried before is there again."""
        self._wanted = None
        if self.job.is_busy:
            self._gives_up = True
            self.job.cancel()
        elif self._running is not None:
            self._give_up()

    def look(self) -> None:
        """Stop if what is being done is no longer what is shown: another network or axis."""
        board, stack = self._running, self.stack
        if board is None:
            return
        other_axis = False
        if stack is not None and board.layers.image is stack.layer:
            other_axis = (board.stack.axis, board.stack.axes) != (stack.axis, stack.axes)
        if board.choice != self._controller.choice or other_axis:
            self.cancel()

    def show(self, index: int) -> None:
        """Let the viewer show a slice."""
        stack = self.stack
        if stack is not None:
            show_slice(self._viewer, stack.slice(index))

    def next_doubtful(self) -> int | None:
        """Return the doubtful slice after the shown one; after the last one the first."""
        board, stack = self.board, self.stack
        if board is None or stack is None:
            return None
        doubtful = [s.index for s in board.states if s.state == "doubtful"]
        later = [index for index in doubtful if index > stack.index]
        return next(iter(later or doubtful), None)

    # -- when it is done ----------------------------------------------------

    def _on_refined(self, outcome: Outcome) -> None:
        stack = Stack.of(outcome.part) if self._controller.carries else None
        if stack is None:
            return
        board = self._board_of(stack)
        board.labelled.add(stack.index)
        self._update(board)
        self._wanted = board
        self._start_if_idle()

    def _on_refining(self, busy: bool) -> None:
        """Let a click go first."""
        if busy and self.job.is_busy and not self._gives_up:
            self._wanted = self._wanted or self._running
            self.job.cancel()
        elif not busy:
            self._start_if_idle()

    def _want(self, board: Board | None) -> None:
        if board is not None:
            self._wanted = board
            self._start_if_idle()

    def _start_if_idle(self) -> None:
        if self._wanted is not None and not self._controller.job.is_busy:
            board, self._wanted = self._wanted, None
            self._start(board)
            self.busy.emit(self.is_busy)

    def _start(self, board: Board) -> None:
        if self._running is not None and self._running is not board:
            self._give_up()
        asked, volume = (self.extent, self._told(board)), self._volume(board)
        is_settled = asked == board.settled_for and self._running is None
        is_empty = self.extent == "slice" and not (volume and volume.carried)
        extent = None if is_settled or is_empty else self.extent
        everywhere = self.labels_all or self.extent == "volume"
        rest = [
            i for i in nearest_first(board.stack.index, len(board.stack)) if i not in board.labelled
        ]
        rest = rest if everywhere else []
        if extent is None and not rest:
            return
        self._gives_up, self._running = False, board
        work = partial(steps, self._controller.sessions, board, extent, rest, asked)
        sessions = self._controller.sessions
        self.job.request(lambda: sessions.in_turn(work()), f"Slices of {board.layers.image.name}")

    def _told(self, board: Board) -> Any:
        """What is to be carried: the hints of every corrected slice."""
        volume = self._volume(board)
        sessions = {i: volume.opened(i) for i in volume.corrected} if volume else {}
        return {i: (session.hints, session.method) for i, session in sessions.items() if session}

    # -- as slices arrive ---------------------------------------------------

    def _on_arrived(self, arrived: Arrived) -> None:
        board, index = self._running, arrived.slice.index
        if board is None or not board.is_there:
            return
        if arrived.carried:
            before = board.layers.labels.data[board.stack.slice(index).slices]
            board.covered.setdefault(index, np.array(before))
        else:
            board.labelled.add(index)
        board.write(index, arrived.labels)
        board.states[index] = arrived.slice
        self._draw_soon(board)

    def _on_done(self, asked: Any) -> None:
        board, self._running = self._running, None
        volume = self._volume(board) if board else None
        if board is None or volume is None or not board.is_there:
            return
        board.settled, board.settled_for = volume.carried, asked
        self._uncover(board, volume)
        self._update(board)

    def _give_up(self) -> None:
        """Let the labels be as they were before what runs began."""
        board, self._running, self._gives_up = self._running, None, False
        volume = self._volume(board) if board else None
        if board is None or not board.is_there:
            return
        if volume is not None:
            volume.restore(board.settled)
            for index in board.covered.keys() - set(volume.corrected):
                labels = volume.carried_labels(index)
                if labels is not None:
                    board.write(index, labels)
        self._uncover(board, volume)
        self._update(board)

    def _uncover(self, board: Board, volume: VolumeSession | None) -> None:
        """Show again what lies under what is not carried any more."""
        reached = {*volume.carried, *volume.corrected} if volume else set()
        for index in board.covered.keys() - reached:
            board.write(index, board.covered.pop(index))

    def _on_busy(self, busy: bool) -> None:
        if not busy and self._gives_up:
            self._give_up()
        self.busy.emit(self.is_busy)

    def _on_failed(self, error: Exception) -> None:
        self._gives_up = True
        if not isinstance(error, InputError):
            raise error
        self._controller.problem.emit(str(error))

    # -- what is known ------------------------------------------------------

    def _volume(self, board: Board) -> VolumeSession | None:
        return self._controller.sessions.volume(board.choice, board.stack)

    def _board_of(self, stack: Stack) -> Board:
        layers, choice = self._controller.guide_layers(), self._controller.choice
        key = layers, choice, stack.key
        if key not in self._boards:
            self._boards[key] = Board(layers, choice, stack, [])
        self._boards[key].stack = stack
        self._boards.move_to_end(key)
        while len(self._boards) > STACKS:
            self._boards.popitem(last=False)
        return self._boards[key]

    def _update(self, board: Board) -> None:
        volume = self._volume(board)
        if volume is not None:
            board.states = volume.states
        self._draw_soon(board)

    def _draw_soon(self, board: Board) -> None:
        self._changed.add(board)
        if not self._redraw.isActive():
            self._redraw.start(REDRAWN_MS[self._viewer.dims.ndisplay])

    def _draw(self) -> None:
        for board in self._changed:
            if board.is_there:
                board.layers.labels.refresh()
        self._changed.clear()
        self.changed.emit()

    def _on_removed(self, _: Any) -> None:
        """Forget what is gone."""
        self._forget([board for board in self._boards.values() if not board.is_there])

    def _on_forgotten(self, layer: Layer) -> None:
        """Forget stacks whose slices are others now."""
        self._forget([board for board in self._boards.values() if board.layers.image is layer])

    def _forget(self, boards: Sequence[Board]) -> None:
        """Carry nothing to some stacks any more."""
        for key in [key for key, board in self._boards.items() if board in boards]:
            del self._boards[key]
        if self._wanted in boards:
            self._wanted = None
        if self._running in boards:
            self._running = None
            self.job.cancel()
        self.changed.emit()
