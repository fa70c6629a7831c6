"""Keeping labels: those of a slice are added to a layer that refinements do not touch."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_guideme.errors import InputError
from napari_guideme.networks.objects import added_objects, objects
from napari_guideme.spacing import relative
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.layers import GuideLayers
from napari_guideme.widgets.slices import Slice, shown_slice

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.networks.card import NetworkCard
    from napari_guideme.widgets.controller import Controller


@dataclass(frozen=True)
class Wish:
    """What the user wants to keep, and how.

    Attributes
    ----------
    layers, part
        Whose labels, and of which slice.
    card
        Of the network that they come from.
    as_objects, overwrite
        Whether objects are numbered, and whether they take what is kept already.
    once
        Which pixels of the slice were ever kept, if any were.
    """

    layers: GuideLayers
    part: Slice
    card: NetworkCard
    as_objects: bool
    overwrite: bool
    once: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Kept:
    """The kept labels of a slice before and with what was added, and how much that is."""

    wish: Wish
    before: NDArray[np.integer]
    labels: NDArray[np.integer]
    count: int


class Keeper(QObject):
    """Adds the labels that are shown to those that are kept, in the background.

    Signals
    -------
    kept
        How many objects were added, or grew.
    """

    kept = Signal(int)

    def __init__(self, controller: Controller) -> None:
        super().__init__(controller)
        self._controller = controller
        self._waiting: Wish | None = None
        self._once: WeakKeyDictionary[Labels, dict[Any, NDArray[np.uint8]]] = WeakKeyDictionary()
        self.job = LatestJob(self)
        self.job.done.connect(self._on_done)
        controller.refined.connect(self._on_refined)
        controller.travelled.connect(self._stop_waiting)
        controller.job.busy.connect(self._on_busy)

    @property
    def has_labels(self) -> bool:
        """Whether the slice that is shown has labels, of its own or carried to it."""
        controller = self._controller
        part, layers = controller.shown_part, controller.layers
        if part is None or layers is None:
            return False
        labels = layers.shown_labels(part)
        return labels is not None and (controller.session is not None or bool(labels.any()))

    def keep(self, *, as_objects: bool, overwrite: bool) -> None:
        """Add the labels of the slice that is shown to the kept labels, once they follow its hints.

        Objects get ids that are not in use; those that are kept already grow instead, but
        not where they were erased by hand. Pixels that are kept already stay as they are,
        unless `overwrite`.
        """
        self._controller.reported(lambda: self._keep(as_objects, overwrite))

    def _keep(self, as_objects: bool, overwrite: bool) -> None:
        controller = self._controller
        part = shown_slice(controller.viewer, controller.checked_image())
        card = controller.network.card
        wish = Wish(controller.guide_layers(), part, card, as_objects, overwrite)
        if controller.is_pending(part):
            self._waiting = wish
        elif self.has_labels:
            self._start(wish)
        else:
            raise InputError("there are no labels to keep yet: press Run first")

    def _start(self, wish: Wish) -> None:
        layer, shown = wish.layers.kept, np.array(wish.layers.shown_labels(wish.part))
        bits, kept = self._once.get(layer, {}).get(wish.part.key), layer.data
        if bits is not None:
            once = np.unpackbits(bits, count=shown.size).reshape(shown.shape).astype(bool)
            wish = replace(wish, once=once)

        def work() -> Generator[Step, None, Kept]:
            return kept_with(wish, shown, kept)
            yield

        self.job.request(work, f"Keeping labels of {wish.part.layer.name}")

    # -- waiting for labels -------------------------------------------------

    def _on_refined(self, outcome: Outcome) -> None:
        wish = self._waiting
        if wish is not None and wish.part.key == outcome.part.key:
            self._stop_waiting()
            if wish.layers is self._controller.layers:
                self._start(wish)

    def _on_busy(self, busy: bool) -> None:
        """Wait no more when what is waited for was cancelled or failed."""
        if not busy:
            self._stop_waiting()

    def _stop_waiting(self, *_: object) -> None:
        self._waiting = None

    def _on_done(self, kept: Kept) -> None:
        layers = kept.wish.layers
        if layers.image in self._controller.viewer.layers:
            now = np.asarray(layers.kept.data[kept.wish.part.slices])
            # What was painted meanwhile stays.
            layers.write_kept(kept.wish.part, np.where(now == kept.before, kept.labels, now))
            once = (kept.labels > 0) | (False if kept.wish.once is None else kept.wish.once)
            self._once.setdefault(layers.kept, {})[kept.wish.part.key] = np.packbits(once)
            self.kept.emit(kept.count)


def kept_with(wish: Wish, labels: NDArray[np.integer], kept: NDArray[np.integer]) -> Kept:
    """Add labels of a slice to all labels that are kept."""
    part = wish.part
    before = np.array(kept[part.slices])
    if wish.as_objects:
        ids = objects(labels, wish.card.separator_index, relative(part.spacing, len(part.axes)))
        erased = None if wish.once is None else wish.once & (before == 0)
        added = added_objects(before, ids, kept.max(), overwrite=wish.overwrite, erased=erased)
        return Kept(wish, before, *added)
    free = (labels > 0) & (wish.overwrite | (before == 0))
    numbered = labels.astype(before.dtype) + (wish.layers.number - 1)
    return Kept(wish, before, np.where(free, numbered, before), len(np.unique(labels[free])))
