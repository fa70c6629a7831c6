"""The heat map of what words moved, as in figure 5 of *Guide Me*."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.jobs import LatestJob

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.session import GuideSession

    Moved = tuple[Outcome, NDArray[np.float32]]


class MovedMap(QObject):
    """Follows the labels while it is shown."""

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.is_shown = False
        self._controller = controller
        self._job = LatestJob(self)
        self._job.done.connect(self._on_moved)
        self._job.failed.connect(self._on_failed)
        controller.refined.connect(self._follow)

    @property
    def is_busy(self) -> bool:
        """Whether it is being computed."""
        return self._job.is_busy

    def show(self, shown: bool) -> None:
        """Show or hide it."""
        self.is_shown = shown
        outcome, layers = self._controller.outcome, self._controller.layers
        layer = layers.existing("moved by words") if layers else None
        if layer is not None:
            layer.visible = shown
        if outcome is not None and outcome.session is self._controller.session:
            self._follow(outcome)

    def stop(self) -> None:
        """Compute no more."""
        self._job.cancel()

    def _follow(self, outcome: Outcome) -> None:
        if not self.is_shown or self._controller.outlines_objects:
            return
        session = cast("GuideSession", outcome.session)

        def work() -> Generator[Step, None, Moved]:
            return outcome, session.moved_by_words()
            yield

        self._job.request(work, "Mapping what words moved")

    def _on_moved(self, moved: Moved) -> None:
        outcome, values = moved
        layers = self._controller.layers
        if self.is_shown and layers is not None and layers.image is outcome.part.layer:
            layers.write_moved(outcome.part, values)

    def _on_failed(self, error: Exception) -> None:
        raise error
