from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels

from tests import toys

from .conftest import finish, open_widget

#: Bright squares on dark ground, and a pixel in each.
SQUARES = (np.s_[8:20, 8:20], np.s_[8:20, 40:52], np.s_[40:52, 20:36])
FIRST, SECOND, THIRD = (13.0, 13.0), (13.0, 45.0), (45.0, 27.0)


@pytest.fixture
def squares() -> np.ndarray:
    pixels = np.zeros((64, 64), np.float32)
    for square in SQUARES:
        pixels[square] = 1.0
    return pixels


@pytest.fixture
def widget(viewer, squares, qtbot):
    """The widget on bright squares, with a network that takes clicks."""
    viewer.add_image(squares, name="squares")
    return with_clicks(open_widget(viewer, qtbot), qtbot)


def with_clicks(widget, qtbot):
    """Choose a network that takes clicks."""
    known = widget.controller.networks.add("blobs", toys.click_network(), "auto")
    widget.network.refresh()
    finish(qtbot, widget, lambda: choose(widget, known.label))
    return widget


def choose(widget, label):
    widget.network.combo.setCurrentText(label)
    widget.network.chosen.emit(label)


def click(qtbot, widget, at, name="object"):
    widget.controller.choose_class(name)
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add(at))


def outline(qtbot, widget, at):
    """Click on an object and keep it."""
    click(qtbot, widget, at)
    finish(qtbot, widget, widget.objects.next.click)


def kept(widget) -> np.ndarray:
    return widget.controller.layers.kept.data


def shown(widget) -> np.ndarray:
    return widget.controller.layers.labels.data


def square(index) -> np.ndarray:
    mask = np.zeros((64, 64), bool)
    mask[SQUARES[index]] = True
    return mask


def test_a_click_outlines_an_object(widget, qtbot):
    click(qtbot, widget, FIRST)
    np.testing.assert_array_equal(shown(widget) == 1, square(0))
    assert "Object 1: 1 of 1 clicks satisfied." in widget.status.text()


def test_only_what_means_something_is_shown(widget, qtbot):
    tools = (widget.run, widget.asking, widget.changes, widget.keep, widget.as_objects)
    assert not any(tool.isVisibleTo(widget) for tool in tools)
    assert widget.objects.next.isVisibleTo(widget)
    assert [button.text() for button in widget.classes.buttons()] == ["background", "object"]
    assert widget.advanced.method.currentText() == "f-brs-b"
    choose(widget, "nuclei")
    assert all(tool.isVisibleTo(widget) for tool in tools)
    assert not widget.objects.next.isVisibleTo(widget)
    assert widget.advanced.method.currentText() == "residual"


def test_the_tool_is_in_the_hand_at_once(widget, viewer):
    assert viewer.layers.selection.active is widget.controller.layers.clicks
    assert widget.controller.layers.clicks.mode == "add"


def test_next_object_keeps_it_and_begins_another(widget, qtbot):
    outline(qtbot, widget, FIRST)
    np.testing.assert_array_equal(kept(widget), square(0) * 1)
    assert not shown(widget).any()
    assert len(widget.controller.layers.clicks.data) == 0
    assert "Object 2" in widget.status.text()
    outline(qtbot, widget, SECOND)
    np.testing.assert_array_equal(kept(widget), square(0) * 1 + square(1) * 2)


def test_undo_and_redo_go_across_objects(widget, qtbot):
    outline(qtbot, widget, FIRST)
    outline(qtbot, widget, SECOND)
    click(qtbot, widget, THIRD)
    widget.controller.layers.kept.name = "mine"
    states = []
    while widget.controller.session.can_undo:
        states.append((kept(widget).copy(), shown(widget).copy()))
        finish(qtbot, widget, widget.undo.click)
    assert not kept(widget).any()
    assert not shown(widget).any()
    assert len(states) == 5
    for objects, labels in reversed(states):
        finish(qtbot, widget, widget.redo.click)
        np.testing.assert_array_equal(kept(widget), objects)
        np.testing.assert_array_equal(shown(widget), labels)
    assert len(widget.controller.layers.clicks.data) == 1


def test_layers_that_were_deleted_come_back(widget, viewer, qtbot):
    outline(qtbot, widget, FIRST)
    viewer.layers.remove(widget.controller.layers.kept)
    viewer.layers.remove(widget.controller.layers.clicks)
    viewer.layers.remove(widget.controller.layers.labels)
    outline(qtbot, widget, SECOND)
    assert widget.controller.layers.kept in viewer.layers
    np.testing.assert_array_equal(kept(widget) > 0, square(0) | square(1))
    finish(qtbot, widget, widget.undo.click)
    np.testing.assert_array_equal(kept(widget) > 0, square(0))
    keys = {str(key) for key in widget.controller.layers.clicks.keymap}
    assert {"N", "T", "Ctrl+Z"} <= keys


def test_what_others_put_into_the_layer_stays(widget, qtbot):
    outline(qtbot, widget, FIRST)
    kept(widget)[8:12, 40:52] = 7
    outline(qtbot, widget, SECOND)
    assert (kept(widget)[8:12, 40:52] == 7).all()
    assert (kept(widget)[12:20, 40:52] == 8).all()
    finish(qtbot, widget, widget.undo.click)
    assert (kept(widget)[8:12, 40:52] == 7).all()
    assert not kept(widget)[12:20, 40:52].any()


def test_objects_may_overlap_on_demand(widget, qtbot):
    outline(qtbot, widget, FIRST)
    click(qtbot, widget, FIRST)
    assert not shown(widget).any()
    finish(qtbot, widget, lambda: widget.objects.overlap.setChecked(True))
    np.testing.assert_array_equal(shown(widget) == 1, square(0))
    finish(qtbot, widget, widget.objects.next.click)
    np.testing.assert_array_equal(kept(widget), square(0) * 2)
    finish(qtbot, widget, widget.undo.click)
    np.testing.assert_array_equal(kept(widget), square(0) * 1)


def test_next_without_an_object_is_told(widget, qtbot):
    with qtbot.waitSignal(widget.controller.problem) as caught:
        widget.objects.next.click()
    assert "click on one" in caught.args[0]
    assert widget.controller.layers.existing("kept") is None


def test_clicks_made_while_next_waits_belong_to_the_next_object(widget, qtbot):
    layers = widget.controller.layers
    layers.clicks.add(FIRST)
    widget.objects.mode.next_object()
    layers.clicks.add(SECOND)
    qtbot.waitUntil(lambda: not widget.controller.is_busy, timeout=60_000)
    np.testing.assert_array_equal(kept(widget), square(0) * 1)
    np.testing.assert_array_equal(shown(widget) == 1, square(1))
    np.testing.assert_array_equal(layers.clicks.data, [SECOND])


def test_undo_while_next_waits_keeps_nothing(widget, qtbot):
    widget.controller.layers.clicks.add(FIRST)
    widget.objects.mode.next_object()
    finish(qtbot, widget, widget.controller.undo)
    assert widget.controller.layers.existing("kept") is None
    assert not shown(widget).any()
    click(qtbot, widget, SECOND)
    np.testing.assert_array_equal(shown(widget) == 1, square(1))


def test_cancel_while_next_waits_keeps_nothing(widget, qtbot):
    widget.controller.layers.clicks.add(FIRST)
    widget.objects.mode.next_object()
    widget.cancel.click()
    qtbot.waitUntil(lambda: not widget.controller.is_busy, timeout=60_000)
    assert widget.controller.layers.existing("kept") is None
    click(qtbot, widget, SECOND)
    np.testing.assert_array_equal(shown(widget) == 1, square(0) | square(1))


def test_the_next_key_works_in_both_tools(widget, qtbot):
    for layer, action in (
        (widget.controller.layers.clicks, lambda: None),
        (widget.controller.layers.scribbles, widget.paint.click),
    ):
        action()
        keymap = {str(key): bound for key, bound in layer.keymap.items()}
        click(qtbot, widget, FIRST if not kept_any(widget) else SECOND)
        finish(qtbot, widget, lambda: keymap["N"](layer))  # noqa: B023
    np.testing.assert_array_equal(kept(widget), square(0) * 1 + square(1) * 2)


def kept_any(widget) -> bool:
    return widget.controller.layers.existing("kept") is not None


def test_a_scribble_outlines_an_object(widget, qtbot):
    widget.paint.click()
    layer = widget.controller.layers.scribbles
    columns = np.arange(10, 18)
    painted = (np.full(8, 13), columns)
    finish(qtbot, widget, lambda: layer.data_setitem(painted, layer.selected_label))
    np.testing.assert_array_equal(shown(widget) == 1, square(0))
    assert "1 of 1 hints satisfied" in widget.status.text()
    finish(qtbot, widget, widget.objects.next.click)
    assert not layer.data.any()
    assert (kept(widget) == square(0)).all()


@pytest.mark.parametrize(("button", "name"), [(1, "object"), (2, "background")])
def test_the_right_button_takes_away(widget, qtbot, button, name):
    layer = widget.controller.layers.clicks
    finish(qtbot, widget, lambda: mouse(layer, FIRST, button))
    assert list(layer.features["class"]) == [name]
    assert shown(widget).any() == (name == "object")
    qtbot.waitUntil(lambda: widget.controller.layers.current_class == "object", timeout=5000)
    assert widget.classes.checkedButton().text() == "object"


def mouse(layer, at, button):
    """Press and release a button over a pixel, through napari's own callbacks."""
    from napari.utils.interactions import mouse_press_callbacks, mouse_release_callbacks

    class Event:
        type = "mouse_press"
        pos = np.array([5.0, 5.0])
        position = tuple(layer.data_to_world(at))
        view_direction = None
        dims_displayed = (0, 1)
        handled = False

    event = Event()
    event.button = button
    mouse_press_callbacks(layer, event)
    event.type = "mouse_release"
    mouse_release_callbacks(layer, event)


def test_an_object_of_another_layer_is_improved(widget, viewer, qtbot):
    other = np.zeros((64, 64), int)
    other[8:20, 8:14], other[40:52, 20:36] = 3, 5
    layer = viewer.add_labels(other.copy(), name="cellpose")
    assert widget.objects.source.currentText() == "cellpose"
    widget.objects.pick.click()
    assert viewer.layers.selection.active is layer
    assert "improve" in widget.status.text()
    finish(qtbot, widget, lambda: mouse(layer, (10.0, 10.0), 1))
    np.testing.assert_array_equal(shown(widget), other == 3)
    assert viewer.layers.selection.active is widget.controller.layers.clicks
    assert layer.mode == "pan_zoom"
    click(qtbot, widget, (13.0, 17.0))
    grown = shown(widget) == 1
    assert grown[13, 17]
    assert not (grown & ~square(0)).any()
    assert grown.sum() > (other == 3).sum()
    finish(qtbot, widget, widget.objects.next.click)
    np.testing.assert_array_equal(kept(widget), grown)
    np.testing.assert_array_equal(layer.data, other)


def test_picking_beside_the_objects_is_told(widget, viewer, qtbot):
    layer = viewer.add_labels(np.pad(np.ones((4, 4), int), 30), name="cellpose")
    widget.objects.pick.click()
    mouse(layer, (1.0, 1.0), 1)
    qtbot.waitUntil(lambda: not widget.objects.pick.isChecked(), timeout=5000)
    assert "no object where you clicked" in widget.status.text()
    assert not widget.controller.session.can_undo


def test_picking_begins_with_several_layers_selected(widget, viewer, qtbot):
    layer = viewer.add_labels(np.ones((64, 64), int), name="cellpose")
    viewer.layers.selection = set(viewer.layers) - {layer}
    widget.objects.pick.click()
    assert widget.objects.pick.isChecked()
    assert layer.mode == "pick"
    assert viewer.layers.selection.active is layer
    viewer.layers.selection.active = widget.controller.layers.clicks
    assert not widget.objects.pick.isChecked()
    assert layer.mode == "pan_zoom"


def test_choosing_another_layer_ends_picking(widget, viewer, qtbot):
    layer = viewer.add_labels(np.ones((64, 64), int), name="cellpose")
    widget.objects.pick.click()
    viewer.layers.selection.active = widget.controller.layers.clicks
    assert not widget.objects.pick.isChecked()
    assert layer.mode == "pan_zoom"
    mouse(layer, FIRST, 1)
    qtbot.wait(50)
    assert not widget.controller.session.can_undo


def test_labels_of_another_size_are_told(widget, viewer, qtbot):
    layer = viewer.add_labels(np.ones((9, 9), int), name="cellpose")
    with qtbot.waitSignal(widget.controller.problem) as caught:
        widget.objects.mode.improve(layer, 1)
    assert "9 x 9 pixels" in caught.args[0]
    assert not widget.controller.session.can_undo


def test_our_own_layers_are_not_offered_to_begin_with(widget, qtbot):
    outline(qtbot, widget, FIRST)
    assert widget.objects.source.count() == 0
    assert not widget.objects.pick.isVisibleTo(widget)


def test_any_slice_of_a_stack(viewer, squares, qtbot):
    viewer.add_image(np.stack([squares] * 3), name="stack", scale=(4.0, 2.0, 1.0))
    viewer.dims.set_current_step(0, 1)
    widget = with_clicks(open_widget(viewer, qtbot), qtbot)
    assert widget.controller.session._lens.spacing == (2.0, 1.0)
    outline(qtbot, widget, (1.0, *FIRST))
    viewer.dims.set_current_step(0, 2)
    outline(qtbot, widget, (2.0, *FIRST))
    assert [np.unique(part).tolist() for part in kept(widget)] == [[0], [0, 1], [0, 2]]
    cells = np.zeros((3, 64, 64), int)
    cells[0, 40:52, 20:30] = 9
    layer = viewer.add_labels(cells, name="cells", scale=(4.0, 2.0, 1.0))
    viewer.dims.set_current_step(0, 0)
    widget.objects.mode.improve(layer, 9)
    qtbot.waitUntil(lambda: not widget.controller.is_busy, timeout=60_000)
    np.testing.assert_array_equal(shown(widget)[0], cells[0] == 9)


def test_the_kept_layer_has_the_geometry_of_the_image(widget, qtbot):
    widget.controller.image.scale = (2.0, 3.0)
    outline(qtbot, widget, FIRST)
    assert isinstance(widget.controller.layers.kept, Labels)
    np.testing.assert_allclose(widget.controller.layers.kept.scale, (2.0, 3.0))


def test_every_network_keeps_its_own_layers(widget, viewer, qtbot):
    outline(qtbot, widget, FIRST)
    click(qtbot, widget, SECOND)
    objects, clicks = widget.controller.layers.kept, widget.controller.layers.clicks
    choose(widget, "nuclei")
    assert objects.visible
    assert not clicks.visible
    finish(qtbot, widget, lambda: choose(widget, "blobs"))
    assert clicks.visible
    assert "Object 2: 1 of 1" in widget.status.text()
    finish(qtbot, widget, widget.objects.next.click)
    np.testing.assert_array_equal(kept(widget), square(0) * 1 + square(1) * 2)
