from __future__ import annotations

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt

from napari_guideme.guidance import DEFAULT_FOLLOWED_METHOD
from napari_guideme.widgets.answering import Answering
from napari_guideme.widgets.sought import BY_NAME, BY_SENTENCE, Query

from .conftest import finish
from .test_finding import cat, open_tab, settle, shown, titles, type_name

__all__ = ["cat"]

SENTENCE = "the larger dog on the left"
PLACED = {
    "scale": (2, 3),
    "translate": (5, 7),
    "rotate": 20,
    "shear": [0.2],
    "units": ("um", "um"),
}

pytestmark = pytest.mark.usefixtures("referring")


@pytest.fixture
def following(viewer, cat, qtbot):
    """The widget on a picture that lies askew, with a sentence typed."""
    viewer.add_image(cat, name="chelsea", metadata={"mine": 1}, **PLACED)
    return type_name(qtbot, open_tab(qtbot, viewer), SENTENCE)


def find(qtbot, widget):
    finish(qtbot, widget, widget.finding.find.click)


def heat(widget):
    return widget.controller.layers.existing("how it was read")


def test_a_sentence_is_followed_and_clicks_correct_it(following, viewer, qtbot):
    panel = following.finding
    assert "See-through-Text follows it" in panel.answer.text()
    assert "It does not know: 'on'. Press Return" in panel.answer.text()
    assert panel.names.isHidden()
    assert not panel.reading.isHidden()
    assert [layer.name for layer in viewer.layers] == ["chelsea"]
    finish(qtbot, following, panel.line.returnPressed.emit)
    assert following.controller.classes == ("background", "dog")
    assert following.status.text().startswith("See-through-Text followed the sentence")
    assert following.advanced.method.currentText() == DEFAULT_FOLLOWED_METHOD
    labels = viewer.layers[f'labels (chelsea, "{SENTENCE}")']
    before = np.asarray(labels.data).copy()
    assert 0.05 < (before > 0).mean() < 0.95
    at = tuple(np.argwhere(before > 0)[0].astype(float))
    following.controller.choose_class("background")
    finish(qtbot, following, lambda: following.controller.layers.clicks.add(at))
    assert shown(following)[tuple(map(int, at))] == 0
    assert "1 of 1 hints satisfied" in following.status.text()
    finish(qtbot, following, following.undo.click)
    np.testing.assert_array_equal(shown(following), before)
    finish(qtbot, following, following.redo.click)
    assert shown(following)[tuple(map(int, at))] == 0
    with qtbot.waitSignal(following.controller.keeper.kept, timeout=60_000):
        following.keep.click()
    kept = viewer.layers["kept labels (chelsea)"]
    np.testing.assert_array_equal(kept.data > 0, shown(following) > 0)


def test_how_it_was_read_is_shown_where_the_image_lies(following, viewer, qtbot):
    reading = following.finding.reading
    find(qtbot, following)
    assert heat(following) is None
    reading.wanted.click()
    layer, image = heat(following), viewer.layers["chelsea"]
    assert layer in viewer.layers
    for name in ("scale", "translate", "rotate", "shear"):
        np.testing.assert_allclose(getattr(layer, name), getattr(image, name))
    np.testing.assert_allclose(layer.affine.affine_matrix, image.affine.affine_matrix)
    assert layer.units == image.units
    assert layer.data.shape == image.data.shape[:2]
    assert image in following.image.choices
    assert layer not in following.image.choices
    labels = following.controller.layers.labels
    assert labels.contour > 0
    assert viewer.layers.index(layer) < viewer.layers.index(labels)

    steps = following.controller.shown.found.steps
    assert (reading.step.minimum(), reading.step.maximum(), reading.step.value()) == (1, 10, 10)
    np.testing.assert_array_equal(layer.data, steps.refined[-1])
    reading.step.setValue(3)
    np.testing.assert_array_equal(layer.data, steps.refined[2])
    most = steps.words[int(steps.attention[2].argmax())]
    assert reading.told.text().startswith("Step 3 of 10")
    assert most in reading.told.text()
    qtbot.keyClick(reading.picture, Qt.Key.Key_Up)
    assert reading.step.value() == 2
    np.testing.assert_array_equal(layer.data, steps.refined[1])
    assert "brighter: more like what the sentence says" in reading.note.text()

    reading.wanted.click()
    assert layer not in viewer.layers
    assert labels.contour == 0
    assert reading.picture.isHidden()


def test_names_go_to_the_proxies_unless_the_user_says_otherwise(following, qtbot):
    panel = following.finding
    type_name(qtbot, following, "the cat")
    assert "Egyptian cat" in titles(panel.names.positive)
    assert not panel.names.isHidden()
    assert panel.reading.isHidden()
    find(qtbot, following)
    assert following.controller.classes == ("background", "cat")
    assert following.status.text().startswith("Found cat by the labels that stand in")
    by_name = shown(following).copy()
    answering = panel.options.answering
    answering.setCurrentIndex(answering.findData(BY_SENTENCE))
    finish(qtbot, following, lambda: answering.activated.emit(answering.currentIndex()))
    assert following.status.text().startswith("See-through-Text followed the sentence")
    assert panel.names.isHidden()
    assert (shown(following) != by_name).any()
    answering.setCurrentIndex(answering.findData(BY_NAME))
    finish(qtbot, following, lambda: answering.activated.emit(answering.currentIndex()))
    np.testing.assert_array_equal(shown(following), by_name)


def test_a_file_that_is_no_such_network_is_told(following, referring, tmp_path, qtbot):
    panel = following.finding
    find(qtbot, following)
    before = shown(following).copy()
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(b"no weights")
    panel.options.referring.open(foreign)
    settle(qtbot, following)
    assert "foreign.safetensors holds no See-through-Text" in panel.answer.text()
    assert not panel.find.isEnabled()
    np.testing.assert_array_equal(shown(following), before)
    finish(qtbot, following, lambda: panel.options.referring.open(referring))
    np.testing.assert_array_equal(shown(following), before)
    assert panel.options.referring.currentText() == "own.safetensors"


def test_each_image_and_each_slice_has_what_was_found_in_it(viewer, cat, qtbot):
    grey = cat.mean(axis=2).astype(np.uint16)
    viewer.add_image(np.stack([grey[::-1], grey, grey[:, ::-1]]), name="stack")
    viewer.dims.set_current_step(0, 1)
    widget = type_name(qtbot, open_tab(qtbot, viewer), SENTENCE)
    widget.finding.reading.wanted.click()
    find(qtbot, widget)
    assert shown(widget)[1].any()
    assert not shown(widget)[[0, 2]].any()
    assert heat(widget).data[1].any()
    viewer.dims.set_current_step(0, 2)
    assert "not searched yet" in widget.status.text()
    assert "not followed here yet" in widget.finding.reading.note.text()
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add((2, 50, 75)))
    assert shown(widget)[2].any(), "a click on another slice finds there, too"
    assert heat(widget).data[2].any()

    stack, layers = viewer.layers["stack"], widget.controller.layers
    photo = viewer.add_image(cat, name="photo")
    widget.image.value = photo
    settle(qtbot, widget)
    assert widget._tools.isHidden()
    find(qtbot, widget)
    assert shown(widget).shape == cat.shape[:2]
    widget.image.value = stack
    settle(qtbot, widget)
    assert widget.controller.layers is layers
    assert widget.controller.session is not None
    assert widget.finding.seeker.is_found
    widget.finding.reading.wanted.click()
    assert not [layer for layer in viewer.layers if "how it was read" in layer.name]


def test_cancelling_and_closing_leave_nothing(following, viewer, qtbot):
    panel, job = following.finding, following.controller.job
    told = len(notification_manager.records)
    panel.find.click()
    qtbot.waitUntil(lambda: job._worker is not None, timeout=10_000)
    following.cancel.click()
    settle(qtbot, following)
    assert following.controller.session is None
    assert following.controller.layers.existing("labels") is None
    panel.find.click()
    qtbot.waitUntil(lambda: job._worker is not None, timeout=10_000)
    following.close()
    settle(qtbot, following)
    assert following.controller.layers.existing("labels") is None
    assert all(note.severity != "error" for note in notification_manager.records[told:])


def test_an_image_that_cannot_be_used_is_told(viewer, cat, qtbot):
    broken = cat[..., 0].astype(np.float32)
    broken[3, 3] = np.nan
    viewer.add_image(broken, name="broken")
    widget = type_name(qtbot, open_tab(qtbot, viewer), SENTENCE)
    with qtbot.waitSignal(widget.controller.problem, timeout=60_000) as told:
        widget.finding.find.click()
    assert "NaN" in told.args[0]
    settle(qtbot, widget)
    assert [layer.name for layer in viewer.layers if "labels" in layer.name] == []


def test_one_thing_is_found_though_several_may_be_meant(following, qtbot):
    panel = type_name(qtbot, following, "both larger dogs").finding
    assert "Of several it finds one; click on the others." in panel.answer.text()
    panel = type_name(qtbot, following, "the larger dog").finding
    assert "Of several" not in panel.answer.text()


def test_what_nobody_knows_is_asked_for_by_its_name_alone(following, qtbot):
    panel = type_name(qtbot, following, "tallest building").finding
    assert "ask for 'building'" in panel.answer.text()
    assert not panel.find.isEnabled()


def test_what_would_be_refused_now_is_asked_again_as_it_was(following):
    query = Query("tallest building", BY_NAME)
    assert Answering(lambda done, total: None)._plain(query, "cpu") == query
