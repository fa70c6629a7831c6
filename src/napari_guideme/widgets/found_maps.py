"""The two maps that a name was found by: what stands in for it, and what distracts."""

from __future__ import annotations

from qtpy.QtCore import QObject

from napari_guideme.widgets.colours import MAPS
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.layers import GuideLayers

#: Width of the outline that the labels are while the maps are seen.
OUTLINE = 2


class FoundMaps(QObject):
    """Writes the maps of what was found, and shows them when they are asked for."""

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.is_shown = False
        self._controller = controller
        self._of: GuideLayers | None = None
        controller.refined.connect(self._on_refined)

    def show(self, shown: bool) -> None:
        """Show or hide them; labels are outlines meanwhile."""
        self.is_shown = shown
        layers = self._controller.layers
        if layers is None or layers.existing("stands in") is None:
            return
        for role in MAPS:
            layers.found_by(role).visible = shown
        layers.labels.contour = OUTLINE if shown else 0

    def _on_refined(self, outcome: Outcome) -> None:
        controller = self._controller
        opened, layers = controller.opened(outcome.part), controller.layers
        if opened is None or opened.found is None or layers is None:
            return
        from napari_guideme.localize.finding import Found

        if not isinstance(opened.found, Found):
            return
        maps = opened.found.positive, opened.found.negative
        layers.write_maps(outcome.part, maps, shown=self.is_shown)
        if layers is not self._of:
            self._of = layers
            self.show(self.is_shown)
