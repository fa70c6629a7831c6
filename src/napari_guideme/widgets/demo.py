"""Open napari with the demo: ``python -m napari_guideme.widgets.demo``."""

from __future__ import annotations

import napari

from napari_guideme.demo import demo_hints, demo_image
from napari_guideme.widgets.guide import GuideWidget


def open_demo() -> tuple[napari.Viewer, GuideWidget]:
    """Show the demo's picture, run the network and place the demo's clicks."""
    viewer = napari.Viewer()
    viewer.add_image(demo_image(), name="stained tissue", rgb=True)
    widget = GuideWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Correct a network by clicks")
    widget.reset_choices()
    widget.controller.show_hints(demo_hints())
    return viewer, widget


if __name__ == "__main__":
    open_demo()
    napari.run()
