"""Pointing at one object of a layer of labels."""

from __future__ import annotations

from typing import Any

from napari import Viewer
from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer, Signal

LEFT = 1


class Picker(QObject):
    """Waits for a click on a layer of labels, which gets its own tool back afterwards.

    Signals
    -------
    picked
        The layer and the number of the label that was clicked, 0 beside them.
    picking
        Whether a click is waited for.
    """

    picked = Signal(object, int)
    picking = Signal(bool)

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Labels | None = None
        self._mode = ""
        viewer.layers.selection.events.active.connect(self._on_active)

    def start(self, layer: Labels) -> None:
        """Let the next click on this layer pick."""
        self.stop()
        layer.visible = True
        # On its way to this one napari may tell of no active layer at all.
        self._viewer.layers.selection.active = layer
        self._layer, self._mode = layer, str(layer.mode)
        layer.mode = "pick"
        layer.mouse_drag_callbacks.append(self._on_mouse)
        self.picking.emit(True)

    def stop(self) -> None:
        """Wait no more."""
        layer, self._layer = self._layer, None
        if layer is not None:
            layer.mouse_drag_callbacks.remove(self._on_mouse)
            layer.mode = self._mode
            self.picking.emit(False)

    def _on_mouse(self, layer: Labels, event: Any) -> None:
        if event.button != LEFT:
            return
        found = layer.get_value(
            event.position,
            view_direction=event.view_direction,
            dims_displayed=event.dims_displayed,
            world=True,
        )
        number = found[-1] if isinstance(found, tuple) else found
        # napari is still walking through the callbacks of the layer.
        QTimer.singleShot(0, lambda: self._finish(layer, int(number or 0)))

    def _finish(self, layer: Labels, number: int) -> None:
        self.stop()
        self.picked.emit(layer, number)

    def _on_active(self, _: Any) -> None:
        if self._layer is not None and self._viewer.layers.selection.active is not self._layer:
            self.stop()
