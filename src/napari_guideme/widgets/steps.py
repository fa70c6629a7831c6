"""Undo and redo: of hints, and of how a thing is looked for, such as its chips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_guideme.errors import InputError
from napari_guideme.widgets.slices import Slice, shown_slice
from napari_guideme.widgets.sought import Sought

if TYPE_CHECKING:
    from napari_guideme.undoing import Moment
    from napari_guideme.widgets.controller import Controller
    from napari_guideme.widgets.sessions import Opened


@dataclass(eq=False)
class _Line:
    """How one thing was looked for, one way after the other.

    Attributes
    ----------
    ways
        The oldest first; what follows the present one can be redone.
    left
        Where the session of each slice was when another way took the place of this one.
    """

    ways: list[Sought]
    left: dict[tuple[Sought, object], Moment] = field(default_factory=dict)


class Steps(QObject):
    """Goes back and on in the slice that is shown.

    A thing that is looked for in another way is another network with sessions of its own:
    before their first step lies the last one of the way before.

    Signals
    -------
    switched
        The `Sought` that was left, and the one that an undo or a redo brought back in its
        place; it is chosen already.
    """

    switched = Signal(object, object)

    def __init__(self, controller: Controller) -> None:
        super().__init__(controller)
        self._controller = controller
        self._lines: dict[Sought, _Line] = {}

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo in the slice that is shown."""
        session = self._controller.session
        return (session is not None and session.can_undo) or self._leads(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo in the slice that is shown."""
        session = self._controller.session
        return (session is not None and session.can_redo) or self._leads(self._after)

    def undo(self) -> None:
        """Go back by one change.

        Raises
        ------
        InputError
            If nothing was done yet, or the session refuses.
        """
        part = self._part()
        before = self._before(part)
        if before is not None:
            self._switch(before, part)
        else:
            self._controller.travel(lambda session: session.undo(), part)

    def redo(self) -> None:
        """Go forward again by one change.

        Raises
        ------
        InputError
            If nothing was done yet, or the session refuses.
        """
        part = self._part()
        after = self._after(part)
        if after is not None:
            self._switch(after, part)
        else:
            self._controller.travel(lambda session: session.redo(), part)

    def replaced(self, old: Sought, new: Sought) -> None:
        """Remember that something is looked for in another way; what was undone is dropped."""
        line = self._lines.setdefault(old, _Line([old]))
        index = line.ways.index(old) + 1
        self._drop(line.ways[index:])
        line.ways[index:] = [new]
        self._lines[new] = line
        line.left |= {
            (old, opened.part.key): opened.session.moment
            for opened in self._controller.sessions.all_of(old)
        }

    def forget(self, sought: Sought) -> None:
        """Drop all ways in which something was looked for."""
        line = self._lines.get(sought)
        self._drop([sought] if line is None else list(line.ways))

    def _leads(self, way: Callable[[Slice], Sought | None]) -> bool:
        try:
            return way(self._part()) is not None
        except InputError:
            return False

    # -- between ways -------------------------------------------------------

    def _before(self, part: Slice) -> Sought | None:
        """Return the way that undo leads to, if it leads out of the present one."""
        line, index = self._place()
        opened = self._opened(None, part)
        if line is None or (opened is not None and opened.session.moment.entry != opened.begun):
            return None
        return next((way for way in line.ways[:index][::-1] if self._opened(way, part)), None)

    def _after(self, part: Slice) -> Sought | None:
        """Return the way that redo leads to: nothing was changed since it was left."""
        line, index = self._place()
        opened = self._opened(None, part)
        if line is None or opened is None or not line.ways[index + 1 :]:
            return None
        if line.left.get((line.ways[index], part.key)) != opened.session.moment:
            return None
        later = line.ways[index + 1 :]
        return next((way for way in later if self._opened(way, part)), later[-1])

    def _place(self) -> tuple[_Line | None, int]:
        network = self._controller.network
        line = self._lines.get(network) if isinstance(network, Sought) else None
        return line, line.ways.index(network) if line and isinstance(network, Sought) else 0

    def _opened(self, way: Sought | None, part: Slice) -> Opened | None:
        choice = self._controller.choice
        choice = choice if way is None else replace(choice, network=way)
        return self._controller.sessions.opened(choice, part)

    def _switch(self, way: Sought, part: Slice) -> None:
        controller = self._controller
        left = controller.network
        controller.choose_network(way)
        if controller.session_of(part) is None:
            controller.run()
        else:
            controller.travel(lambda session: None, part)
        self.switched.emit(left, way)

    def _drop(self, ways: list[Sought]) -> None:
        for way in ways:
            self._controller.forget_network(way)
            line = self._lines.pop(way, None)
            if line is not None:
                line.left = {key: left for key, left in line.left.items() if key[0] is not way}

    def _part(self) -> Slice:
        return shown_slice(self._controller.viewer, self._controller.checked_image())
