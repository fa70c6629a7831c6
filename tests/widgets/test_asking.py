from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Points
from qtpy.QtCore import Qt
from skimage.data import immunohistochemistry

from napari_guideme.guidance.questions import NOT_SURE, Question
from napari_guideme.widgets.asking import Asker
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Asked
from napari_guideme.widgets.flight import camera_of
from napari_guideme.widgets.geometry import geometry

from .conftest import finish, open_widget


@pytest.fixture
def asking(guide, qtbot):
    """The widget with its first question on display."""
    wait_for_question(qtbot, guide, guide.asking.ask.click)
    return guide


def asker_of(widget) -> Asker:
    return widget.asking.asker


def wait_for_question(qtbot, widget, action) -> Question:
    """Do something and wait for the question that follows from it."""
    with qtbot.waitSignal(
        asker_of(widget).asked, timeout=60_000, check_params_cb=lambda asked: asked is not None
    ):
        action()
    settle(qtbot, widget)
    return asker_of(widget).question.question


def settle(qtbot, widget) -> None:
    qtbot.waitUntil(
        lambda: not (widget.controller.is_busy or asker_of(widget).is_busy), timeout=60_000
    )


def at_ring(widget) -> tuple[int, ...]:
    return asker_of(widget).question.question.position


def press(qtbot, viewer, key) -> None:
    qtbot.keyClick(viewer.window._qt_viewer.canvas.native, key)


def ring_of(viewer) -> Points | None:
    return next((layer for layer in viewer.layers if layer.name.startswith("question")), None)


def test_the_first_question_rings_a_pixel_and_offers_all_classes(asking, viewer):
    ring = ring_of(viewer)
    np.testing.assert_array_equal(ring.data, [at_ring(asking)] * 2)
    assert viewer.layers.selection.active is ring
    np.testing.assert_allclose(camera_of(viewer).center[-2:], at_ring(asking))
    buttons = [button.text() for button in asking.asking.candidates]
    names = asker_of(asking).question.question.classes
    assert buttons == [f"{n}   {name}" for n, name in enumerate(names, start=1)]
    assert set(names) == set(asking.controller.classes)
    assert asking.asking.others.isHidden()
    assert "No answers" in asking.asking.told.text()


def test_the_most_probable_class_comes_first(asking):
    probabilities = asking.controller.session.probabilities()
    order = np.argsort(-probabilities[(slice(None), *at_ring(asking))])
    names = [asking.controller.classes[index] for index in order]
    assert list(asker_of(asking).question.question.classes) == names


@pytest.mark.parametrize("way", ["button", "key"])
def test_an_answer_is_a_click_and_the_next_question_comes_by_itself(asking, viewer, qtbot, way):
    first, name = at_ring(asking), asker_of(asking).question.question.classes[1]
    chosen = asking.controller.layers.current_class
    if way == "button":
        action = asking.asking.candidates[1].click
    else:
        action = lambda: press(qtbot, viewer, Qt.Key.Key_2)  # noqa: E731
    second = wait_for_question(qtbot, asking, action)
    clicks = asking.controller.layers.clicks
    np.testing.assert_array_equal(clicks.data, [first])
    assert list(clicks.features["class"]) == [name]
    assert asking.controller.layers.labels.data[first] == asking.controller.classes.index(name)
    assert asking.controller.layers.current_class == chosen
    assert second.position != first
    assert "1 answer " in asking.asking.told.text()
    assert viewer.layers.selection.active is ring_of(viewer)


def test_keys_also_work_from_the_panel(asking, qtbot):
    """Keys that no widget wants reach the viewer."""
    asking.asking.stop.setFocus()
    wait_for_question(qtbot, asking, lambda: qtbot.keyClick(asking.asking.stop, Qt.Key.Key_1))
    assert len(asking.controller.layers.clicks.data) == 1


def test_undo_takes_an_answer_back_and_asks_again(asking, viewer, qtbot):
    labels = asking.controller.layers.labels.data.copy()
    first = at_ring(asking)
    wait_for_question(qtbot, asking, asking.asking.candidates[1].click)
    assert asker_of(asking).answered == 1
    ring = ring_of(viewer)
    undo = {str(key): action for key, action in ring.keymap.items()}["Ctrl+Z"]
    wait_for_question(qtbot, asking, lambda: undo(ring))
    assert at_ring(asking) == first
    assert asker_of(asking).answered == 0
    assert len(asking.controller.layers.clicks.data) == 0
    np.testing.assert_array_equal(asking.controller.layers.labels.data, labels)
    wait_for_question(qtbot, asking, asking.redo.click)
    assert asker_of(asking).answered == 1


def test_not_sure_moves_on_elsewhere_and_says_nothing(asking, viewer, qtbot):
    seen = [at_ring(asking)]
    for action in (
        asking.asking.not_sure.click,
        lambda: press(qtbot, viewer, Qt.Key.Key_0),
    ):
        wait_for_question(qtbot, asking, action)
        distance = [np.linalg.norm(np.subtract(at_ring(asking), at)) for at in seen]
        assert min(distance) > NOT_SURE * 160
        seen.append(at_ring(asking))
    assert len(asking.controller.layers.clicks.data) == 0
    assert not asking.controller.session.can_undo


def test_stop_gives_camera_tool_and_keys_back(guide, viewer, qtbot):
    guide.point.click()
    camera_of(viewer).center, camera_of(viewer).zoom = (0, 30, 40), 2.5
    before = list(viewer.layers)
    wait_for_question(qtbot, guide, guide.asking.ask.click)
    wait_for_question(qtbot, guide, guide.asking.candidates[0].click)
    assert camera_of(viewer).zoom != 2.5
    press(qtbot, viewer, Qt.Key.Key_Escape)
    assert list(viewer.layers) == before
    clicks = guide.controller.layers.clicks
    assert viewer.layers.selection.active is clicks
    assert clicks.mode == "add"
    np.testing.assert_allclose(camera_of(viewer).center[-2:], (30, 40))
    assert camera_of(viewer).zoom == 2.5
    assert len(clicks.data) == 1
    assert guide.asking.ask.isVisibleTo(guide)
    assert not guide.asking.stop.isVisibleTo(guide)
    press(qtbot, viewer, Qt.Key.Key_4)
    assert clicks.mode == "pan_zoom"
    assert len(clicks.data) == 1


def test_a_view_that_the_user_chose_is_kept(asking, viewer, qtbot):
    camera_of(viewer).zoom = 11.0
    wait_for_question(qtbot, asking, asking.asking.candidates[0].click)
    assert camera_of(viewer).zoom == pytest.approx(11)
    np.testing.assert_allclose(camera_of(viewer).center[-2:], at_ring(asking))
    camera_of(viewer).center = (0, 5, 6)
    asking.asking.stop.click()
    np.testing.assert_allclose(camera_of(viewer).center[-2:], (5, 6))


def test_the_ring_does_not_stretch_the_view_of_the_whole_image(asking, viewer):
    viewer.reset_view()
    with_ring = camera_of(viewer).zoom
    asking.asking.stop.click()
    viewer.reset_view()
    assert with_ring == pytest.approx(camera_of(viewer).zoom, rel=0.1)


def test_the_surrounding_is_seen(viewer, qtbot):
    """A third of a large image, and not less than 160 pixels of a small one."""
    viewer.add_image(immunohistochemistry(), rgb=True, name="tissue")
    widget = open_widget(viewer, qtbot)
    viewer.reset_view()
    whole = camera_of(viewer).zoom
    wait_for_question(qtbot, widget, widget.asking.ask.click)
    near = camera_of(viewer).zoom
    assert near == pytest.approx(3 * whole, rel=0.05)
    wait_for_question(qtbot, widget, widget.asking.not_sure.click)
    assert camera_of(viewer).zoom == near


def test_the_ring_can_be_found_again(asking, viewer, qtbot):
    camera_of(viewer).center = (0, 500, 600)
    asking.asking.show_ring.click()
    settle(qtbot, asking)
    np.testing.assert_allclose(camera_of(viewer).center[-2:], at_ring(asking))


def test_one_set_of_classes_is_shown_at_a_time(asking):
    assert not asking._class_box.isVisibleTo(asking)
    asking.asking.stop.click()
    assert asking._class_box.isVisibleTo(asking)


def test_a_network_that_has_not_run_yet_runs_first(viewer, qtbot, tissue):
    image = viewer.add_image(tissue, rgb=True, name="tissue")
    widget = open_widget(viewer, qtbot)
    wait_for_question(qtbot, widget, widget.asking.ask.click)
    assert widget.controller.layers.labels.data.any()
    widget.asking.stop.click()
    assert viewer.layers.selection.active is image


def test_without_an_image_the_user_is_told(viewer, qtbot):
    widget = open_widget(viewer, qtbot)
    with qtbot.waitSignal(widget.controller.problem) as caught:
        widget.asking.ask.click()
    assert "open one" in caught.args[0]
    assert not asker_of(widget).is_asking


def test_an_image_that_cannot_be_used_ends_the_asking(viewer, qtbot):
    pixels = np.ones((32, 32), np.float32)
    pixels[3, 4] = np.nan
    viewer.add_image(pixels, name="bad", contrast_limits=(0, 1))
    widget = open_widget(viewer, qtbot)
    with qtbot.waitSignal(widget.controller.problem, timeout=60_000) as caught:
        widget.asking.ask.click()
    assert "NaN" in caught.args[0]
    qtbot.waitUntil(lambda: not asker_of(widget).is_asking, timeout=10_000)


def test_where_nothing_is_uncertain_there_is_nothing_to_ask(guide, qtbot, monkeypatch):
    """Every pixel answered: nothing is open."""
    monkeypatch.setattr("napari_guideme.guidance.questions.CERTAIN", 0.0)
    with qtbot.waitSignal(asker_of(guide).asking, check_params_cb=lambda on: not on):
        guide.asking.ask.click()
        qtbot.waitUntil(lambda: not asker_of(guide).is_asking, timeout=60_000)
    assert "Nothing is uncertain" in guide.asking.told.text()
    assert guide.asking.ask.isVisibleTo(guide)


def test_a_click_of_the_users_own_leads_to_another_question(asking, viewer, qtbot):
    """The question is found anew, and the tool stays in the hand."""
    old = asker_of(asking).question
    asking.controller.choose_class("nucleus")
    clicks = asking.controller.layers.clicks
    viewer.layers.selection.active = clicks
    wait_for_question(qtbot, asking, lambda: clicks.add(tuple(map(float, at_ring(asking)))))
    assert asker_of(asking).question is not old
    assert asker_of(asking).answered == 0
    assert viewer.layers.selection.active is clicks


def test_a_question_for_a_state_that_is_past_is_dropped(asking, qtbot):
    old = asker_of(asking).question
    wait_for_question(qtbot, asking, asking.asking.candidates[1].click)
    new = asker_of(asking).question
    asker_of(asking)._on_question(old)
    assert asker_of(asking).question is new


def test_cancelling_the_refinement_ends_the_asking(guide, qtbot):
    guide.advanced.method.setCurrentText("guide-me")
    settle(qtbot, guide)
    wait_for_question(qtbot, guide, guide.asking.ask.click)
    guide.asking.candidates[1].click()
    qtbot.waitUntil(lambda: guide.controller.job._worker is not None, timeout=10_000)
    guide.cancel.click()
    qtbot.waitUntil(lambda: not asker_of(guide).is_asking, timeout=60_000)
    settle(qtbot, guide)
    assert len(guide.controller.layers.clicks.data) == 1


def test_two_answers_at_once_count_once(asking, viewer, qtbot):
    def twice() -> None:
        press(qtbot, viewer, Qt.Key.Key_1)
        press(qtbot, viewer, Qt.Key.Key_1)

    wait_for_question(qtbot, asking, twice)
    assert len(asking.controller.layers.clicks.data) == 1


def test_a_key_without_a_candidate_does_nothing(asking, viewer, qtbot):
    press(qtbot, viewer, Qt.Key.Key_9)
    assert len(asking.controller.layers.clicks.data) == 0
    assert asker_of(asking).question is not None


def test_deleting_the_ring_stops(asking, viewer):
    viewer.layers.remove(ring_of(viewer))
    assert not asker_of(asking).is_asking
    assert ring_of(viewer) is None


def test_deleting_the_image_stops(asking, viewer, qtbot):
    viewer.layers.remove("tissue")
    assert not asker_of(asking).is_asking
    assert ring_of(viewer) is None
    settle(qtbot, asking)


def test_closing_the_widget_takes_the_ring_away(asking, viewer):
    asking.close()
    assert ring_of(viewer) is None


def test_questions_are_about_the_slice_that_is_shown(viewer, qtbot, tissue):
    stack = np.stack([tissue[..., 0], tissue.mean(-1), tissue[..., 2]]).astype(np.uint8)
    viewer.add_image(stack, name="stack", scale=(4.0, 1.0, 1.0))
    viewer.dims.set_current_step(0, 1)
    widget = open_widget(viewer, qtbot)
    wait_for_question(qtbot, widget, widget.asking.ask.click)
    first = (1, *at_ring(widget))
    np.testing.assert_array_equal(ring_of(viewer).data[0], first)
    # The user looks at a neighbour before answering.
    viewer.dims.set_current_step(0, 2)
    assert asker_of(widget).question is not None
    wait_for_question(qtbot, widget, widget.asking.candidates[1].click)
    assert viewer.dims.current_step[0] == 1
    np.testing.assert_array_equal(widget.controller.layers.clicks.data, [first])
    assert not widget.controller.layers.labels.data[2].any()
    np.testing.assert_array_equal(ring_of(viewer).data[0], (1, *at_ring(widget)))


def test_other_axes_are_shown_again_for_the_answer(viewer, qtbot, tissue):
    viewer.add_image(np.stack([tissue[..., 0]] * 40), name="stack")
    widget = open_widget(viewer, qtbot)
    wait_for_question(qtbot, widget, widget.asking.ask.click)
    part = asker_of(widget).question.part
    viewer.dims.order = (1, 0, 2)
    widget.asking.show_ring.click()
    settle(qtbot, widget)
    assert viewer.dims.displayed == part.axes == (1, 2)
    assert viewer.dims.current_step[0] == part.index[0]


def test_the_ring_is_where_the_pixel_is_in_the_world(viewer, qtbot, tissue):
    affine = np.array([[0.8, -0.6, 5.0], [0.6, 0.8, -3.0], [0.0, 0.0, 1.0]])
    image = Image(tissue, rgb=True, scale=(2.0, 0.5), translate=(10, -20), rotate=30, affine=affine)
    viewer.add_layer(image)
    widget = open_widget(viewer, qtbot)
    wait_for_question(qtbot, widget, widget.asking.ask.click)
    ring = ring_of(viewer)
    world = image.data_to_world(at_ring(widget))
    np.testing.assert_allclose(ring.data_to_world(ring.data[0]), world)
    np.testing.assert_allclose(camera_of(viewer).center[-2:], world)
    np.testing.assert_allclose(geometry(ring)["scale"], (2.0, 0.5))


def test_of_many_classes_the_likeliest_are_buttons_and_the_rest_a_list(asking, qtbot, monkeypatch):
    names = [f"class {n}" for n in range(12)]
    monkeypatch.setattr(Controller, "classes", property(lambda self: tuple(names)))
    told = asker_of(asking).question
    likely = Question(told.question.position, tuple(names[5:10]))
    asker_of(asking).asked.emit(Asked(told.part, told.session, told.hints, likely))
    panel = asking.asking
    assert [button.text() for button in panel.candidates] == [
        f"{n}   {name}" for n, name in enumerate(names[5:10], start=1)
    ]
    listed = [panel.others.itemText(i) for i in range(1, panel.others.count())]
    assert listed == names[:5] + names[10:]
    assert panel.others.isVisibleTo(asking)
    answers = []
    monkeypatch.setattr(panel.asker, "answer", answers.append)
    panel.others.textActivated.emit(panel.others.currentText())
    panel.others.setCurrentIndex(6)
    panel.others.textActivated.emit(panel.others.currentText())
    assert answers == [names[10]]


def test_choosing_another_device_does_not_disturb(asking, qtbot):
    """Its session starts anew, with the same hints."""
    asking.advanced.device.setCurrentText("cpu")
    wait_for_question(qtbot, asking, asking.asking.candidates[1].click)
    assert len(asking.controller.layers.clicks.data) == 1
    assert asker_of(asking).answered == 1


def test_running_again_asks_again(asking, qtbot):
    position = at_ring(asking)
    wait_for_question(qtbot, asking, lambda: finish(qtbot, asking, asking.run.click))
    assert at_ring(asking) == position
