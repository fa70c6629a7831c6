"""Scribbles by napari's own tools: brush, eraser, bucket and polygon."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2gray

from .conftest import drag, finish, open_widget


def shown(guide) -> np.ndarray:
    return np.asarray(guide.controller.layers.labels.data)


@pytest.fixture
def scribbles(guide):
    """The layer that is painted in, with the brush for the border in the user's hand."""
    guide.controller.choose_class("border")
    guide.paint.click()
    layer = guide.controller.layers.scribbles
    assert layer.mode == "paint"
    assert layer.selected_label == 3
    return layer


def test_the_brush_refines_by_itself(guide, scribbles, viewer, qtbot):
    line = [(60.0, 70.0), (64.0, 74.0), (70.0, 76.0)]
    finish(qtbot, guide, lambda: drag(viewer, scribbles, line))
    painted = np.asarray(scribbles.data) == 3
    assert painted.sum() > 3 * 5
    assert (shown(guide)[painted] == 2).all()
    assert guide.controller.session.report().hints == 1
    finish(qtbot, guide, guide.undo.click)
    assert not scribbles.data.any()


def test_the_eraser_takes_back(guide, scribbles, viewer, qtbot):
    before = shown(guide).copy()
    finish(qtbot, guide, lambda: drag(viewer, scribbles, [(60.0, 70.0), (60.0, 75.0)]))
    assert (shown(guide) != before).any()
    scribbles.mode, scribbles.brush_size = "erase", 40
    finish(qtbot, guide, lambda: drag(viewer, scribbles, [(60.0, 70.0), (60.0, 75.0)]))
    assert not scribbles.data.any()
    np.testing.assert_array_equal(shown(guide), before)


@pytest.mark.parametrize("tool", ["bucket", "polygon", "pixels"])
def test_other_tools_count_the_same(guide, scribbles, qtbot, tool):
    rows, columns = np.mgrid[58:63, 68:73].reshape(2, -1)
    tools = {
        "bucket": lambda: scribbles.fill((60, 70), 3),
        "polygon": lambda: scribbles.paint_polygon([(58, 68), (58, 74), (64, 74), (64, 68)], 3),
        "pixels": lambda: scribbles.data_setitem((rows, columns), 3),
    }
    if tool == "bucket":
        scribbles.contiguous = True
        scribbles.data[50:70, 60:80] = 1
    finish(qtbot, guide, tools[tool])
    assert shown(guide)[60, 70] == 2


def test_in_a_stack_the_slice_that_is_painted_follows(viewer, tissue, qtbot):
    viewer.add_image(np.stack([rgb2gray(tissue)] * 3), name="stack", scale=(3, 1, 1))
    widget = open_widget(viewer, qtbot)
    viewer.dims.set_current_step(0, 2)
    finish(qtbot, widget, widget.run.click)
    widget.controller.choose_class("border")
    widget.paint.click()
    layer = widget.controller.layers.scribbles
    finish(qtbot, widget, lambda: drag(viewer, layer, [(2.0, 60.0, 70.0), (2.0, 64.0, 74.0)]))
    assert np.unique(np.nonzero(layer.data)[0]).tolist() == [2]
    assert (shown(widget)[np.asarray(layer.data) == 3] == 2).all()


def test_painting_over_the_labels_is_a_scribble(guide, viewer, qtbot):
    guide.controller.choose_class("border")
    layers = guide.controller.layers
    viewer.layers.selection.active, layers.labels.mode = layers.labels, "paint"
    line = [(60.0, 70.0), (64.0, 74.0), (70.0, 76.0)]
    finish(qtbot, guide, lambda: drag(viewer, layers.labels, line))
    scribble = np.asarray(layers.scribbles.data) == 3
    assert scribble.sum() > 3 * 5
    assert (shown(guide)[scribble] == 2).all()
    assert guide.controller.session.report().hints == 1
    assert viewer.layers.selection.active is layers.labels
    undo = next(do for key, do in layers.labels.keymap.items() if str(key) == "Ctrl+Z")
    finish(qtbot, guide, lambda: undo(layers.labels))
    assert not layers.scribbles.data.any()


def test_erasing_labels_tells_that_background_is_there(guide, viewer, qtbot):
    layers = guide.controller.layers
    place = tuple(map(float, np.argwhere(shown(guide) == 1)[80]))
    layers.labels.mode, layers.labels.brush_size = "erase", 3
    finish(qtbot, guide, lambda: drag(viewer, layers.labels, [place, place]))
    (scribble,) = guide.controller.session.hints
    assert scribble.class_name == "background"
    assert shown(guide)[tuple(map(int, place))] == 0


def test_a_stroke_that_outlasts_a_refinement_counts_whole(guide, viewer, qtbot):
    guide.controller.choose_class("border")
    layers = guide.controller.layers
    with layers.labels.block_history():
        layers.labels.data_setitem((np.arange(40, 50), np.full(10, 60)), 2)
        layers.labels.data[:] = 0
    qtbot.waitUntil(lambda: len(guide.controller.session.hints) == 1)
    assert (layers.scribbles.data[40:50, 60] == 3).all()


@pytest.mark.parametrize("role", ["labels", "scribbles"])
def test_the_label_chosen_in_napari_is_the_class(guide, role):
    layers, first = guide.controller.layers, {"labels": 0, "scribbles": 1}[role]
    layer = getattr(layers, role)
    layer.selected_label = first + 2
    assert guide.classes.checkedButton().text() == "border"
    assert layers.clicks.feature_defaults["class"].iloc[0] == "border"
    layer.selected_label = first + 3
    assert layer.selected_label == first + 2
    layers.clicks.add((60, 70))
    guide.controller.choose_class("nucleus")
    layers.clicks.selected_data = {0}
    assert layer.selected_label == first + 2


def test_another_class_is_painted_with_the_same_tool(guide, viewer):
    guide.paint.click()
    next(b for b in guide.classes.buttons() if not b.isChecked()).click()
    assert viewer.layers.selection.active is guide.controller.layers.scribbles
    assert guide.controller.layers.scribbles.mode == "paint"
