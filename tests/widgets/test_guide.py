from __future__ import annotations

import subprocess
import sys
from threading import Event

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_guideme.widgets import keeping
from napari_guideme.widgets.demo import open_demo
from napari_guideme.widgets.geometry import geometry

from .conftest import finish, is_busy, open_widget

AT = (60.0, 70.0)


def wrong_class(widget, at=AT) -> str:
    """A class that the labels do not have at a place."""
    label = widget.controller.outcome.labels[tuple(int(x) for x in at)]
    return "background" if label else "nucleus"


def click(qtbot, widget, at, name):
    widget.controller.choose_class(name)
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add(at))


def shown_class(widget, at=AT) -> str:
    index = widget.controller.layers.labels.data[tuple(int(x) for x in at)]
    return widget.controller.classes[index]


def test_it_says_how_to_begin(viewer, tissue, qtbot):
    widget = open_widget(viewer, qtbot)
    assert "Open Sample" in widget.status.text()
    image = viewer.add_image(tissue, rgb=True)
    assert widget.status.text().startswith("Press Run")
    viewer.layers.remove(image)
    assert "Open Sample" in widget.status.text()


def test_it_says_that_the_network_runs(viewer, tissue, qtbot):
    viewer.add_image(tissue, rgb=True)
    widget = open_widget(viewer, qtbot)
    widget.run.click()
    assert widget.status.text().startswith("The network labels the image")
    widget.cancel.click()
    qtbot.waitUntil(lambda: not is_busy(widget), timeout=60_000)
    assert widget.status.text().startswith("Press Run")
    finish(qtbot, widget, widget.run.click)
    assert widget.status.text().startswith("Now choose a class")


def test_run_labels_the_image(guide, tissue):
    labels = guide.controller.layers.labels
    assert labels.data.shape == tissue.shape[:2]
    assert 0 < (labels.data > 0).mean() < 1


def test_a_click_refines_by_itself(guide, qtbot):
    name = wrong_class(guide)
    click(qtbot, guide, AT, name)
    assert shown_class(guide) == name
    assert "1 of 1 hints satisfied" in guide.status.text()


def test_points_from_naparis_own_tool_count(guide, qtbot):
    name = wrong_class(guide)
    guide.controller.choose_class(name)
    layer = guide.controller.layers.clicks
    layer.mode = "add"
    finish(qtbot, guide, lambda: setattr(layer, "data", np.array([AT])))
    assert shown_class(guide) == name


def test_a_scribble_refines_by_itself(guide, qtbot):
    name = wrong_class(guide)
    guide.controller.choose_class(name)
    layer = guide.controller.layers.scribbles
    rows = np.arange(58, 63)
    finish(
        qtbot,
        guide,
        lambda: layer.data_setitem((rows, np.full(5, 70)), layer.selected_label),
    )
    assert shown_class(guide) == name
    assert guide.controller.session.report().hints == 1


def test_undo_and_redo_restore_labels_and_points(guide, qtbot):
    before = guide.controller.layers.labels.data.copy()
    click(qtbot, guide, AT, wrong_class(guide))
    after = guide.controller.layers.labels.data.copy()
    finish(qtbot, guide, guide.undo.click)
    np.testing.assert_array_equal(guide.controller.layers.labels.data, before)
    assert len(guide.controller.layers.clicks.data) == 0
    finish(qtbot, guide, guide.redo.click)
    np.testing.assert_array_equal(guide.controller.layers.labels.data, after)
    assert len(guide.controller.layers.clicks.data) == 1


def test_undo_restores_scribbles(guide, qtbot):
    guide.controller.choose_class("nucleus")
    layer = guide.controller.layers.scribbles
    finish(qtbot, guide, lambda: layer.data_setitem((np.array([5, 6]), np.array([5, 5])), 2))
    finish(qtbot, guide, guide.undo.click)
    assert not layer.data.any()
    finish(qtbot, guide, guide.redo.click)
    assert layer.data[5, 5] == layer.data[6, 5] == 2


def test_clear_can_be_undone(guide, qtbot):
    click(qtbot, guide, AT, wrong_class(guide))
    finish(qtbot, guide, guide.clear.click)
    assert len(guide.controller.layers.clicks.data) == 0
    finish(qtbot, guide, guide.undo.click)
    assert len(guide.controller.layers.clicks.data) == 1


def test_colour_of_the_points_follows_the_class(guide, qtbot):
    click(qtbot, guide, AT, "background")
    click(qtbot, guide, (20.0, 20.0), "border")
    layer = guide.controller.layers.clicks
    assert list(layer.features["class"]) == ["background", "border"]
    assert not np.allclose(layer.face_color[0], layer.face_color[1])


def test_selecting_an_old_point_takes_over_its_class(guide, qtbot):
    click(qtbot, guide, AT, "background")
    guide.controller.choose_class("nucleus")
    guide.controller.layers.clicks.selected_data = {0}
    assert guide.classes.checkedButton().text() == "background"


def test_a_click_while_one_is_running_is_not_lost(guide, qtbot):
    layers = guide.controller.layers
    guide.controller.choose_class("nucleus")
    layers.clicks.add((10.0, 10.0))
    qtbot.waitUntil(lambda: guide.controller.job._worker is not None, timeout=10_000)
    finish(qtbot, guide, lambda: layers.clicks.add((100.0, 100.0)))
    assert guide.controller.outcome.report.hints == 2
    assert guide.controller.layers.labels.data[100, 100] == 1


def test_cancel_leaves_the_labels(guide, qtbot):
    guide.advanced.method.setCurrentText("guide-me")
    qtbot.waitUntil(lambda: not guide.controller.is_busy, timeout=60_000)
    before = guide.controller.layers.labels.data.copy()
    guide.controller.choose_class(wrong_class(guide))
    guide.controller.layers.clicks.add(AT)
    qtbot.waitUntil(lambda: guide.controller.job._worker is not None, timeout=10_000)
    guide.cancel.click()
    qtbot.waitUntil(lambda: not guide.controller.is_busy, timeout=60_000)
    np.testing.assert_array_equal(guide.controller.layers.labels.data, before)
    finish(qtbot, guide, guide.run.click)
    assert guide.controller.outcome.report.hints == 1


def test_keep_does_not_overwrite_earlier_ids(guide, qtbot):
    def keep() -> int:
        with qtbot.waitSignal(guide.controller.keeper.kept, timeout=60_000) as caught:
            guide.keep.click()
        return caught.args[0]

    first = keep()
    kept = guide.controller.layers.kept.data.copy()
    assert first == kept.max() > 0
    click(qtbot, guide, AT, wrong_class(guide))
    keep()
    again = guide.controller.layers.kept.data
    np.testing.assert_array_equal(again[kept > 0], kept[kept > 0])
    guide.overwrite.setChecked(True)
    keep()
    assert (again[kept > 0] > kept.max()).any()


def keep(qtbot, widget) -> None:
    with qtbot.waitSignal(widget.controller.keeper.kept, timeout=60_000):
        widget.keep.click()


def test_kept_again_objects_grow_but_not_where_they_were_erased(guide, qtbot):
    layers = guide.controller.layers
    layers.labels.data[:] = 0
    layers.labels.data[20:30, 20:30] = 1
    keep(qtbot, guide)
    layers.kept.data[20:30, 25] = 0
    layers.labels.data[19:31, 19:31] = 1
    keep(qtbot, guide)
    expected = np.zeros_like(layers.kept.data)
    expected[19:31, 19:31] = 1
    expected[20:30, 25] = 0
    np.testing.assert_array_equal(layers.kept.data, expected)


def labelled_stack(viewer, qtbot, tissue, *slices):
    """The widget on a stack, one of its slices labelled after the other."""
    viewer.add_image(np.stack([tissue[::step].mean(-1)[:64] for step in (1, 2, 2)]), name="stack")
    widget = open_widget(viewer, qtbot)
    for index in slices:
        viewer.dims.set_current_step(0, index)
        finish(qtbot, widget, widget.run.click)
    return widget


def test_any_labelled_slice_can_be_kept(viewer, qtbot, tissue):
    widget = labelled_stack(viewer, qtbot, tissue, 0, 1)
    layers = widget.controller.layers
    viewer.dims.set_current_step(0, 0)
    keep(qtbot, widget)
    np.testing.assert_array_equal(layers.kept.data[0] > 0, layers.labels.data[0] > 0)
    assert layers.kept.data[0].any()
    assert not layers.kept.data[1].any()


def test_labels_without_a_session_can_be_kept(viewer, qtbot, tissue):
    widget = labelled_stack(viewer, qtbot, tissue, 1)
    widget.carry.all.click()
    qtbot.waitUntil(lambda: not is_busy(widget), timeout=60_000)
    viewer.dims.set_current_step(0, 0)
    widget.controller.sessions.clear()
    widget.as_objects.setChecked(False)
    assert widget.keep.isEnabled()
    keep(qtbot, widget)
    layers = widget.controller.layers
    np.testing.assert_array_equal(layers.kept.data[0], layers.labels.data[0])
    assert layers.kept.data[0].any()


def test_without_labels_there_is_nothing_to_keep(viewer, qtbot, tissue):
    widget = labelled_stack(viewer, qtbot, tissue, 1)
    viewer.dims.set_current_step(0, 2)
    assert not widget.keep.isEnabled()
    with qtbot.waitSignal(widget.controller.problem) as caught:
        widget.controller.keeper.keep(as_objects=True, overwrite=False)
    assert "press Run first" in caught.args[0]


def test_labels_that_were_deleted_are_not_kept(guide, viewer, qtbot):
    told = []
    guide.controller.problem.connect(told.append)
    viewer.layers.remove(guide.controller.layers.labels)
    assert not guide.keep.isEnabled()
    guide.controller.keeper.keep(as_objects=True, overwrite=False)
    qtbot.waitUntil(lambda: not is_busy(guide), timeout=10_000)
    assert told == ["there are no labels to keep yet: press Run first"]
    finish(qtbot, guide, guide.run.click)
    assert guide.keep.isEnabled()


def test_what_is_painted_while_labels_are_being_kept_stays(guide, qtbot, monkeypatch):
    begun, go, add = Event(), Event(), keeping.kept_with

    def slowly(*given):
        kept = add(*given)
        begun.set()
        go.wait(10)
        return kept

    monkeypatch.setattr(keeping, "kept_with", slowly)
    layers = guide.controller.layers
    with qtbot.waitSignal(guide.controller.keeper.kept, timeout=60_000):
        guide.keep.click()
        qtbot.waitUntil(begun.is_set, timeout=60_000)
        layers.kept.data[:20] = 77
        go.set()
    assert (layers.kept.data[:20] == 77).all()
    assert set(np.unique(layers.kept.data[20:])) > {0}


def test_keep_waits_for_a_click(guide, qtbot):
    name = wrong_class(guide)
    guide.controller.choose_class(name)
    guide.as_objects.setChecked(False)
    guide.controller.layers.clicks.add(AT)
    keep(qtbot, guide)
    layers = guide.controller.layers
    assert guide.controller.outcome.report.hints == 1
    np.testing.assert_array_equal(layers.kept.data, layers.labels.data)
    assert guide.controller.classes[layers.kept.data[60, 70]] == name


def test_cancelled_or_undone_nothing_is_kept(guide, qtbot):
    for stop in (guide.cancel, guide.undo):
        click(qtbot, guide, AT, wrong_class(guide))
        guide.controller.layers.clicks.add((5.0, 5.0))
        guide.keep.click()
        stop.click()
        qtbot.waitUntil(lambda: not guide.controller.is_busy, timeout=60_000)
        assert guide.controller.layers.existing("kept") is None


def test_layers_may_be_renamed_reordered_and_deleted(guide, viewer, qtbot):
    layers = guide.controller.layers
    layers.clicks.name = layers.labels.name = "mine"
    viewer.layers.reverse()
    click(qtbot, guide, AT, wrong_class(guide))
    viewer.layers.remove(layers.labels)
    viewer.layers.remove(layers.clicks)
    finish(qtbot, guide, guide.run.click)
    assert layers.labels in viewer.layers
    assert layers.labels.data.any()


def test_deleting_the_image_is_survived(guide, viewer, qtbot):
    guide.controller.layers.clicks.add(AT)
    viewer.layers.remove("tissue")
    qtbot.waitUntil(lambda: not guide.controller.is_busy, timeout=60_000)
    with qtbot.waitSignal(guide.controller.problem) as caught:
        guide.controller.run()
    assert "no image" in caught.args[0]


def test_changes_are_shown_on_demand(guide, qtbot):
    assert guide.controller.layers.existing("changes") is None
    click(qtbot, guide, AT, wrong_class(guide))
    guide.changes.setChecked(True)
    shown = guide.controller.layers.existing("changes")
    assert shown.data.sum() == guide.controller.outcome.report.changed_pixels > 0
    guide.changes.setChecked(False)
    assert not shown.visible


def test_changes_of_all_slices_are_shown(viewer, qtbot, tissue):
    widget = labelled_stack(viewer, qtbot, tissue, 0)
    changed = []
    for index in (0, 1):
        viewer.dims.set_current_step(0, index)
        widget.controller.choose_class(widget.controller.classes[1])
        finish(qtbot, widget, lambda at=index: widget.controller.layers.clicks.add((at, 20, 30)))
        changed.append(widget.controller.outcome.changed)
    widget.changes.setChecked(True)
    shown = widget.controller.layers.existing("changes").data
    assert all(part.any() for part in changed)
    np.testing.assert_array_equal(shown[:2], changed)
    finish(qtbot, widget, widget.undo.click)
    assert not shown[1].any()
    np.testing.assert_array_equal(shown[0], changed[0])


def test_an_unmet_hint_is_ringed(guide, qtbot):
    """A scribble across everything contradicts a click in its middle, which came first."""
    layers = guide.controller.layers
    outcome = guide.controller.outcome
    layers.write_unmet(outcome.part, [AT])
    np.testing.assert_array_equal(layers.unmet.data, [AT])
    click(qtbot, guide, AT, wrong_class(guide))
    assert len(layers.unmet.data) == 0


def test_a_click_outside_is_told_and_harmless(guide, qtbot):
    guide.controller.choose_class("nucleus")
    with (
        qtbot.waitSignal(guide.controller.problem) as caught,
        qtbot.waitSignal(guide.controller.refined, timeout=60_000),
    ):
        guide.controller.layers.clicks.add((-30.0, 5.0))
    assert "outside the image" in caught.args[0]
    assert guide.controller.outcome.report.hints == 0
    assert len(guide.controller.layers.clicks.data) == 0
    with qtbot.assertNotEmitted(guide.controller.problem):
        click(qtbot, guide, AT, "nucleus")
    assert len(guide.controller.session.hints) == 1


def test_the_tab_key_goes_from_top_to_bottom(guide, viewer):
    viewer.window.add_dock_widget(guide).show()
    chosen = guide.classes.checkedButton()
    expected = [guide.run, chosen, guide.point, guide.paint, guide.words.line, guide.asking.ask]
    passed, at = [], guide.run
    while at is not guide.undo:
        passed.append(at)
        at = at.nextInFocusChain()
        assert at is not guide.run
    places = [passed.index(widget) for widget in expected]
    assert places == sorted(places)


def test_other_methods_work_in_the_widget(guide, qtbot):
    finish(qtbot, guide, lambda: guide.advanced.method.setCurrentText("f-brs"))
    name = wrong_class(guide)
    click(qtbot, guide, AT, name)
    assert shown_class(guide) == name
    assert guide.controller.session.method == "f-brs"


@pytest.mark.parametrize("scale", [(2.0, 0.5), (-1.0, 3.0)])
def test_outputs_have_the_geometry_of_the_image(viewer, qtbot, tissue, scale):
    affine = np.array([[0.8, -0.6, 5.0], [0.6, 0.8, -3.0], [0.0, 0.0, 1.0]])
    image = Image(
        tissue,
        rgb=True,
        scale=scale,
        translate=(10, -20),
        rotate=30,
        shear=[0.2],
        affine=affine,
        units=("um", "um"),
        axis_labels=("down", "right"),
        metadata={"patient": "none"},
    )
    viewer.add_layer(image)
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, widget.run.click)
    name = wrong_class(widget)
    click(qtbot, widget, AT, name)
    assert shown_class(widget) == name
    with qtbot.waitSignal(widget.controller.keeper.kept, timeout=60_000):
        widget.keep.click()
    layers = widget.controller.layers
    for layer in (layers.labels, layers.clicks, layers.scribbles, layers.kept):
        for key, value in geometry(image).items():
            told = geometry(layer)[key]
            if key == "affine":
                np.testing.assert_allclose(told.affine_matrix, value.affine_matrix)
            elif key in ("units", "axis_labels", "metadata"):
                assert told == value
            else:
                np.testing.assert_allclose(told, value, atol=1e-12)


def test_any_slice_of_a_stack(viewer, qtbot, tissue):
    stack = np.stack([tissue.mean(-1), tissue[..., 0], tissue[..., 2]]).astype(np.uint8)
    viewer.add_image(stack, name="stack", scale=(4.0, 1.0, 1.0))
    viewer.dims.set_current_step(0, 1)
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, widget.run.click)
    labels = widget.controller.layers.labels
    assert labels.data.shape == stack.shape
    assert labels.data[1].any()
    assert not labels.data[0].any()
    viewer.dims.set_current_step(0, 2)
    assert "not labelled" in widget.status.text()
    widget.controller.choose_class("nucleus")
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add((2.0, *AT)))
    assert labels.data[2, 60, 70] == 1
    assert widget.controller.outcome.report.hints == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_pixels_are_told(viewer, qtbot, bad):
    pixels = np.ones((32, 32), np.float32)
    pixels[3, 4] = bad
    viewer.add_image(pixels, name="bad", contrast_limits=(0, 1))
    widget = open_widget(viewer, qtbot)
    with qtbot.waitSignal(widget.controller.problem, timeout=60_000) as caught:
        widget.run.click()
    assert "NaN, infinite" in caught.args[0]
    assert widget.controller.layers.existing("labels") is None


def test_no_image_is_told(viewer, qtbot):
    widget = open_widget(viewer, qtbot)
    assert not widget.run.isEnabled()
    with qtbot.waitSignal(widget.controller.problem) as caught:
        widget.controller.run()
    assert "open one" in caught.args[0]


def test_a_labels_layer_is_no_image(viewer, qtbot):
    labels = viewer.add_labels(np.zeros((8, 8), int))
    widget = open_widget(viewer, qtbot)
    assert labels not in widget.image.choices
    widget.controller.choose_image(labels)
    with qtbot.waitSignal(widget.controller.problem) as caught:
        widget.controller.run()
    assert "not an image" in caught.args[0]


def test_a_picture_is_corrected_in_the_3d_view_too(guide, viewer, qtbot):
    viewer.dims.ndisplay = 3
    click(qtbot, guide, AT, wrong_class(guide))
    assert "1 of 1 hints satisfied" in guide.status.text()


def test_undo_brings_the_method_back(guide, qtbot):
    finish(qtbot, guide, lambda: guide.advanced.method.setCurrentText("f-brs"))
    click(qtbot, guide, AT, wrong_class(guide))
    finish(qtbot, guide, guide.undo.click)
    assert guide.advanced.method.currentText() == "f-brs"
    finish(qtbot, guide, guide.undo.click)
    assert guide.advanced.method.currentText() == guide.controller.method == "residual"


def test_the_device_can_be_chosen(guide, qtbot):
    assert {guide.advanced.device.itemText(i) for i in range(2)} == {"auto", "cpu"}
    click(qtbot, guide, AT, wrong_class(guide))
    guide.advanced.device.setCurrentText("cpu")
    finish(qtbot, guide, guide.run.click)
    assert str(guide.controller.session.network.device) == "cpu"
    assert guide.controller.outcome.report.hints == 1


def test_the_demo_opens_on_a_device(make_napari_viewer, monkeypatch, qtbot):
    monkeypatch.setattr("napari.Viewer", make_napari_viewer)
    _, widget = open_demo("cpu")
    finish(qtbot, widget, lambda: None)
    assert widget.advanced.device.currentText() == "cpu"
    assert str(widget.controller.session.network.device) == "cpu"
    widget.controller.devices_found.emit(["cuda:7", "cpu"])
    widget.advanced.choose_device("cuda:7")
    device = widget.advanced.device
    offered = [device.itemText(i) for i in range(device.count())]
    assert offered == list(dict.fromkeys(offered))
    assert widget.controller.choice.device == "cuda:7"


def test_devices_are_found_though_loading_torch_is_not_waited_for(guide, qtbot):
    with qtbot.waitSignal(guide.controller.devices_found, timeout=10_000) as caught:
        guide.controller.warm_up()
        guide.cancel.click()
    assert "cpu" in caught.args[0]


def test_what_is_kept_can_be_classes(guide, qtbot):
    guide.as_objects.setChecked(False)
    with qtbot.waitSignal(guide.controller.keeper.kept, timeout=60_000):
        guide.keep.click()
    layers = guide.controller.layers
    np.testing.assert_array_equal(layers.kept.data, layers.labels.data)


def test_opening_the_widget_loads_torch_in_the_background():
    script = """
import sys
import napari
from qtpy.QtTest import QTest
viewer = napari.Viewer(show=False)
_, widget = viewer.window.add_plugin_dock_widget("napari-guideme")
assert "torch" not in sys.modules, "torch was loaded before the widget was shown"
while widget.controller.is_busy:
    QTest.qWait(20)
assert "torch" in sys.modules
viewer.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr


def test_keys_belong_to_our_layers(guide, qtbot):
    click(qtbot, guide, AT, wrong_class(guide))
    keymap = {str(key): action for key, action in guide.controller.layers.clicks.keymap.items()}
    finish(qtbot, guide, lambda: keymap["Ctrl+Z"](guide.controller.layers.clicks))
    assert len(guide.controller.layers.clicks.data) == 0
    before = guide.controller.layers.current_class
    keymap["T"](guide.controller.layers.clicks)
    assert guide.controller.layers.current_class != before
    assert guide.classes.checkedButton().text() == guide.controller.layers.current_class


def test_the_users_own_layers_are_left_alone(viewer, qtbot, tissue):
    viewer.add_image(tissue, rgb=True, name="tissue")
    own = viewer.add_labels(np.ones(tissue.shape[:2], int), name="labels (tissue)")
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, widget.run.click)
    assert (own.data == 1).all()
    assert isinstance(widget.controller.layers.labels, Labels)
    assert widget.controller.layers.labels is not own


def test_the_tool_follows_the_first_labels(viewer, tissue, qtbot):
    viewer.add_image(tissue, rgb=True, name="tissue")
    widget = open_widget(viewer, qtbot)
    found = []
    layers = widget.controller.guide_layers()
    widget.controller.refined.connect(lambda _: found.append(layers.existing("clicks")))
    finish(qtbot, widget, widget.run.click)
    assert found == [None]
    qtbot.waitUntil(lambda: layers.existing("clicks") is not None)
    qtbot.waitUntil(lambda: viewer.layers.selection.active is layers.clicks)
    assert layers.clicks.mode == "add"


def test_a_tool_that_was_chosen_meanwhile_stays_in_hand(viewer, tissue, qtbot):
    viewer.add_image(tissue, rgb=True, name="tissue")
    widget = open_widget(viewer, qtbot)

    def run_and_paint():
        widget.run.click()
        widget.paint.click()

    finish(qtbot, widget, run_and_paint)
    assert viewer.layers.selection.active is widget.controller.layers.existing("scribbles")


def test_labels_that_are_kept_already_are_told(guide, qtbot, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr("napari_guideme.widgets.guide.show_info", told.append)
    for _ in range(2):
        with qtbot.waitSignal(guide.controller.keeper.kept, timeout=60_000):
            guide.keep.click()
    assert told[0].startswith("Labels kept: ")
    assert told[1] == "There is nothing new to keep."


def test_to_find_something_else_begins_anew(guide):
    assert guide.status.text()
    guide.tabs.setCurrentIndex(1)
    assert not guide.status.text()
    guide.tabs.setCurrentIndex(0)
    assert guide.status.text().startswith("Now choose a class")
