from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from napari.utils._proxies import PublicOnlyProxy
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from skimage.color import rgb2gray
from skimage.data import immunohistochemistry

from napari_guideme.referring import opening
from napari_guideme.widgets.guide import GuideWidget
from tests.referring.untrained import untrained


@pytest.fixture
def tissue() -> np.ndarray:
    return cut_out()


@pytest.fixture(scope="session")
def nuclei() -> np.ndarray:
    """A few slices through real nuclei: a window that drifts across the picture, ever paler."""
    whole = rgb2gray(immunohistochemistry())
    slices = [whole[300 + 2 * k : 396 + 2 * k, 160 + k : 272 + k] for k in range(7)]
    pale = [s + (1 - s) * 0.03 * k for k, s in enumerate(slices)]
    return (255 * np.stack(pale)).astype(np.uint8)


@pytest.fixture(scope="module", autouse=True)
def heap() -> Iterator[None]:
    """What is loaded by now is no garbage, which napari looks for around every viewer."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


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


def cut_out() -> np.ndarray:
    """A real picture, small enough for many refinements."""
    return immunohistochemistry()[300:428, 160:320]


def open_widget(viewer, qtbot) -> GuideWidget:
    """Open the widget as napari's menu does, which hands plugins a proxy."""
    widget = GuideWidget(PublicOnlyProxy(viewer))
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
    parts = widget.controller, widget.words, widget.carry, widget.applying
    return any(part.is_busy for part in parts)


@pytest.fixture
def referring(tmp_path, monkeypatch) -> Path:
    """In the place of the bundled network for sentences one that learnt nothing, but finds."""
    network, path = untrained(), tmp_path / "own.safetensors"
    with torch.no_grad():
        network.grouping.reading.weight.mul_(60)
        network.grouping.reading.bias.zero_()
    opening.save(network, path)
    monkeypatch.setattr(opening, "bundled", lambda: path)
    return path


def drag(viewer, layer, places) -> None:
    """Draw with the tool of a layer from place to place, through napari's own callbacks."""

    class Event:
        type = "mouse_press"
        button = 1
        pos = np.array([5.0, 5.0])
        view_direction = None
        is_dragging = True
        dims_displayed = tuple(viewer.dims.displayed)
        dims_point = viewer.dims.point
        handled = False

    event = Event()
    event.position = tuple(layer.data_to_world(places[0]))
    mouse_press_callbacks(layer, event)
    for place in places[1:]:
        event.type, event.position = "mouse_move", tuple(layer.data_to_world(place))
        mouse_move_callbacks(layer, event)
    event.type = "mouse_release"
    mouse_release_callbacks(layer, event)
