from __future__ import annotations

import gc

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_guideme import Click, GuideSession
from napari_guideme.networks.preparation import Preparation
from napari_guideme.widgets.carry_words import fitted, summary, told
from napari_guideme.widgets.stacks import Stack
from tests import toys

from .conftest import finish, is_busy, open_widget

#: Slices of the small stack, and the one that is corrected.
COUNT, MIDDLE = 7, 3
SCALE = (0.29, 0.26, 0.26)


@pytest.fixture
def stack(viewer, nuclei, qtbot):
    """The widget on a stack, its middle slice labelled."""
    turned = np.eye(4)
    turned[1:3, 1:3] = [[0.8, -0.6], [0.6, 0.8]]
    viewer.add_image(nuclei, name="nuclei", scale=SCALE, affine=turned)
    viewer.dims.set_current_step(0, MIDDLE)
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, widget.run.click)
    return widget


def settle(qtbot, widget):
    """Wait until nothing is computed any more."""
    qtbot.waitUntil(lambda: not is_busy(widget), timeout=120_000)
    qtbot.wait(150)


def choose(widget, extent: str) -> None:
    next(b for b in widget.carry.extents.buttons() if b.objectName() == extent).click()


def wrong_place(widget, index: int = MIDDLE) -> tuple[tuple[float, ...], str]:
    """A pixel in the middle of a nucleus, to be called background."""
    labels = np.asarray(widget.controller.layers.labels.data[index])
    rows, columns = np.nonzero(labels == 1)
    nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return (index, float(rows[nearest]), float(columns[nearest])), "background"


def correct(qtbot, widget, index: int = MIDDLE) -> tuple[float, ...]:
    at, name = wrong_place(widget, index)
    widget.controller.choose_class(name)
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add(at))
    settle(qtbot, widget)
    return at


def states(widget) -> list[str]:
    return [state.state for state in widget.carry.carrier.board.states]


def volume(widget):
    board = widget.carry.carrier.board
    return widget.controller.sessions.volume(board.choice, board.stack)


def labels(widget) -> np.ndarray:
    return np.array(widget.controller.layers.labels.data)


# -- carrying -------------------------------------------------------------------


def test_a_correction_stays_on_its_slice_by_default(stack, qtbot):
    correct(qtbot, stack)
    assert [i for i in range(COUNT) if labels(stack)[i].any()] == [MIDDLE]
    assert states(stack).count("corrected") == 1
    assert set(states(stack)) == {"corrected", "own"}


def test_a_correction_is_carried_onward(stack, qtbot):
    correct(qtbot, stack)
    before = labels(stack)
    choose(stack, "onward")
    settle(qtbot, stack)
    after, session = labels(stack), volume(stack)
    np.testing.assert_array_equal(after[MIDDLE], before[MIDDLE])
    reached = [i for i, state in enumerate(states(stack)) if state in ("carried", "doubtful")]
    assert MIDDLE - 1 in reached
    assert MIDDLE + 1 in reached
    for index in reached:
        np.testing.assert_array_equal(after[index], session.carried_labels(index))
    assert "Carried to slice" in stack.carry.told.text()


def test_a_slice_that_got_labels_is_not_said_to_have_none(stack, viewer, qtbot):
    viewer.dims.set_current_step(0, MIDDLE + 1)
    assert stack.status.text().startswith("This slice is not labelled yet")
    stack.carry.all.click()
    settle(qtbot, stack)
    assert stack.status.text().startswith("Now choose a class")
    for index in (MIDDLE, MIDDLE + 2):
        viewer.dims.set_current_step(0, index)
        assert stack.status.text().startswith("Now choose a class")


def test_undo_and_redo_take_what_was_carried_along(stack, qtbot):
    choose(stack, "onward")
    blank = labels(stack)
    correct(qtbot, stack)
    carried, told_states = labels(stack), states(stack)
    assert (carried[MIDDLE + 1] != blank[MIDDLE + 1]).any()
    finish(qtbot, stack, stack.undo.click)
    settle(qtbot, stack)
    np.testing.assert_array_equal(labels(stack), blank)
    assert set(states(stack)) == {"own"}
    finish(qtbot, stack, stack.redo.click)
    settle(qtbot, stack)
    np.testing.assert_array_equal(labels(stack), carried)
    assert states(stack) == told_states


def test_this_slice_again_takes_back_what_was_carried(stack, qtbot):
    correct(qtbot, stack)
    before = labels(stack)
    for extent in ("volume", "slice"):
        choose(stack, extent)
        settle(qtbot, stack)
    after = labels(stack)
    np.testing.assert_array_equal(after[MIDDLE], before[MIDDLE])
    assert "carried" not in states(stack)


def test_a_click_on_a_carried_slice_starts_from_it_and_is_not_overwritten(stack, viewer, qtbot):
    choose(stack, "onward")
    correct(qtbot, stack)
    there = MIDDLE + 1
    carried = volume(stack).carried_labels(there).copy()
    viewer.dims.set_current_step(0, there)
    at = correct(qtbot, stack, there)
    session = stack.controller.session
    np.testing.assert_array_equal(session.history.entries[0].hints, [])
    own = volume(stack).planes.scene(there).logits.argmax(0).numpy()
    corrected = labels(stack)[there]
    assert corrected[tuple(int(x) for x in at[1:])] == 0
    assert (corrected != carried).sum() < (corrected != own).sum()
    assert states(stack)[there] == "corrected"
    finish(qtbot, stack, stack.undo.click)
    settle(qtbot, stack)
    np.testing.assert_array_equal(labels(stack)[there], carried)
    assert states(stack)[there] == "carried"
    finish(qtbot, stack, stack.redo.click)
    settle(qtbot, stack)
    np.testing.assert_array_equal(labels(stack)[there], corrected)
    viewer.dims.set_current_step(0, MIDDLE)
    finish(qtbot, stack, stack.undo.click)
    settle(qtbot, stack)
    np.testing.assert_array_equal(labels(stack)[there], corrected)
    assert states(stack)[MIDDLE] in ("carried", "doubtful", "own")


def test_a_cancel_leaves_the_labels_as_they_were(stack, qtbot):
    correct(qtbot, stack)
    before, carrier = labels(stack), stack.carry.carrier
    with qtbot.waitSignal(carrier.job.stepped, timeout=60_000):
        choose(stack, "volume")
    stack.cancel.click()
    settle(qtbot, stack)
    np.testing.assert_array_equal(labels(stack), before)
    assert states(stack).count("corrected") == 1
    assert "carried" not in states(stack)


def test_a_click_goes_first_and_carrying_goes_on_afterwards(stack, qtbot):
    correct(qtbot, stack)
    with qtbot.waitSignal(stack.carry.carrier.job.stepped, timeout=60_000):
        choose(stack, "volume")
    stack.controller.choose_class("nucleus")
    finish(qtbot, stack, lambda: stack.controller.layers.clicks.add((MIDDLE, 3.0, 3.0)))
    settle(qtbot, stack)
    assert stack.controller.outcome.report.hints == 2
    assert labels(stack)[MIDDLE, 3, 3] == 1
    assert not set(range(COUNT)) - {MIDDLE} - set(volume(stack).carried)


def test_all_slices_are_labelled_in_the_background(stack, qtbot):
    stack.carry.all.click()
    settle(qtbot, stack)
    for index in range(COUNT):
        own = volume(stack).planes.scene(index).logits.argmax(0).numpy()
        np.testing.assert_array_equal(labels(stack)[index], own)
    assert {cell.state for cell in stack.carry.strip.cells} == {"own"}


@pytest.mark.parametrize("role", ["image", "labels"])
def test_removing_a_layer_while_carrying_is_survived(stack, viewer, qtbot, role):
    correct(qtbot, stack)
    layers = stack.controller.layers
    with qtbot.waitSignal(stack.carry.carrier.job.stepped, timeout=60_000):
        choose(stack, "volume")
    count = len(viewer.layers)
    viewer.layers.remove(layers.image if role == "image" else layers.labels)
    settle(qtbot, stack)
    assert len(viewer.layers) == count - 1
    assert stack.carry.carrier.board is None


def test_another_network_stops_carrying(stack, qtbot):
    correct(qtbot, stack)
    before, layers = labels(stack), stack.controller.layers
    with qtbot.waitSignal(stack.carry.carrier.job.stepped, timeout=60_000):
        choose(stack, "volume")
    stack.network.chosen.emit("click")
    settle(qtbot, stack)
    np.testing.assert_array_equal(layers.labels.data, before)
    assert stack.carry.isHidden()


def test_another_axis_is_another_stack(stack, viewer, qtbot):
    correct(qtbot, stack)
    before = labels(stack)
    with qtbot.waitSignal(stack.carry.carrier.job.stepped, timeout=60_000):
        choose(stack, "volume")
    viewer.dims.order = (1, 0, 2)
    settle(qtbot, stack)
    np.testing.assert_array_equal(labels(stack), before)
    assert len(stack.carry.strip.cells) == 96
    assert stack.carry.carrier.board is None


def test_closing_the_widget_stops_carrying(stack, viewer, qtbot):
    correct(qtbot, stack)
    carrier = stack.carry.carrier
    with qtbot.waitSignal(carrier.job.stepped, timeout=60_000):
        choose(stack, "volume")
    stack.close()
    qtbot.waitUntil(lambda: not carrier.is_busy, timeout=10_000)
    gc.collect()


def test_spacing_is_that_of_the_world(stack):
    board = stack.carry.carrier.board
    np.testing.assert_allclose(board.stack.spacing, SCALE)
    assert volume(stack).planes.thickness == pytest.approx(0.29 / 0.26)


def test_pixels_of_a_slice_are_as_large_as_in_the_world(viewer, nuclei, qtbot):
    viewer.add_image(nuclei, name="nuclei", scale=(2, 3, 1))
    viewer.dims.set_current_step(0, MIDDLE)
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, widget.run.click)
    at = correct(qtbot, widget)
    session = volume(widget).session(MIDDLE)
    alone = GuideSession(nuclei[MIDDLE], session.network, spacing=(3, 1))
    alone.add(Click(at[1:], "background"))
    for _ in alone.refine():
        pass
    assert session.spacing == alone.spacing == pytest.approx((3**0.5, 3**-0.5))
    np.testing.assert_array_equal(session.probabilities(), alone.probabilities())


def test_the_last_slider_is_carried_along(viewer, nuclei):
    film = np.stack([nuclei[:2], nuclei[2:4]])
    layer = viewer.add_image(film, scale=(1, 4, 2, 1))
    viewer.dims.set_current_step(0, 1)
    from napari_guideme.widgets.slices import shown_slice

    stack = Stack.of(shown_slice(viewer, layer))
    assert stack.axis == 1
    assert stack.volume.shape == (2, 96, 112)
    np.testing.assert_array_equal(stack.volume[1, :, :], film[1, 1])
    assert stack.spacing == (4, 2, 1)


# -- words ----------------------------------------------------------------------


def test_a_sentence_is_told_onward_and_taken_back(stack, viewer, qtbot):
    settle(qtbot, stack)
    choose(stack, "onward")
    settle(qtbot, stack)
    before = labels(stack)
    stack.words.line.setText("there is no nucleus at the bottom left")
    finish(qtbot, stack, lambda: qtbot.keyClick(stack.words.line, Qt.Key.Key_Return))
    settle(qtbot, stack)
    (hint,) = stack.controller.session.hints
    place = hint.mask(before.shape[1:])
    after, session = labels(stack), volume(stack)
    assert (after[MIDDLE][place] == 1).sum() < (before[MIDDLE][place] == 1).sum()
    reached = [i for i, state in enumerate(states(stack)) if state in ("carried", "doubtful")]
    assert {MIDDLE - 1, MIDDLE + 1} <= set(reached)
    for index in reached:
        own = GuideSession(np.asarray(stack.image.value.data[index]), session.network).predict()
        assert (after[index][place] == 1).sum() < (own[place] == 1).sum()
        np.testing.assert_array_equal(after[index], session.carried_labels(index))
    assert stack.carry.told.text().startswith("Carried to slice")
    finish(qtbot, stack, stack.undo.click)
    settle(qtbot, stack)
    np.testing.assert_array_equal(labels(stack), before)
    assert set(states(stack)) == {"own"}
    finish(qtbot, stack, stack.redo.click)
    settle(qtbot, stack)
    np.testing.assert_array_equal(labels(stack), after)


# -- the strip ------------------------------------------------------------------


def test_the_strip_leads_to_slices(stack, viewer, qtbot):
    correct(qtbot, stack)
    strip = stack.carry.strip
    assert strip.shown == MIDDLE
    assert [cell.state for cell in strip.cells] == [
        "corrected" if index == MIDDLE else "none" for index in range(COUNT)
    ]
    strip.picked.emit(strip.at(0))
    assert viewer.dims.current_step[0] == 0
    assert strip.shown == 0
    assert "not labelled" in strip.cells[0].told


def test_many_slices_share_pixels_and_doubt_is_seen(qtbot):
    from napari_guideme.widgets.strip import Cell, Strip

    strip = Strip()
    qtbot.addWidget(strip)
    strip.resize(100, 33)
    cells = [Cell("own", "")] * 1000
    cells[503] = Cell("doubtful", "")
    strip.show_cells(cells, 999)
    assert strip.at(50) == 503
    strip.grab()


def test_next_doubtful_goes_round(stack, viewer, qtbot):
    from dataclasses import replace

    correct(qtbot, stack)
    board = stack.carry.carrier.board
    for index in (1, 5):
        board.states[index] = replace(board.states[index], state="doubtful")
    stack.carry.look()
    seen = []
    for _ in range(3):
        stack.carry.doubtful.click()
        seen.append(viewer.dims.current_step[0])
    assert seen == [5, 1, 5]


def test_what_became_of_slices_is_told():
    from napari_guideme.volumes import SliceState

    why = "what was clicked looks different here"
    found = [SliceState(0)]
    found += [SliceState(1, "own", 0.1, why), SliceState(2, "carried", 0.8)]
    found += [SliceState(3, "corrected"), SliceState(4, "doubtful", 0.4, why), SliceState(5)]
    assert summary(found) == (
        f"Carried to slices 2 and 4 (1 of them doubtful: {why}); stopped at 5: too far away; "
        f"stopped at 1: {why}."
    )
    assert told(found[4], has_labels=True).startswith("Slice 4: carried, but look at it")
    assert why in told(found[1], has_labels=True)
    assert summary([SliceState(0)]) == ""
    assert "changed nothing" in summary([SliceState(0), SliceState(1, "corrected")])
    assert fitted("a", [("carried", 0.82, "")]) == "a: it fits (agreement 82%)"


# -- the 3-D view ---------------------------------------------------------------


def test_a_click_in_the_3d_view_counts_in_its_slice(stack, viewer, qtbot):
    at, name = wrong_place(stack)
    there = (MIDDLE + 1.3, *at[1:])
    viewer.dims.ndisplay = 3
    stack.controller.choose_class(name)
    finish(qtbot, stack, lambda: stack.controller.layers.clicks.add(there))
    part = stack.controller.outcome.part
    assert part.index[0] == MIDDLE + 1
    assert labels(stack)[tuple(round(x) for x in (MIDDLE + 1, *at[1:]))] == 0
    viewer.dims.ndisplay = 2
    qtbot.waitUntil(lambda: viewer.dims.current_step[0] == MIDDLE + 1, timeout=5000)
    finish(qtbot, stack, stack.undo.click)
    assert len(stack.controller.layers.clicks.data) == 0


def test_paint_over_several_slices_counts_in_each(stack, viewer, qtbot):
    viewer.dims.ndisplay = 3
    stack.controller.choose_class("nucleus")
    layer = stack.controller.layers.scribbles
    places = np.array([[1, 3, 3], [2, 3, 3], [2, 3, 4]]).T
    finish(qtbot, stack, lambda: layer.data_setitem(tuple(places), layer.selected_label))
    settle(qtbot, stack)
    assert volume(stack).corrected == [1, 2]
    assert labels(stack)[1, 3, 3] == labels(stack)[2, 3, 4] == 1


def test_a_click_beside_the_stack_is_told(stack, viewer, qtbot):
    viewer.dims.ndisplay = 3
    with qtbot.waitSignal(stack.controller.problem, timeout=10_000) as caught:
        stack.controller.layers.clicks.add((COUNT + 3.0, 5.0, 5.0))
    assert "outside" in caught.args[0]
    settle(qtbot, stack)
    assert volume(stack).corrected == []


# -- networks of three axes -----------------------------------------------------


def test_a_network_of_three_axes_works_on_a_stack(viewer, qtbot):
    flat = Preparation(channels=1, value_range="none", ndim=3, multiple=2)
    network = toys.frozen(toys.Volume(), preparation=flat, name="deep")
    values = np.random.default_rng(0).random((8, 16, 18), dtype=np.float32)
    viewer.add_image(values, name="deep", scale=(2, 1, 1))
    viewer.dims.set_current_step(0, 4)
    widget = open_widget(viewer, qtbot)
    controller = widget.controller
    controller.choose_network(controller.networks.add("deep", network, "auto"))
    widget._show_network()
    finish(qtbot, widget, widget.run.click)
    own = GuideSession(values, network).predict()
    np.testing.assert_array_equal(labels(widget)[4], own[4])
    choose(widget, "onward")
    other = controller.classes[1 - own[4, 8, 8]]
    controller.choose_class(other)
    finish(qtbot, widget, lambda: controller.layers.clicks.add((4.0, 8.0, 8.0)))
    settle(qtbot, widget)
    assert controller.classes[labels(widget)[4, 8, 8]] == other
    assert states(widget)[4] == "corrected"
    assert volume(widget).planes.thickness == 2
