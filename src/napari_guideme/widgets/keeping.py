"""Keeping labels: those of a slice are added to a layer that refinements do not touch."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_guideme.networks.objects import added_objects
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.slices import Slice

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.session import GuideSession
    from napari_guideme.widgets.controller import Controller


@dataclass(frozen=True)
class Kept:
    """The kept labels of a slice, and how many were added."""

    part: Slice
    labels: NDArray[np.integer]
    count: int


class Keeper(QObject):
    """Adds the labels that are shown to those that are kept, in the background.

    Signals
    -------
    kept
        How many objects were added.
    """

    kept = Signal(int)

    def __init__(self, controller: Controller) -> None:
        super().__init__(controller)
        self._controller = controller
        self.job = LatestJob(self)
        self.job.done.connect(self._on_done)

    def keep(self, *, as_objects: bool, overwrite: bool) -> None:
        """Add the labels of the slice that is shown to the kept labels.

        Objects get ids that are not in use. Pixels that are kept already stay as
        they are, unless `overwrite`.
        """
        outcome, layers = self._controller.outcome, self._controller.layers
        if outcome is None or layers is None or outcome.session is not self._controller.session:
            self._controller.problem.emit("There are no labels to keep yet: press Run first.")
            return
        kept, first = layers.kept.data, layers.number

        def work() -> Generator[Step, None, Kept]:
            return kept_with(outcome, kept, first, as_objects=as_objects, overwrite=overwrite)
            yield

        self.job.request(work, f"Keeping labels of {outcome.part.layer.name}")

    def _on_done(self, kept: Kept) -> None:
        layers = self._controller.layers
        if layers is not None and kept.part.layer is layers.image:
            layers.write_kept(kept.part, kept.labels)
            self.kept.emit(kept.count)


def kept_with(
    outcome: Outcome,
    kept: NDArray[np.integer],
    first: int,
    *,
    as_objects: bool,
    overwrite: bool,
) -> Kept:
    """Add the labels of an outcome to all labels that are kept; classes count from `first`."""
    before = np.asarray(kept[outcome.part.slices])
    if as_objects:
        ids = cast("GuideSession", outcome.session).labels(instances=True)
        return Kept(outcome.part, *added_objects(before, ids, kept.max(), overwrite=overwrite))
    free = (outcome.labels > 0) & (overwrite | (before == 0))
    labels = np.where(free, outcome.labels.astype(before.dtype) + (first - 1), before)
    return Kept(outcome.part, labels, len(np.unique(outcome.labels[free])))
