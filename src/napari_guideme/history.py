"""The history of a session as plain data: what was refined, from what, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_guideme.hints import Hints, TextHint

if TYPE_CHECKING:
    from napari_guideme.outlines import Kept


@dataclass(frozen=True)
class Past:
    """One entry of a history.

    Attributes
    ----------
    hints, method
        What counted, and the name of the method.
    refined
        Whether it was refined.
    warm
        The earlier entry whose result the refinement goes on from, ``None`` for a fresh start.
    start, kept
        With a network that takes clicks: the mask to begin from, and the objects so far.
    """

    hints: Hints
    method: str
    refined: bool
    warm: int | None = None
    start: Kept | None = None
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True)
class History:
    """All entries, oldest first; what follows the cursor can be redone.

    Attributes
    ----------
    sentences
        What the user said, by what was understood of it, as far as it is known.
    """

    entries: tuple[Past, ...]
    cursor: int
    sentences: Mapping[TextHint, str] = field(default_factory=dict)

    @property
    def is_blank(self) -> bool:
        """Whether the user did nothing yet that could be lost."""
        return not any(len(past.hints) or past.start or past.kept for past in self.entries)
