"""Sessions whose every change can be undone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from napari_guideme.hints import Hint, Hints

if TYPE_CHECKING:
    from napari_guideme.guidance.methods import Method


class _Entry(Protocol):
    @property
    def hints(self) -> Hints: ...

    @property
    def method(self) -> Method: ...


E = TypeVar("E", bound=_Entry)


class Moment(NamedTuple):
    """Where a session is: how many changes were made, and the number of the entry that counts."""

    changes: int
    entry: int


class Undoable(ABC, Generic[E]):
    """What sessions have in common: hints and a method, and a history of both.

    Every change is an entry of its own, which takes the place of what was undone.
    """

    def __init__(self, first: E) -> None:
        self._history, self._cursor, self._changes = [first], 0, 0

    @property
    def moment(self) -> Moment:
        """Where in its history the session is; another one after any change."""
        return Moment(self._changes, self._cursor)

    @property
    def hints(self) -> Hints:
        """The hints that count now, for the present object if there are several."""
        return self._state.hints

    @property
    def method(self) -> str:
        """Name of the method that the next refinement uses."""
        return self._state.method.name

    @method.setter
    def method(self, name: str) -> None:
        if name != self.method:
            self._choose(name)

    @abstractmethod
    def _choose(self, method: str) -> None:
        """Use another method from now on."""

    def add(self, *hints: Hint) -> None:
        """Add hints; :meth:`refine` makes them count.

        Raises
        ------
        InputError
            If one is outside the image or of an unknown class; none is added then.
        """
        self.replace(self.hints.added(hints))

    def remove(self, hint: Hint) -> None:
        """Take one hint back."""
        self.replace(self.hints.removed(hint))

    def clear(self) -> None:
        """Take all hints back; this can be undone."""
        self.replace(Hints())

    @abstractmethod
    def replace(self, hints: Hints) -> None:
        """Put other hints in the place of the present ones, as one step of the history."""

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._cursor > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return self._cursor < len(self._history) - 1

    def undo(self) -> None:
        """Go back by one change."""
        self._cursor = max(self._cursor - 1, 0)

    def redo(self) -> None:
        """Go forward again by one change."""
        self._cursor = min(self._cursor + 1, len(self._history) - 1)

    @property
    def _state(self) -> E:
        return self._history[self._cursor]

    def _restore(self, history: list[E], cursor: int) -> None:
        self._history, self._cursor = history, cursor
        self._changes += 1

    def _push(self, state: E) -> None:
        del self._history[self._cursor + 1 :]
        self._history.append(state)
        self._cursor += 1
        self._changes += 1
