from __future__ import annotations

from functools import cache
from threading import Event

import numpy as np
import pytest
from napari.layers import Labels
from skimage.color import rgb2gray
from skimage.data import chelsea

from napari_guideme.guidance import DEFAULT_METHOD
from napari_guideme.localize import attention
from napari_guideme.localize.finding import find
from napari_guideme.localize.proxies import StandIns
from napari_guideme.networks import classifier
from napari_guideme.widgets.find_panel import STOPPED

from .conftest import finish, is_busy, open_widget

CAT = "Egyptian cat"


@pytest.fixture(autouse=True, scope="session")
def _loaded_once():
    """Every widget loads for itself; here one classifier and one network are enough."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((classifier, "open_classifier"), (attention, "open_attention")):
            patch.setattr(module, name, cache(getattr(module, name)))
        yield


@pytest.fixture
def cat() -> np.ndarray:
    return chelsea()[::3, ::3].copy()


@pytest.fixture
def finding(viewer, cat, qtbot, referring):
    """The widget on the picture of a cat, with the tab opened and the name typed."""
    viewer.add_image(cat, name="chelsea", scale=(2, 3), translate=(5, 7), metadata={"mine": 1})
    return type_name(qtbot, open_tab(qtbot, viewer), "cat")


def open_tab(qtbot, viewer):
    widget = open_widget(viewer, qtbot)
    widget.tabs.setCurrentIndex(1)
    settle(qtbot, widget)
    return widget


def type_name(qtbot, widget, name):
    widget.finding.line.setText(name)
    settle(qtbot, widget)
    return widget


def settle(qtbot, widget):
    qtbot.waitUntil(lambda: not (is_busy(widget) or widget.finding.is_busy), timeout=120_000)


def titles(row) -> list[str]:
    return [chip.text().removesuffix("  ×") for chip in row.chips]


def shown(widget) -> np.ndarray:
    return np.asarray(widget.controller.layers.labels.data)


def test_labels_that_stand_in_are_shown_as_chips(finding, viewer):
    panel = finding.finding
    assert CAT in titles(panel.names.positive)
    assert 0 < len(panel.names.negative.chips) <= 5
    assert not {*titles(panel.names.positive)} & {*titles(panel.names.negative)}
    assert "% likely" in panel.names.positive.chips[0].toolTip()
    assert [layer.name for layer in viewer.layers] == ["chelsea"]
    assert finding._tools.isHidden()


def test_what_is_found_lies_where_the_image_lies(finding, viewer, qtbot):
    finish(qtbot, finding, finding.finding.find.click)
    layers, image = finding.controller.layers, viewer.layers["chelsea"]
    assert finding.controller.classes == ("background", "cat")
    assert 0.2 < (shown(finding) > 0).mean() < 0.95
    assert viewer.layers['labels (chelsea, "cat")'] is layers.labels
    for layer in (layers.labels, layers.found_by("stands in"), layers.found_by("distracts")):
        np.testing.assert_array_equal(layer.scale, image.scale)
        np.testing.assert_array_equal(layer.translate, image.translate)
        assert layer.metadata == {"mine": 1}
        assert layer.data.shape == image.data.shape[:2]
    assert not layers.found_by("stands in").visible
    finding.finding.names.show_maps.click()
    assert layers.found_by("stands in").visible
    assert layers.labels.contour > 0
    assert layers.found_by("stands in").data.max() > 0.5
    finding.finding.names.show_maps.click()
    assert not layers.found_by("distracts").visible
    assert layers.labels.contour == 0


def test_other_labels_find_something_else(finding, qtbot):
    panel = finding.finding
    finish(qtbot, finding, panel.find.click)
    before = finding.controller.layers.found_by("stands in").data.copy()
    finish(qtbot, finding, panel.names.positive.chips[0].click)
    after = finding.controller.layers.found_by("stands in").data.copy()
    assert not np.allclose(before, after)
    distracting = titles(panel.names.negative)[0]
    panel.names.positive.add.setText(distracting)
    finish(qtbot, finding, panel.names.positive.add.returnPressed.emit)
    assert distracting in titles(panel.names.positive)
    assert distracting not in titles(panel.names.negative)
    assert not np.allclose(finding.controller.layers.found_by("stands in").data, after)
    chips = titles(panel.names.positive)
    panel.names.negative.add.setText("tabbi")
    panel.names.negative.add.returnPressed.emit()
    assert "near are tabby" in panel.answer.text()
    assert titles(panel.names.positive) == chips
    assert not finding.controller.is_busy


def test_another_method_finds_anew_with_the_same_labels_and_its_usual_looks(finding, cat, qtbot):
    panel = finding.finding
    panel.names.positive.chips[0].click()
    chips = titles(panel.names.positive)
    finish(qtbot, finding, panel.find.click)
    before = shown(finding).copy()
    finish(qtbot, finding, lambda: panel.options.method.textActivated.emit("gradient"))
    assert titles(panel.names.positive) == chips
    assert (shown(finding) != before).any()
    assert not finding.controller.layers.found_by("distracts").data.any()
    search = panel.seeker.finds.search
    labels = StandIns(search.positive, search.negative)
    known = classifier.open_classifier(device="cpu")
    alone = find("cat", cat, known, labels, method="gradient", channel_axis=-1)
    np.testing.assert_array_equal(shown(finding) == 1, alone.mask)


def test_clicks_correct_and_undo_takes_them_back(finding, qtbot):
    finish(qtbot, finding, finding.finding.find.click)
    before = shown(finding).copy()
    at = tuple(np.argwhere(before > 0)[0].astype(float))
    finding.controller.choose_class("background")
    finish(qtbot, finding, lambda: finding.controller.layers.clicks.add(at))
    assert finding.controller.session.method == DEFAULT_METHOD
    assert shown(finding)[tuple(map(int, at))] == 0
    changed = int((shown(finding) != before).sum())
    assert f"1 of 1 hints satisfied. {changed} pixels changed" in finding.status.text()
    finish(qtbot, finding, finding.undo.click)
    np.testing.assert_array_equal(shown(finding), before)
    assert len(finding.controller.layers.clicks.data) == 0
    finish(qtbot, finding, finding.redo.click)
    finish(qtbot, finding, finding.finding.names.positive.chips[0].click)
    assert shown(finding)[tuple(map(int, at))] == 0, "clicks outlive other labels"


def test_an_unknown_name_is_told_and_labels_can_be_chosen_for_it(finding, qtbot):
    panel = finding.finding
    type_name(qtbot, finding, "motorbik")
    assert "'motorbik' is not known; known and near: motorbike" in panel.answer.text()
    assert "napari-guideme" not in panel.answer.text()
    assert not panel.find.isEnabled()
    assert not panel.names.positive.chips
    panel.names.positive.add.setText(CAT)
    panel.names.positive.add.returnPressed.emit()
    assert titles(panel.names.positive) == [CAT]
    finish(qtbot, finding, panel.find.click)
    assert finding.controller.classes == ("background", "motorbik")
    assert shown(finding).any()


def test_return_finds_as_soon_as_the_name_is_looked_up(viewer, cat, qtbot):
    viewer.add_image(cat, name="chelsea")
    widget = open_tab(qtbot, viewer)
    widget.finding.line.setText("cat")
    assert widget.finding.is_busy
    finish(qtbot, widget, widget.finding.line.returnPressed.emit)
    assert shown(widget).any()


def test_names_are_kept_in_one_layer_and_the_network_comes_back(finding, viewer, qtbot):
    finish(qtbot, finding, finding.finding.find.click)
    cat = finding.controller.layers.labels
    keep(qtbot, finding)
    type_name(qtbot, finding, "quilt")
    finish(qtbot, finding, finding.finding.find.click)
    finding.overwrite.setChecked(True)
    keep(qtbot, finding)
    assert not cat.visible
    kept = [layer for layer in viewer.layers if layer.name == "kept labels (chelsea)"]
    assert len(kept) == 1
    assert isinstance(kept[0], Labels)
    assert kept[0].data.max() == 2
    type_name(qtbot, finding, "cat")
    finish(qtbot, finding, finding.finding.find.click)
    assert cat.visible
    assert finding.controller.layers.labels is cat
    finding.tabs.setCurrentIndex(0)
    assert not cat.visible
    assert "nucleus" in finding.controller.classes
    finish(qtbot, finding, finding.run.click)
    assert finding.controller.method == "residual"


def keep(qtbot, widget):
    with qtbot.waitSignal(widget.controller.keeper.kept, timeout=60_000):
        widget.keep.click()


def test_the_shown_slice_of_a_dim_stack_is_searched(viewer, cat, qtbot):
    dim = (900 * rgb2gray(cat)).astype(np.uint16) + 100
    viewer.add_image(np.stack([dim[::-1], dim, dim[:, ::-1]]), name="stack")
    viewer.dims.set_current_step(0, 1)
    widget = type_name(qtbot, open_tab(qtbot, viewer), "cat")
    likely = {"Egyptian cat", "tabby", "tiger cat", "lynx", "Siamese cat", "Persian cat"}
    assert likely & {*titles(widget.finding.names.positive)}
    finish(qtbot, widget, widget.finding.find.click)
    assert shown(widget)[1].any()
    assert not shown(widget)[[0, 2]].any()
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add((2, 50, 75)))
    assert shown(widget)[2].any(), "a click on another slice finds there, too"
    viewer.dims.ndisplay = 3
    type_name(qtbot, widget, "dog")
    assert "leave the 3-D view" in widget.finding.answer.text()


def test_without_an_image_it_is_told(viewer, qtbot):
    widget = type_name(qtbot, open_tab(qtbot, viewer), "cat")
    assert "no image" in widget.finding.answer.text()
    assert not widget.finding.find.isEnabled()


@pytest.fixture
def slow(viewer, cat, qtbot, monkeypatch):
    """The widget while it loads what finds names, an event that lets it go on, what it loads."""
    begun, released, loaded = Event(), Event(), []
    open_classifier, open_attention = classifier.open_classifier, attention.open_attention

    def slowly(*told):
        begun.set()
        assert released.wait(60)
        return open_classifier(*told)

    def noted(**told):
        loaded.append("attention")
        return open_attention(**told)

    monkeypatch.setattr(classifier, "open_classifier", slowly)
    monkeypatch.setattr(attention, "open_attention", noted)
    viewer.add_image(cat, name="chelsea")
    widget = open_widget(viewer, qtbot)
    widget.tabs.setCurrentIndex(1)
    widget.finding.line.setText("cat")
    widget.finding.line.returnPressed.emit()
    qtbot.waitUntil(begun.is_set, timeout=60_000)
    yield widget, released, loaded
    released.set()
    settle(qtbot, widget)


def test_loading_can_be_cancelled(slow, qtbot):
    widget, released, loaded = slow
    panel = widget.finding
    assert not widget.cancel.isHidden()
    widget.cancel.click()
    assert widget.cancel.isHidden()
    released.set()
    settle(qtbot, widget)
    assert not loaded
    assert widget.cancel.isHidden()
    assert panel.answer.text() == STOPPED
    finish(qtbot, widget, panel.find.click)
    assert shown(widget).any()


def test_what_was_cancelled_can_be_found_before_loading_ends(slow, qtbot):
    widget, released, _ = slow
    widget.cancel.click()
    widget.finding.find.click()
    assert not widget.cancel.isHidden()
    finish(qtbot, widget, released.set)
    assert shown(widget).any()


def test_deleting_the_image_and_cancelling_leave_nothing(finding, viewer, qtbot):
    panel = finding.finding
    panel.find.click()
    qtbot.waitUntil(lambda: finding.controller.job._worker is not None, timeout=10_000)
    finding.cancel.click()
    settle(qtbot, finding)
    assert finding.controller.session is None
    layers = finding.controller.layers
    assert layers.existing("labels") is None
    panel.find.click()
    qtbot.waitUntil(lambda: finding.controller.job._worker is not None, timeout=10_000)
    viewer.layers.remove("chelsea")
    settle(qtbot, finding)
    assert layers.existing("labels") is None
    assert "no image" in panel.answer.text()
