"""The ring around the pixel that is asked for: a layer that comes and goes with the question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from napari import Viewer
from napari.layers import Layer, Points

from napari_guideme.widgets.geometry import geometry
from napari_guideme.widgets.slices import Slice, spatial_ndim

#: Diameters of the ring and of the dot in its middle on the screen, in its pixels.
RING, DOT = 46, 4

#: Of the image's longest side: the ring is drawn smaller only where the image is small, too.
SHARE = 1 / 16


class Ring:
    """Marks one pixel and holds the keys while it does.

    Keys are bound on this layer alone, so napari's own keys stay as they are on
    all others, and are back as soon as the layer is gone.

    Parameters
    ----------
    viewer
        Where the ring is shown.
    keys
        What keys do while the ring's layer is chosen.
    on_deleted
        Called when the user deletes the layer.
    """

    def __init__(
        self, viewer: Viewer, keys: Mapping[str, Callable[[], None]], on_deleted: Callable[[], None]
    ) -> None:
        self._viewer = viewer
        self._keys = dict(keys)
        self._on_deleted = on_deleted
        self._before: Layer | None = None
        self.layer: Points | None = None
        viewer.layers.events.removed.connect(self._on_removed)

    def remember_tool(self) -> None:
        """Note the layer that the user works in, to choose it again at the end."""
        self._before = self._viewer.layers.selection.active

    def show(self, part: Slice, position: tuple[float, ...]) -> None:
        """Put the ring around a pixel of a slice."""
        layer = self.layer
        if layer is None:
            self.layer = layer = self._make(part)
            self._viewer.add_layer(layer)
            self.hold_keys()
        layer.data = np.array([part.embed(position)] * 2)
        layer.size = [max(part.shape) * SHARE, 1e-3]

    def hide(self) -> None:
        """Show no ring until the next question."""
        if self.layer is not None:
            self.layer.data = np.empty((0, self.layer.ndim))

    def hold_keys(self) -> None:
        """Choose the ring's layer, so that the keys are its own."""
        if self.layer is not None:
            self._viewer.layers.selection.active = self.layer

    def remove(self) -> None:
        """Take the layer away and the tool that was chosen before into the hand again."""
        layer, self.layer = self.layer, None
        if layer is None or layer not in self._viewer.layers:
            return
        held = self._viewer.layers.selection.active is layer
        self._viewer.layers.remove(layer)
        if held and self._before in self._viewer.layers:
            self._viewer.layers.selection.active = self._before

    def _make(self, part: Slice) -> Points:
        layer = Points(
            np.empty((0, spatial_ndim(part.layer))),
            name=f"question ({part.layer.name})",
            symbol="disc",
            face_color="transparent",
            border_color="#ffff00",
            border_width=0.07,
            canvas_size_limits=(DOT, RING),
            **geometry(part.layer),
        )
        layer.editable = False
        for key, action in self._keys.items():
            layer.bind_key(key, lambda _, action=action: action(), overwrite=True)
        return layer

    def _on_removed(self, event: Any) -> None:
        if self.layer is not None and event.value is self.layer:
            self.layer = None
            self._on_deleted()
