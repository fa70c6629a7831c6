"""Open napari with the demo: ``python -m napari_guideme.widgets.demo [DEVICE]``."""

from __future__ import annotations

import sys

import napari

from napari_guideme.demo import demo_hints, demo_image
from napari_guideme.widgets.guide import GuideWidget


def open_demo(device: str = "auto") -> tuple[napari.Viewer, GuideWidget]:
    """Show the demo's picture, run the network and place the demo's clicks."""
    viewer = napari.Viewer()
    viewer.add_image(demo_image(), name="stained tissue", rgb=True)
    widget = GuideWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Correct a network by clicks")
    widget.reset_choices()
    widget.advanced.choose_device(device)
    widget.controller.show_hints(demo_hints())
    return viewer, widget


if __name__ == "__main__":
    open_demo(*sys.argv[1:2])
    napari.run()
