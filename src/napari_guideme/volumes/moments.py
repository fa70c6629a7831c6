"""The history of a volume: changes of hints on its slices, and of what was carried."""

from __future__ import annotations

from dataclasses import dataclass

from napari_guideme.volumes.states import Carried


@dataclass(frozen=True)
class Moment:
    """One change.

    Attributes
    ----------
    index
        The slice whose hints changed; ``None`` if what was carried did.
    before, after
        What was carried to which slices.
    """

    index: int | None
    before: dict[int, Carried]
    after: dict[int, Carried]


class Moments:
    """Changes one after the other; a new one takes the place of those that were undone."""

    def __init__(self) -> None:
        self._all: list[Moment] = []
        self._cursor = 0

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._cursor > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return self._cursor < len(self._all)

    def push(self, moment: Moment) -> None:
        """Remember a change that was just made."""
        del self._all[self._cursor :]
        self._all.append(moment)
        self._cursor += 1

    def back(self) -> Moment:
        """Return the change that is undone now."""
        self._cursor -= 1
        return self._all[self._cursor]

    def forward(self) -> Moment:
        """Return the change that is made again now."""
        self._cursor += 1
        return self._all[self._cursor - 1]
