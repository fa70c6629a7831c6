"""What was said in words about the slices of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from napari_guideme.hints import TextHint
from napari_guideme.widgets.slices import Slice


class Said:
    """Knows of each slice all that was ever said, and what of it counts now.

    Clicks and scribbles are in layers; words have no place there.

    Attributes
    ----------
    sentences
        What was said, by what was understood of it.
    """

    def __init__(self) -> None:
        self.sentences: dict[TextHint, str] = {}
        self._ever: dict[Any, tuple[TextHint, ...]] = {}
        self._counting: dict[Any, tuple[TextHint, ...]] = {}

    def ever(self, part: Slice) -> tuple[TextHint, ...]:
        """Return all that was said about a slice, what was said first first."""
        return self._ever.get(part.key, ())

    def counting(self, part: Slice) -> tuple[TextHint, ...]:
        """Return what counts, the newest last."""
        return self._counting.get(part.key, ())

    def say(self, part: Slice, hints: Sequence[TextHint]) -> None:
        """Let hints count, as the newest ones."""
        others = [hint for hint in self.counting(part) if hint not in hints]
        self.write(part, [*others, *hints])

    def take_back(self, part: Slice, hint: TextHint) -> None:
        """Let a hint count no more."""
        self.write(part, [other for other in self.counting(part) if other != hint])

    def write(self, part: Slice, hints: Sequence[TextHint]) -> None:
        """Let these hints count, in this order, and no others."""
        self._counting[part.key] = tuple(hints)
        self._ever[part.key] = tuple(dict.fromkeys((*self.ever(part), *hints)))

    def rename(self, names: Mapping[str, str]) -> None:
        """Call classes otherwise."""
        self.sentences = {_renamed(hint, names): told for hint, told in self.sentences.items()}
        for kept in (self._ever, self._counting):
            for key, hints in kept.items():
                kept[key] = tuple(_renamed(hint, names) for hint in hints)


def _renamed(hint: TextHint, names: Mapping[str, str]) -> TextHint:
    instead_of = names[hint.instead_of] if hint.instead_of else None
    return replace(hint, class_name=names[hint.class_name], instead_of=instead_of)
