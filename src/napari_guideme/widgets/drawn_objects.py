"""The objects of a session in a layer that holds others, too."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


class DrawnObjects:
    """Draws the objects of one session into its slice of a layer of ids.

    Only what changes since the last time is written, so that what the user
    paints or erases by hand stays. What was covered comes back with undo.

    Parameters
    ----------
    shape
        Of the slice.

    Attributes
    ----------
    ids
        In the layer, by those of the session.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.ids: dict[int, int] = {}
        self._drawn: NDArray[np.int32] = np.zeros(shape, dtype=np.int32)
        self._covered: NDArray[np.int32] = np.zeros(shape, dtype=np.int32)

    def draw(
        self,
        objects: NDArray[np.integer],
        layer: NDArray[np.integer],
        here: tuple[int | slice, ...],
        *,
        locked: bool,
        given: Mapping[int, int] | None = None,
    ) -> None:
        """Let a slice of the layer follow the objects.

        Parameters
        ----------
        objects
            Ids of the session, 0 where there is none.
        layer
            Ids of everything that is kept; is changed.
        here
            What selects the slice from the layer.
        locked
            Whether pixels that are not the session's stay as they are.
        given
            Ids in the layer of objects that are drawn elsewhere in it, too.
        """
        wanted = self._numbered(objects, layer, given or {})
        before = layer[here]
        own = (before == self._drawn) & (self._drawn > 0)
        others = np.where(own, self._covered, before)
        stays = (wanted == 0) | (locked & (others > 0))
        changed = wanted != self._drawn
        layer[here] = np.where(changed, np.where(stays, others, wanted), before)
        self._covered = np.where(changed, others, self._covered)
        self._drawn = wanted

    def _numbered(
        self,
        objects: NDArray[np.integer],
        layer: NDArray[np.integer],
        given: Mapping[int, int],
    ) -> NDArray[np.int32]:
        """The objects under ids that nobody else uses; one that comes back has its own again."""
        self.ids |= given
        present = set(np.unique(self._drawn).tolist()) | set(given.values())
        found = [own for own in np.unique(objects).tolist() if own]
        for own in found:
            known = self.ids.get(own)
            if known is None or (known not in present and (layer == known).any()):
                self.ids[own] = max(int(layer.max(initial=0)), *self.ids.values(), 0) + 1
        numbers = np.zeros(max(found, default=0) + 1, dtype=np.int32)
        for own in found:
            numbers[own] = self.ids[own]
        wanted: NDArray[np.int32] = numbers[objects]
        return wanted
