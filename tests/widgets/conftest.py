from __future__ import annotations

import numpy as np
import pytest
from skimage.data import immunohistochemistry

from napari_guideme.widgets.guide import GuideWidget


@pytest.fixture
def tissue() -> np.ndarray:
    """A real picture, small enough for many refinements."""
    return immunohistochemistry()[300:428, 160:320]


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def guide(viewer, tissue, qtbot):
    """The widget on a real picture, already run once."""
    viewer.add_image(tissue, rgb=True, name="tissue")
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, widget.run.click)
    return widget


def open_widget(viewer, qtbot) -> GuideWidget:
    widget = GuideWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.reset_choices()
    qtbot.waitUntil(lambda: not is_busy(widget), timeout=60_000)
    return widget


def finish(qtbot, widget, action):
    """Do something and wait for the labels that follow from it."""
    with qtbot.waitSignal(widget.controller.refined, timeout=60_000):
        result = action()
    qtbot.waitUntil(lambda: not is_busy(widget), timeout=60_000)
    return result


def is_busy(widget) -> bool:
    return widget.controller.is_busy or widget.words.is_busy
