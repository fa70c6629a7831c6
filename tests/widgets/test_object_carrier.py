"""Objects that are kept on one slice of a stack are carried to the others."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from napari.layers import Labels

from napari_guideme.cli import main
from napari_guideme.widgets.object_carrier import Spot

from .conftest import finish, open_widget
from .test_objects import choose, click, kept, with_clicks
from .test_sessions import settle

DEPTH, SIDE, EDGE = 9, 64, 14
LABELS = slice(1, 8)


def square(index: int) -> np.ndarray:
    """Where the thing is on a slice: it moves by three pixels from one to the next."""
    mask = np.zeros((SIDE, SIDE), bool)
    if LABELS.start <= index < LABELS.stop:
        mask[4 + 3 * index : 4 + 3 * index + EDGE, 10 + 2 * index : 10 + 2 * index + EDGE] = True
    return mask


def middle(index: int) -> tuple[float, float, float]:
    return float(index), 4.0 + 3 * index + EDGE // 2, 10.0 + 2 * index + EDGE // 2


@pytest.fixture
def truth() -> np.ndarray:
    return np.stack([square(index) for index in range(DEPTH)])


@pytest.fixture
def widget(viewer, truth, qtbot):
    viewer.add_image(truth.astype(np.float32), name="stack")
    viewer.dims.set_point(0, 4)
    return with_clicks(open_widget(viewer, qtbot), qtbot)


def settled(qtbot, widget) -> None:
    qtbot.waitUntil(lambda: not widget.objects.mode.carrier.is_busy, timeout=20000)


def outline(qtbot, widget, *places, onward=True):
    widget.objects.onward.setChecked(onward)
    for at in places:
        click(qtbot, widget, at)
    finish(qtbot, widget, widget.objects.next.click)
    settled(qtbot, widget)


def iou(some, other) -> float:
    return float((some & other).sum() / (some | other).sum())


def test_it_is_offered_where_there_are_slices(widget, viewer, qtbot):
    assert widget.objects.onward.isVisibleTo(widget)
    viewer.add_image(np.zeros((20, 20)), name="picture")
    widget.image.value = viewer.layers["picture"]
    assert not widget.objects.onward.isVisibleTo(widget)


def test_an_object_stays_on_its_slice_unless_it_is_to_go_on(widget, qtbot):
    outline(qtbot, widget, middle(4), onward=False)
    assert np.flatnonzero(kept(widget).any((1, 2))).tolist() == [4]


def test_an_object_goes_through_the_stack_under_one_number(widget, truth, qtbot):
    outline(qtbot, widget, middle(4))
    assert set(np.unique(kept(widget))) == {0, 1}
    assert iou(kept(widget) > 0, truth) > 0.9
    assert widget.status.text() == "Object 1 was carried through slices 1 to 7."


def test_undo_and_redo_bring_all_slices_back(widget, qtbot):
    outline(qtbot, widget, middle(4))
    carried = kept(widget).copy()
    finish(qtbot, widget, widget.undo.click)
    settled(qtbot, widget)
    assert not kept(widget).any()
    finish(qtbot, widget, widget.redo.click)
    settled(qtbot, widget)
    np.testing.assert_array_equal(kept(widget), carried)


def test_what_was_kept_or_painted_before_stays(widget, truth, qtbot):
    outline(qtbot, widget, middle(4), onward=False)
    kept(widget)[5, 20:24, 18:40] = 7
    finish(qtbot, widget, widget.undo.click)
    finish(qtbot, widget, widget.undo.click)
    outline(qtbot, widget, middle(4))
    assert (kept(widget)[5, 20:24, 18:40] == 7).all()
    kept(widget)[6, :, 25:30] = 0
    finish(qtbot, widget, widget.undo.click)
    settled(qtbot, widget)
    assert set(np.unique(kept(widget))) == {0, 7}


def test_what_is_outlined_again_elsewhere_is_the_same_object(widget, viewer, truth, qtbot):
    outline(qtbot, widget, middle(4))
    kept(widget)[6] = 0
    label = widget.controller.layers.kept
    viewer.dims.set_point(0, 7)
    before = kept(widget).copy()
    outline(qtbot, widget, middle(7), onward=False)
    assert set(np.unique(label.data)) == {0, 1}
    assert label.data[6].any()
    np.testing.assert_array_equal(label.data[7] > 0, truth[7])
    assert iou(label.data > 0, truth) > 0.9
    finish(qtbot, widget, widget.undo.click)
    settled(qtbot, widget)
    np.testing.assert_array_equal(label.data[[1, 2, 3, 4, 5, 7]], before[[1, 2, 3, 4, 5, 7]])


def test_a_carried_outline_is_improved_by_clicks(widget, viewer, truth, qtbot):
    outline(qtbot, widget, middle(4))
    layer = widget.controller.layers.kept
    assert layer.name in [
        widget.objects.source.itemText(i) for i in range(widget.objects.source.count())
    ]
    viewer.dims.set_point(0, 6)
    finish(qtbot, widget, lambda: widget.objects.mode.improve(layer, 1))
    np.testing.assert_array_equal(widget.controller.layers.labels.data[6] > 0, layer.data[6] > 0)
    finish(qtbot, widget, widget.objects.next.click)
    settled(qtbot, widget)
    assert set(np.unique(layer.data)) == {0, 1}
    problems = []
    widget.controller.problem.connect(problems.append)
    widget.objects.mode.improve(layer, 1)
    assert "object 1 was outlined on this slice" in problems[-1]


def test_what_was_erased_by_hand_overlaps_with_nothing(viewer):
    layer = viewer.add_labels(np.zeros((2, 8, 8), int))
    mask = np.zeros((8, 8), bool)
    mask[2:5, 2:5] = True
    spot = Spot(mask, SimpleNamespace(slices=(1, slice(None), slice(None))))
    spot.draw(layer, 1)
    assert spot.overlap(mask) == 1
    layer.data[:] = 0
    spot.erase(layer, 1)
    assert spot.overlap(mask) == spot.overlap(np.zeros_like(mask)) == 0


def test_two_objects_are_carried_one_after_the_other(viewer, truth, qtbot):
    pixels = np.concatenate([truth, truth], 2).astype(np.float32)
    viewer.add_image(pixels, name="stack")
    viewer.dims.set_point(0, 4)
    widget = with_clicks(open_widget(viewer, qtbot), qtbot)
    widget.objects.onward.setChecked(True)
    plane, row, column = middle(4)
    for at in (middle(4), (plane, row, column + SIDE)):
        click(qtbot, widget, at)
        finish(qtbot, widget, widget.objects.next.click)
    settled(qtbot, widget)
    assert iou(kept(widget) == 1, np.concatenate([truth, 0 * truth], 2) > 0) > 0.9
    assert iou(kept(widget) == 2, np.concatenate([0 * truth, truth], 2) > 0) > 0.9


def test_cancel_leaves_the_outline_alone(widget, qtbot, monkeypatch):
    carrier = widget.objects.mode.carrier
    carrier.job.stepped.connect(lambda _: widget.cancel.click())
    outline(qtbot, widget, middle(4))
    assert np.flatnonzero(kept(widget).any((1, 2))).tolist() == [4]


def test_a_layer_that_is_deleted_while_it_is_drawn_comes_back(widget, viewer, truth, qtbot):
    carrier = widget.objects.mode.carrier
    carrier.job.stepped.connect(lambda _: viewer.layers.remove(widget.controller.layers.kept))
    outline(qtbot, widget, middle(4))
    assert not any(carrier._things.values())
    carrier.job.stepped.disconnect()
    carrier.job.stepped.connect(carrier._on_arrived)
    finish(qtbot, widget, widget.undo.click)
    finish(qtbot, widget, widget.redo.click)
    settled(qtbot, widget)
    assert iou(kept(widget) > 0, truth) > 0.9


def test_a_session_file_carries_it_again(widget, viewer, truth, qtbot, tmp_path):
    outline(qtbot, widget, middle(4))
    carried = kept(widget).copy()
    path = tmp_path / "session.guideme.json"
    widget.sessions.save_to(path)
    qtbot.waitUntil(path.exists, timeout=10000)
    for layer in [layer for layer in viewer.layers if isinstance(layer, Labels)]:
        viewer.layers.remove(layer)
    widget.sessions.open_from(path)
    qtbot.waitUntil(lambda: widget.controller.layers.existing("kept") is not None, timeout=20000)
    settled(qtbot, widget)
    np.testing.assert_array_equal(kept(widget), carried)


def test_a_shell_replays_what_was_carried(viewer, truth, qtbot, tmp_path):
    """With the bundled network, and two objects on two slices; saved without an autosave."""
    pixels = (60 + 120 * np.concatenate([truth, truth[::-1]], 2)).astype(np.uint8)
    path, session, out = (tmp_path / n for n in ("stack.tif", "work.guideme.json", "out.tif"))
    tifffile.imwrite(path, pixels, metadata={"axes": "ZYX"}, photometric="minisblack")
    viewer.open(path, plugin="napari")
    viewer.dims.set_point(0, 4)
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, lambda: choose(widget, "click"))
    outline(qtbot, widget, middle(4))
    viewer.dims.set_point(0, 3)
    _, row, column = middle(5)
    outline(qtbot, widget, (3.0, row, column + SIDE))
    assert len(np.unique(kept(widget))) == 3
    widget.sessions.save_to(session)
    settle(qtbot, widget)
    words = ["replay", session, "--image", path, "-o", out]
    assert main(list(map(str, words))) == 0
    np.testing.assert_array_equal(tifffile.imread(out) > 0, kept(widget) > 0)
    assert len(np.unique(tifffile.imread(out))) == 3


def test_an_image_with_other_pixels_is_another_one(widget, viewer, qtbot):
    outline(qtbot, widget, middle(4))
    carried = kept(widget).copy()
    viewer.layers["stack"].data = viewer.layers["stack"].data[::-1].copy()
    settled(qtbot, widget)
    np.testing.assert_array_equal(kept(widget), carried)
    assert not widget.objects.mode.carrier.has_any(widget.controller.layers.kept)
