"""Flying the viewer's camera to a pixel, and back to where the user had it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari import Viewer
from qtpy.QtCore import QEasingCurve, QObject, QVariantAnimation

from napari_guideme.widgets.askew import point_of, seen_at
from napari_guideme.widgets.slices import Slice, shown_slice, spatial_ndim

MILLISECONDS = 350

#: What is seen around a pixel: a third of the image, but not less than this many pixels.
SHARE, SURROUNDING = 3.0, 160


def camera_of(viewer: Viewer) -> Any:
    """Return the camera, which moved into the scene with napari 0.9."""
    return getattr(viewer, "scene", viewer).camera


@dataclass(frozen=True)
class View:
    """Where the camera is."""

    centre: tuple[float, ...]
    zoom: float

    @classmethod
    def of(cls, viewer: Viewer) -> View:
        """Read the camera."""
        camera = camera_of(viewer)
        return cls(tuple(camera.center), camera.zoom)

    def between(self, other: View, share: float) -> View:
        """Return the view that share of the way to another one."""
        centre = (1 - share) * np.array(self.centre) + share * np.array(other.centre)
        zoom = self.zoom ** (1 - share) * other.zoom**share
        return View(tuple(map(float, centre)), zoom)

    def show(self, viewer: Viewer) -> None:
        """Put the camera there."""
        camera = camera_of(viewer)
        camera.center, camera.zoom = self.centre, self.zoom


class Flight(QObject):
    """Flies to pixels. A zoom that the user chose on the way is kept."""

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._home: View | None = None
        self._start = self._goal = View.of(viewer)
        self._animation = QVariantAnimation(self)
        self._animation.setDuration(MILLISECONDS)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.setEasingCurve(QEasingCurve.Type.InOutQuad)
        self._animation.valueChanged.connect(self._on_moved)

    @property
    def is_flying(self) -> bool:
        """Whether the camera is on its way."""
        return bool(self._animation.state() == QVariantAnimation.State.Running)

    def fly(self, part: Slice, position: tuple[float, ...]) -> None:
        """Show the slice and move the camera to a pixel of it."""
        self._arrive()
        show_slice(self._viewer, part)
        self._start = View.of(self._viewer)
        zoom = self._start.zoom
        if self._home is None:
            self._home, zoom = self._start, self._near(part)
        self._goal = View(_centre(self._viewer, part, position), zoom)
        self._animation.start()

    def come_back(self) -> None:
        """Give the user the first view again, unless the camera was moved by hand since."""
        home, self._home = self._home, None
        self._arrive()
        if home is not None and View.of(self._viewer) == self._goal:
            home.show(self._viewer)

    def _arrive(self) -> None:
        if self.is_flying:
            self._animation.stop()
            self._goal.show(self._viewer)

    def _on_moved(self, share: float) -> None:
        view = self._goal if share == 1 else self._start.between(self._goal, share)
        view.show(self._viewer)

    def _near(self, part: Slice) -> float:
        """Zoom that shows a pixel with its surrounding."""
        present = View.of(self._viewer)
        self._viewer.reset_view()
        whole: float = camera_of(self._viewer).zoom
        present.show(self._viewer)
        return whole * float(np.clip(max(part.shape) / SURROUNDING, 1, SHARE))


def show_slice(viewer: Viewer, part: Slice) -> None:
    """Let the viewer show a slice, if it shows another one."""
    viewer.dims.ndisplay = 2
    if shown_slice(viewer, part.layer).key == part.key:
        return
    offset = viewer.dims.ndim - spatial_ndim(part.layer)
    shown = tuple(axis + offset for axis in part.axes)
    if set(viewer.dims.displayed) != set(shown):
        hidden = [axis for axis in viewer.dims.order if axis not in shown]
        viewer.dims.order = (*hidden, *shown)
    move_slider(viewer, part)


def move_slider(viewer: Viewer, part: Slice) -> None:
    """Choose a slice among those parallel to the shown one; in 3-D, for when 2-D is back."""
    offset = viewer.dims.ndim - spatial_ndim(part.layer)
    hidden = [axis - offset for axis in viewer.dims.order[:-2] if axis >= offset]
    point = point_of(part.layer, hidden, np.asarray(part.index, dtype=float)[hidden])
    for axis, at in zip(hidden, point, strict=True):
        viewer.dims.set_point(axis + offset, at)


def _centre(viewer: Viewer, part: Slice, position: tuple[float, ...]) -> tuple[float, ...]:
    """Where the camera looks to see a pixel of the slice that is shown."""
    offset = viewer.dims.ndim - spatial_ndim(part.layer)
    shown = [axis - offset for axis in viewer.dims.displayed]
    return (0.0, *map(float, seen_at(part.layer, shown, np.asarray(part.embed(position)))))
