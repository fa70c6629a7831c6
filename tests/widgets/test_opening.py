"""*Open network…*, and the panel that asks what a file does not say."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import ClassVar, get_args

import numpy as np
import onnx
import pytest
import torch
from imageio import v3 as imageio
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QLineEdit
from safetensors.torch import save_file

from napari_guideme.networks import downloading
from napari_guideme.networks.card import NetworkCard, read_card, sidecar, write_card
from napari_guideme.networks.catalogue import catalogue
from napari_guideme.networks.formats import onnx as reader
from napari_guideme.networks.preparation import ValueRange
from napari_guideme.networks.unet import UNet
from napari_guideme.widgets import network_choice
from napari_guideme.widgets.card_form import RANGES
from tests.networks.files import dark_and_bright
from tests.networks.test_opening import UNET, state_dict

from .conftest import finish, open_widget

AS_IS = NetworkCard(classes=("dark", "bright"), preparation={"channels": 1, "value_range": "none"})


@pytest.fixture
def toy(tmp_path) -> Path:
    """A network file that says nothing: a pixel above 0.5 is of the second class."""
    onnx.save(dark_and_bright(), tmp_path / "toy.onnx")
    return tmp_path / "toy.onnx"


@pytest.fixture
def widget(viewer, qtbot):
    """The widget on a picture that is bright on its right, but not in the numbers of its file."""
    pixels = np.zeros((48, 64), np.uint8)
    pixels[:, 20:40], pixels[:, 40:] = 90, 100
    viewer.add_image(pixels, name="picture")
    return open_widget(viewer, qtbot)


def settle(qtbot, widget) -> None:
    qtbot.waitUntil(
        lambda: not (widget.controller.is_busy or widget.opener.is_busy), timeout=60_000
    )


def open_file(qtbot, widget, path) -> None:
    """Open a file and wait for the first prediction."""
    finish(qtbot, widget, lambda: widget.opener.open(path))
    settle(qtbot, widget)


def shown(widget) -> np.ndarray:
    return widget.controller.layers.labels.data


def names(widget) -> list[str]:
    return [button.text() for button in widget.classes.buttons()]


def rename(qtbot, widget, *classes) -> None:
    for row, name in enumerate(classes):
        finish(qtbot, widget, lambda row=row, name=name: name_cell(widget, row).setText(name))
        settle(qtbot, widget)


def name_cell(widget, row):
    return widget.card.form.names.item(row, 1)


def choose_range(widget, index) -> None:
    combo = widget.card.form.value_range
    combo.setCurrentIndex(index)
    combo.activated.emit(index)


def type_into(field, text) -> None:
    field.setText(text)
    field.setModified(True)
    field.editingFinished.emit()


def notifications() -> list[str]:
    return [note.message for note in notification_manager.records]


def test_the_file_dialog_opens_a_network(widget, qtbot, toy):
    widget.network.ask_file()
    dialog = widget.network.dialog
    assert ".onnx" in dialog.nameFilters()[0]
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    dialog.selectFile(str(toy))
    finish(qtbot, widget, dialog.accept)
    assert widget.network.combo.currentText() == "toy"
    assert widget.controller.network.source == toy


def test_a_silent_file_is_asked_about_and_its_guess_shown(widget, qtbot, toy):
    open_file(qtbot, widget, toy)
    assert not widget.card.isHidden()
    assert "how its classes are called and which values" in widget.card.told.text()
    assert names(widget) == ["background", "class 1"]
    np.testing.assert_array_equal(np.unique(shown(widget)[:, 20:]), [1])
    assert name_cell(widget, 0).text() == "background"
    assert widget.card.form.names.item(1, 2).text() == "69%"


def test_another_value_range_changes_the_labels_at_once(widget, qtbot, toy):
    open_file(qtbot, widget, toy)
    finish(qtbot, widget, lambda: choose_range(widget, 1))
    settle(qtbot, widget)
    assert not shown(widget).any()
    finish(qtbot, widget, lambda: type_into(widget.card.form.scale, "1.35"))
    settle(qtbot, widget)
    np.testing.assert_array_equal(np.unique(shown(widget)[:, :40]), [0])
    np.testing.assert_array_equal(np.unique(shown(widget)[:, 40:]), [1])


@pytest.mark.parametrize("entries", [{"limits": [95, 105]}, {"window": "100,10"}])
def test_limits_are_shown_and_can_be_changed(widget, qtbot, toy, entries):
    told = {"value_range": "limits"} if "limits" in entries else {}
    card = {"preparation": {"channels": 1, **told, **entries}}
    write_card(sidecar(toy), NetworkCard.from_dict(card))
    open_file(qtbot, widget, toy)
    form = widget.card.form
    assert "how its classes are called" in widget.card.told.text()
    assert form.value_range.currentText() == "between two limits"
    assert (form.lower.text(), form.upper.text()) == ("95", "105")
    assert form.limits.isVisibleTo(form)
    finish(qtbot, widget, lambda: type_into(form.upper, "115"))
    settle(qtbot, widget)
    assert widget.controller.network.card.preparation["limits"] == (95, 115)
    assert not shown(widget).any()
    finish(qtbot, widget, lambda: choose_range(widget, 0))
    settle(qtbot, widget)
    assert not form.limits.isVisibleTo(form)
    finish(qtbot, widget, lambda: choose_range(widget, form.value_range.count() - 1))
    settle(qtbot, widget)
    assert (form.lower.text(), form.upper.text()) == ("95", "115")


def test_every_range_of_values_can_be_chosen():
    assert set(RANGES) == set(get_args(ValueRange))


def test_names_reach_buttons_and_hints(widget, qtbot, toy):
    open_file(qtbot, widget, toy)
    widget.controller.choose_class("class 1")
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add((5.0, 5.0)))
    rename(qtbot, widget, "dark", "bright")
    assert names(widget) == ["dark", "bright"]
    assert widget.controller.layers.current_class == "bright"
    assert [hint.class_name for hint in widget.controller.session.hints] == ["bright"]
    assert shown(widget)[5, 5] == 1
    assert len([layer for layer in widget.controller.viewer.layers if "clicks" in layer.name]) == 1


def test_what_is_being_typed_is_left_alone(widget, qtbot, toy):
    open_file(qtbot, widget, toy)
    table = widget.card.form.names
    name_cell(widget, 0).setText("dark")
    table.editItem(name_cell(widget, 1))
    (editor,) = table.findChildren(QLineEdit)
    qtbot.keyClicks(editor, "bri")
    with qtbot.waitSignal(widget.opener.tried, timeout=60_000):
        pass
    settle(qtbot, widget)
    assert table.findChildren(QLineEdit) == [editor]
    assert editor.text() == "bri"
    qtbot.keyClicks(editor, "ght")
    finish(qtbot, widget, lambda: qtbot.keyClick(editor, Qt.Key.Key_Return))
    assert widget.controller.classes == ("dark", "bright")


def test_looks_right_goes_on_with_the_card(widget, qtbot, toy):
    open_file(qtbot, widget, toy)
    rename(qtbot, widget, "dark", "bright")
    widget.card.right.click()
    assert widget.card.isHidden()
    assert not widget._tools.isHidden()
    assert widget.controller.classes == ("dark", "bright")
    assert not sidecar(toy).exists()


def test_looks_right_waits_for_the_last_change(widget, qtbot, toy):
    open_file(qtbot, widget, toy)
    name_cell(widget, 1).setText("bright")
    finish(qtbot, widget, widget.card.right.click)
    settle(qtbot, widget)
    assert widget.card.isHidden()
    assert widget.controller.classes == ("background", "bright")


def test_cancel_goes_back(widget, qtbot, toy):
    open_file(qtbot, widget, toy)
    before, labels = widget.controller.network, shown(widget).copy()
    widget.controller.choose_class("class 1")
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add((5.0, 5.0)))
    session = widget.controller.session
    rename(qtbot, widget, "dark")
    finish(qtbot, widget, lambda: choose_range(widget, 3))
    finish(qtbot, widget, widget.card.cancel.click)
    assert widget.controller.network is before
    assert widget.controller.session is session
    assert names(widget) == ["background", "class 1"]
    assert widget.card.isHidden()
    finish(qtbot, widget, widget.undo.click)
    np.testing.assert_array_equal(shown(widget), labels)


def test_a_changed_card_does_not_meet_old_sessions(widget, qtbot, toy):
    open_file(qtbot, widget, toy)
    first = widget.controller.session
    finish(qtbot, widget, lambda: choose_range(widget, 3))
    settle(qtbot, widget)
    assert widget.controller.session is not first
    assert widget.controller.session.network.fingerprint != first.network.fingerprint
    assert first.network.preparation.value_range == "percentile"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda w: name_cell(w, 1).setText("background"), "'background' is named twice"),
        (lambda w: name_cell(w, 1).setText(" "), "class 1 has no name"),
        (lambda w: type_into(w.card.form.std, "0"), "without zeros"),
        (lambda w: type_into(w.card.form.mean, "a lot"), "'a lot' is not a list of numbers"),
        (lambda w: type_into(w.card.form.mean, "nan"), "list of one number"),
        (lambda w: type_into(w.card.form.mean, "1, 2, 3"), "one for each channel"),
        (lambda w: type_into(w.card.form.percentiles, "99, 1"), "two rising numbers"),
        (lambda w: type_into(w.card.form.lower, "1"), "two rising numbers"),
        (lambda w: type_into(w.card.form.upper, ""), "upper limit: '' is not one number"),
        (lambda w: type_into(w.card.form.scale, ""), "is not one number"),
        (lambda w: type_into(w.card.form.size, "1.5, 2"), "are not whole numbers"),
        (lambda w: type_into(w.card.form.channels, ""), "channels: '' is not one"),
        (lambda w: type_into(w.card.form.channels, "inf"), "are not whole numbers"),
    ],
)
def test_bad_entries_are_told_and_the_last_good_ones_stay(widget, qtbot, toy, spoil, message):
    open_file(qtbot, widget, toy)
    before, labels = widget.controller.network, shown(widget).copy()
    spoil(widget)
    assert message in widget.card.refusal.text()
    assert not widget.card.right.isEnabled()
    assert not widget.opener.is_busy
    assert widget.controller.network is before
    np.testing.assert_array_equal(shown(widget), labels)


def test_what_the_network_refuses_is_told(widget, qtbot, toy):
    open_file(qtbot, widget, toy)
    before = widget.controller.network
    with qtbot.waitSignal(widget.opener.refused, timeout=60_000):
        type_into(widget.card.form.channels, "3")
    assert "does not run on an input of shape (1, 3," in widget.card.refusal.text()
    assert widget.controller.network is before
    type_into(widget.card.form.channels, "1")
    settle(qtbot, widget)
    assert widget.card.refusal.isHidden()
    assert widget.card.right.isEnabled()


def test_saved_it_opens_again_without_questions(widget, viewer, qtbot, toy):
    open_file(qtbot, widget, toy)
    rename(qtbot, widget, "dark", "bright")
    finish(qtbot, widget, lambda: choose_range(widget, 1))
    settle(qtbot, widget)
    widget.card.save.click()
    dialog = widget.card.dialog
    assert not dialog.testOption(QFileDialog.Option.DontConfirmOverwrite)
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    dialog.selectFile(str(sidecar(toy)))
    dialog.accept()
    assert widget.card.isHidden()
    assert read_card(sidecar(toy)).preparation["value_range"] == "dtype"
    again = open_widget(viewer, qtbot)
    open_file(qtbot, again, toy)
    assert again.card.isHidden()
    assert names(again) == ["dark", "bright"]


def test_a_card_that_cannot_be_written_is_told_and_asked_again(widget, qtbot, toy, tmp_path):
    open_file(qtbot, widget, toy)
    widget.card.save.click()
    first = widget.card.dialog
    first.close()
    before = len(notifications())
    first.fileSelected.emit(str(tmp_path / "nowhere" / "toy.guideme.toml"))
    (told,) = notifications()[before:]
    assert "cannot write" in told
    assert "another folder" in told
    assert widget.card.dialog is not first
    assert not widget.card.isHidden()
    widget.card.dialog.fileSelected.emit(str(tmp_path / "other.guideme.toml"))
    assert f"counts by itself as {sidecar(toy)}" in notifications()[-1]
    widget.card.dialog.close()


def test_a_broken_file_changes_nothing(widget, qtbot, tmp_path):
    finish(qtbot, widget, widget.run.click)
    labels = shown(widget).copy()
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    before = len(notifications())
    with qtbot.waitSignal(widget.opener.problem, timeout=60_000) as caught:
        widget.opener.open(tmp_path / "broken.onnx")
    settle(qtbot, widget)
    assert "broken.onnx" in caught.args[0]
    assert len(notifications()) == before + 1
    assert widget.controller.network.label == "nuclei"
    assert widget.network.combo.count() == len(catalogue())
    assert widget.card.isHidden()
    np.testing.assert_array_equal(shown(widget), labels)


def test_opening_can_be_cancelled(widget, qtbot, toy, monkeypatch):
    load, started = reader.load, []

    def slow(path, card):
        started.append(path)
        widget.opener._opening._stop.wait(30)
        return load(path, card)

    monkeypatch.setattr(reader, "load", slow)
    widget.opener.open(toy)
    qtbot.waitUntil(lambda: bool(started), timeout=60_000)
    assert "Opening" in widget.status.text()
    assert widget.progress.isVisibleTo(widget)
    assert not widget.network.isEnabled()
    widget.cancel.click()
    settle(qtbot, widget)
    assert widget.controller.network.label == "nuclei"
    assert "toy" not in [known.label for known in widget.controller.networks]
    assert "Opening" not in widget.status.text()
    assert widget.network.isEnabled()


def test_a_download_is_shown_and_can_be_cancelled(widget, qtbot, tmp_path, monkeypatch):
    """A million bytes of ten come, then nothing more for as long as nobody cancels."""
    chunks = [bytes(1_000_000)] * 10

    class Slow(io.BytesIO):
        headers: ClassVar = {"Content-Length": "10000000"}

        def read(self, _=None):
            if len(chunks) < 10:
                widget.opener._opening._stop.wait(30)
            return chunks.pop()

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(downloading, "urlopen", lambda *_, **__: Slow())
    widget.opener.open("torchvision:lraspp_mobilenet_v3_large")
    qtbot.waitUntil(lambda: "1 of 10 MB" in widget.status.text(), timeout=60_000)
    assert widget.progress.share == 0.1
    widget.cancel.click()
    settle(qtbot, widget)
    assert widget.controller.network.label == "nuclei"
    assert "Press Run" in widget.status.text()
    assert widget.progress.share is None
    assert not list((tmp_path / "hub" / "checkpoints").iterdir())


def test_channels_that_no_layer_has_are_told_what_takes_them(widget, qtbot, tmp_path):
    file = tmp_path / "cells.safetensors"
    save_file(UNet(4, 2, UNET["widths"]).state_dict(), file)
    told = {"preparation": {"channels": 4, "value_range": "none"}, "classes": ("dark", "bright")}
    write_card(sidecar(file), NetworkCard(**told, architecture={**UNET, "in_channels": 4}))
    with qtbot.waitSignal(widget.controller.problem, timeout=60_000) as caught:
        widget.opener.open(file)
    settle(qtbot, widget)
    assert "cells takes 4 channels, picture has 1" in caught.args[0]
    assert "choose Channels along axis 0" in caught.args[0]


def test_two_networks_keep_their_own_hints_and_labels(widget, viewer, qtbot, toy):
    write_card(sidecar(toy), AS_IS)
    finish(qtbot, widget, widget.run.click)
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add((5.0, 5.0)))
    nuclei, first = shown(widget).copy(), widget.controller.layers
    hinted = widget.controller.session
    open_file(qtbot, widget, toy)
    assert widget.card.isHidden()
    second = widget.controller.layers
    assert second is not first
    assert not first.clicks.visible
    assert second.labels.visible
    assert (shown(widget)[:, 20:] == 1).all()
    assert len(widget.controller.session.hints) == 0
    finish(qtbot, widget, lambda: widget.network.chosen.emit("nuclei"))
    assert widget.controller.layers is first
    assert first.clicks.visible
    assert not second.labels.visible
    assert names(widget) == list(catalogue()["nuclei"].classes)
    assert widget.controller.session is hinted
    assert len(hinted.hints) == 1
    np.testing.assert_array_equal(shown(widget), nuclei)


def test_two_files_of_one_name_are_told_apart(widget, qtbot, toy, tmp_path):
    (tmp_path / "other").mkdir()
    twin = Path(shutil.copy(toy, tmp_path / "other"))
    for file in (toy, twin, toy):
        write_card(sidecar(file), AS_IS)
        open_file(qtbot, widget, file)
    combo = widget.network.combo
    labels = [combo.itemText(index) for index in range(combo.count())]
    assert labels == ["nuclei", "click", "toy", "toy (other/toy.onnx)"]
    assert widget.controller.network.source == toy


def test_weights_with_a_card(widget, qtbot, tmp_path):
    file = tmp_path / "cells.safetensors"
    state_dict(file)
    card = NetworkCard(classes=("dark", "bright"), architecture=UNET, preparation={"channels": 1})
    write_card(sidecar(file), card)
    open_file(qtbot, widget, file)
    assert "called" not in widget.card.told.text()
    assert "does not say which values" in widget.card.told.text()


def test_without_an_image_it_opens_and_says_what_to_do(viewer, qtbot, toy):
    widget = open_widget(viewer, qtbot)
    with qtbot.waitSignal(widget.opener.opened, timeout=60_000):
        widget.opener.open(toy)
    assert "Open an image" in widget.card.told.text()
    with qtbot.waitSignal(widget.opener.tried, timeout=60_000):
        name_cell(widget, 1).setText("bright")
    assert widget.controller.classes == ("background", "bright")


def test_an_image_that_comes_later_is_labelled(viewer, qtbot, toy):
    widget = open_widget(viewer, qtbot)
    with qtbot.waitSignal(widget.opener.opened, timeout=60_000):
        widget.opener.open(toy)
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    finish(qtbot, widget, lambda: viewer.add_image(pixels, name="late"))
    assert "Name the classes" in widget.card.told.text()
    assert shown(widget)[-1].all()


def test_another_guide_point_starts_anew_with_the_same_hints(widget, qtbot):
    finish(qtbot, widget, widget.run.click)
    widget.controller.choose_class("nucleus")
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add((5.0, 5.0)))
    points = widget.controller.session.network.guide_points
    combo = widget.advanced.guide_at
    assert combo.count() == 1 + len(points)
    assert combo.itemText(0) == "automatic"
    assert f"stride {points[2].stride:g}" in combo.itemText(3)
    first = widget.controller.session
    combo.setCurrentIndex(3)
    finish(qtbot, widget, lambda: combo.activated.emit(3))
    second = widget.controller.session
    assert second is not first
    assert second._scene.point == points[2].name
    assert second.hints == first.hints
    assert combo.currentIndex() == 3
    combo.setCurrentIndex(0)
    finish(qtbot, widget, lambda: combo.activated.emit(0))
    assert widget.controller.session is first


def test_torchvisions_networks_are_offered_by_their_names(widget, monkeypatch):
    from napari_guideme.networks.formats.architectures import segmentation_names

    assert sorted(segmentation_names()) == list(network_choice.TORCHVISION)
    asked = []
    monkeypatch.setattr(widget.opener, "open", asked.append)
    widget.network.ask_name()
    widget.network.dialog.setTextValue("fcn_resnet50")
    widget.network.dialog.accept()
    assert asked == ["torchvision:fcn_resnet50"]


def test_photographs(viewer, qtbot, shared, tmp_path):
    folder = shared / "models" / "deeplabv3_mnv2_voc"
    file = Path(shutil.copy(folder / "deeplabv3_mnv2_voc.onnx", tmp_path))
    photograph = shared / "data" / "objects_coco128" / "images" / "000000000036.jpg"
    viewer.add_image(imageio.imread(photograph), rgb=True, name="photograph")
    widget = open_widget(viewer, qtbot)
    open_file(qtbot, widget, file)
    assert "how its classes are called, so" in widget.card.told.text()
    right = shown(widget).copy()
    assert (right == 15).mean() > 0.2
    finish(qtbot, widget, lambda: name_cell(widget, 15).setText("person"))
    settle(qtbot, widget)
    assert names(widget)[15] == "person"
    np.testing.assert_array_equal(shown(widget), right)
    order = widget.card.form.order
    order.setCurrentIndex(1)
    finish(qtbot, widget, lambda: order.activated.emit(1))
    settle(qtbot, widget)
    assert (shown(widget) != right).any()
