"""What hides the image that is worked on, and the way to see it."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from napari import Viewer
from napari.layers import Image, Layer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from napari_guideme.widgets.controller import Controller

#: What changes what is seen of a layer.
CHANGES = {
    *("inserted", "removed", "reordered", "name", "visible", "opacity", "blending"),
    *("scale", "translate", "rotate", "affine"),
}

#: How images are drawn of which nothing is seen through another one.
OPAQUE = ("translucent", "translucent_no_depth", "opaque")


class CoverLine(QWidget):
    """Says what lies over the chosen image, or that it is hidden; otherwise it is not there."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self.told = QLabel(wordWrap=True, textFormat=Qt.TextFormat.RichText)
        self.alone = QPushButton("Show image")
        self.alone.setToolTip(
            "Show the chosen image, and nothing over it that is about another one"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.told, 1)
        row.addWidget(self.alone)
        # Layers come and go in numbers.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.look)
        self.alone.clicked.connect(lambda: self._uncover())
        controller.viewer.layers.events.connect(self._on_change)
        self.hide()

    def look(self) -> None:
        """Say it for the image that is chosen now."""
        self.told.setText(self._found())
        self.setVisible(bool(self.told.text()))

    def _found(self) -> str:
        image = self._controller.image
        if image is None or image not in self._controller.viewer.layers:
            return ""
        if not image.visible:
            return f"<b>{escape(image.name)}</b> is hidden."
        over = self._over(image)
        return f"<b>{escape(over[-1].name)}</b> lies over it." if over else ""

    def _over(self, image: Image) -> list[Layer]:
        layers = self._controller.viewer.layers
        return [layer for layer in layers[layers.index(image) + 1 :] if self._covers(layer, image)]

    def _uncover(self) -> None:
        """Show the chosen image, and nothing over it that is about another one."""
        image = self._controller.checked_image()
        self._controller.leave_others()
        for layer in self._over(image):
            layer.visible = False
        image.visible = True

    def _covers(self, layer: Layer, image: Image) -> bool:
        if not layer.visible or _in_grid(self._controller.viewer) or not _meet(layer, image):
            return False
        if self._controller.made(layer):
            return not self._controller.belongs(layer, image)
        is_seen_through = layer.opacity < 1 or layer.blending not in OPAQUE
        return isinstance(layer, Image) and not is_seen_through

    def _on_change(self, event: Any) -> None:
        if event.type in CHANGES:
            self._soon.start()


def _in_grid(viewer: Viewer) -> bool:
    """Whether layers are shown side by side, which the canvas knows since napari 0.9."""
    return bool(getattr(viewer, "canvas", viewer).grid.enabled)


def _meet(one: Layer, other: Layer) -> bool:
    """Whether layers share a part of the world, along the axes that both have."""
    ndim = min(one.ndim, other.ndim)
    (low, high), (least, most) = (x.extent.world[:, -ndim:] for x in (one, other))
    return bool((np.maximum(low, least) <= np.minimum(high, most)).all())
