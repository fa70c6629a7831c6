"""Take the pictures of the documentation from the real viewer.

    python docs/screenshots.py        (needs a screen, or xvfb-run)

Writes ``widget-before.png`` and ``widget-after.png`` (the whole window, before and
after the demo's clicks) and ``correction.png`` (a part of both canvases).
"""

from __future__ import annotations

from pathlib import Path

import napari
import numpy as np
from imageio import v3 as imageio
from qtpy.QtTest import QTest

from napari_guideme.demo import demo_hints, demo_image
from napari_guideme.widgets.guide import GuideWidget

HERE = Path(__file__).parent
WINDOW = (1400, 900)
#: Where the canvas is centred, in rows and columns of the picture, and how close.
CENTRE, ZOOM = (365, 235), 3.0


def wait(widget: GuideWidget) -> None:
    """Let the viewer work until nothing is computed any more."""
    while widget.controller.is_busy:
        QTest.qWait(50)
    QTest.qWait(500)


def take() -> None:
    """Open, run, click and take a picture before and after."""
    viewer = napari.Viewer()
    viewer.window._qt_window.resize(*WINDOW)
    viewer.add_image(demo_image(), name="stained tissue", rgb=True)
    widget = GuideWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Correct a network by clicks")
    widget.reset_choices()
    wait(widget)
    widget.run.click()
    wait(widget)
    viewer.camera.center = (0, *CENTRE)
    viewer.camera.zoom = ZOOM
    pictures = [shot(viewer, "widget-before.png")]
    for hint in demo_hints():
        widget.controller.choose_class(hint.class_name)
        widget.controller.layers.clicks.add(hint.at)
        wait(widget)
    pictures.append(shot(viewer, "widget-after.png"))
    gap = np.full_like(pictures[0][:, :12], 255)
    imageio.imwrite(HERE / "correction.png", np.hstack([pictures[0], gap, pictures[1]]))
    viewer.close()


def shot(viewer: napari.Viewer, name: str) -> np.ndarray:
    """Save a picture of the window and return one of the canvas."""
    imageio.imwrite(HERE / name, viewer.screenshot(canvas_only=False, flash=False)[..., :3])
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3]


if __name__ == "__main__":
    take()
