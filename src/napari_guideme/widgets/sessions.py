"""The sessions of the slices that were worked on last."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from napari.layers import Layer

from napari_guideme.widgets.slices import Slice

if TYPE_CHECKING:
    from napari_guideme.session import GuideSession

#: Slices whose session, with its history, is kept.
LIMIT = 8


class Sessions:
    """Keeps one session for each slice and network, of the last few."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, tuple[Slice, GuideSession]] = OrderedDict()

    def find(self, network: str, part: Slice) -> GuideSession | None:
        """Return the session of a slice, if it was opened."""
        _, session = self._kept.get(_key(network, part), (part, None))
        return session

    def remember(self, network: str, part: Slice, session: GuideSession) -> None:
        """Keep a session; the oldest one goes when there are too many."""
        self._kept[_key(network, part)] = part, session
        while len(self._kept) > LIMIT:
            self._kept.popitem(last=False)

    def forget(self, layer: Layer) -> None:
        """Drop the sessions of an image."""
        for key in [key for key, (part, _) in self._kept.items() if part.layer is layer]:
            del self._kept[key]

    def clear(self) -> None:
        """Drop all sessions."""
        self._kept.clear()


def _key(network: str, part: Slice) -> Any:
    return network, id(part.layer.data), part.key
