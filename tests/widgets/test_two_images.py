"""Work goes on in the image whose layers the user works in."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2gray

from .conftest import finish, is_busy, open_widget


@pytest.fixture
def two(viewer, tissue, qtbot):
    """The widget beside a picture, which was run, and a stack, which is chosen now."""
    viewer.add_image(tissue, rgb=True, name="picture")
    viewer.add_image(np.stack([rgb2gray(tissue)] * 2), name="stack")
    widget = open_widget(viewer, qtbot)
    widget.image.value = viewer.layers["picture"]
    finish(qtbot, widget, widget.run.click)
    widget.first = widget.controller.layers
    qtbot.waitUntil(lambda: viewer.layers.selection.active is widget.first.clicks)
    widget.image.value = viewer.layers["stack"]
    return widget


def labels(layers) -> np.ndarray:
    return np.asarray(layers.labels.data)


def test_a_click_in_the_layer_of_another_image_counts_there(two, viewer, qtbot):
    at = tuple(np.argwhere(labels(two.first) == 0)[0].astype(float))
    two.first.choose_class("nucleus")
    finish(qtbot, two, lambda: two.first.clicks.add(at))
    assert two.image.value is viewer.layers["picture"]
    assert labels(two.first)[tuple(map(int, at))] == 1
    assert not any("stack" in layer.name and layer.name != "stack" for layer in viewer.layers)
    finish(qtbot, two, two.undo.click)
    assert len(two.first.clicks.data) == 0


def test_the_tool_of_another_image_is_laid_down(two, viewer, qtbot):
    assert viewer.layers.selection.active is viewer.layers["stack"]
    finish(qtbot, two, two.run.click)
    second = two.controller.layers
    assert second is not two.first
    qtbot.waitUntil(lambda: viewer.layers.selection.active is second.existing("clicks"))
    two.image.value = viewer.layers["picture"]
    assert viewer.layers.selection.active is two.first.clicks
    # What is no tool stays in the user's hand.
    viewer.layers.selection.active = two.first.labels
    two.image.value = viewer.layers["stack"]
    assert viewer.layers.selection.active is two.first.labels


def test_each_image_has_its_class_at_hand(two, viewer, qtbot):
    two.image.value = viewer.layers["picture"]
    two.controller.choose_class("border")
    two.image.value = viewer.layers["stack"]
    finish(qtbot, two, two.run.click)
    qtbot.waitUntil(lambda: two.controller.layers.existing("clicks") is not None)
    two.controller.choose_class("nucleus")
    assert two.classes.checkedButton().text() == "nucleus"
    two.image.value = viewer.layers["picture"]
    assert two.classes.checkedButton().text() == two.first.current_class == "border"


def test_keys_of_a_layer_are_about_its_image(two, viewer, qtbot):
    at = tuple(np.argwhere(labels(two.first) == 0)[0].astype(float))
    finish(qtbot, two, lambda: two.first.clicks.add(at))
    two.image.value = viewer.layers["stack"]
    finish(qtbot, two, two.run.click)
    undo = {str(key): action for key, action in two.first.clicks.keymap.items()}["Ctrl+Z"]
    finish(qtbot, two, lambda: undo(two.first.clicks))
    assert two.image.value is viewer.layers["picture"]
    assert len(two.first.clicks.data) == 0


def test_undo_is_about_the_image_that_is_chosen(two, viewer, qtbot):
    """Each image has its layers at hand at once, not only after it is refined again."""
    at = tuple(np.argwhere(labels(two.first) == 0)[0].astype(float))
    before = labels(two.first).copy()
    two.first.choose_class("border")
    finish(qtbot, two, lambda: two.first.clicks.add(at))
    clicked = labels(two.first).copy()
    assert (clicked != before).any()
    two.image.value = viewer.layers["stack"]
    finish(qtbot, two, two.run.click)
    second = labels(two.controller.layers).copy()
    two.image.value = viewer.layers["picture"]
    finish(qtbot, two, two.undo.click)
    assert len(two.first.clicks.data) == 0
    np.testing.assert_array_equal(labels(two.first), before)
    finish(qtbot, two, two.redo.click)
    np.testing.assert_array_equal(labels(two.first), clicked)
    two.image.value = viewer.layers["stack"]
    np.testing.assert_array_equal(labels(two.controller.layers), second)


def test_what_is_computed_for_an_image_is_shown_there_though_another_is_chosen(two, viewer, qtbot):
    two.image.value = viewer.layers["picture"]
    at = tuple(np.argwhere(labels(two.first) == 0)[0].astype(float))
    two.first.choose_class("border")
    two.first.clicks.add(at)
    two.image.value = viewer.layers["stack"]
    qtbot.waitUntil(lambda: labels(two.first)[tuple(map(int, at))] == 2, timeout=60_000)
    assert two.image.value is viewer.layers["stack"]
    assert two.controller.layers is None


def test_clicks_of_another_network_wait_and_say_so(two, viewer, qtbot):
    told = []
    two.controller.problem.connect(told.append)
    two.network.combo.setCurrentText("click")
    two.network.chosen.emit("click")
    qtbot.waitUntil(lambda: not is_busy(two), timeout=60_000)
    before = labels(two.first).copy()
    two.first.choose_class("border")
    at = tuple(np.argwhere(before == 0)[0].astype(float))
    two.first.clicks.add(at)
    qtbot.waitUntil(lambda: not is_busy(two), timeout=60_000)
    assert told == [
        "This is about picture. Choose that as image and network, or find that name again, and "
        "it counts."
    ]
    assert two.image.value is viewer.layers["stack"]
    np.testing.assert_array_equal(labels(two.first), before)
    two.image.value = viewer.layers["picture"]
    two.network.chosen.emit("nuclei")
    finish(qtbot, two, two.run.click)
    assert labels(two.first)[tuple(map(int, at))] == 2


def test_what_was_done_is_told_again(two, viewer, qtbot):
    assert two.status.text().startswith("This slice is not labelled yet")
    two.image.value = viewer.layers["picture"]
    assert two.status.text().startswith("Now choose a class")
    finish(qtbot, two, lambda: two.first.clicks.add((40, 40)))
    told = two.status.text()
    assert told.startswith("1 of 1 hints")
    two.image.value = viewer.layers["stack"]
    finish(qtbot, two, two.run.click)
    viewer.dims.set_current_step(0, 1 - viewer.dims.current_step[0])
    assert two.status.text().startswith("This slice is not labelled yet")
    viewer.dims.set_current_step(0, 1 - viewer.dims.current_step[0])
    assert two.status.text().startswith("Now choose a class")
    two.image.value = viewer.layers["picture"]
    assert two.status.text() == told
