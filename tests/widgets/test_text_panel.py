from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from napari.layers import Image
from napari.utils.transforms import Affine
from qtpy.QtCore import Qt

from napari_guideme import GuideSession, open_network
from napari_guideme.errors import InputError
from napari_guideme.hints import TextHint
from napari_guideme.language import effects, text_guide, wordnet
from napari_guideme.language.queries import vocabulary
from napari_guideme.language.text_guide import Purpose, TextGuide, word_vectors
from napari_guideme.networks.card import sidecar
from napari_guideme.networks.catalogue import catalogue
from napari_guideme.widgets.geometry import geometry
from napari_guideme.widgets.text_panel import HOW, NO_CLASSES, improved

from .conftest import finish, is_busy, open_widget

SENTENCE = "find the nucleus on the top left"
TOP_LEFT = TextHint("find", "nucleus", ((0, 0),))


def settle(qtbot, widget) -> None:
    qtbot.waitUntil(lambda: not is_busy(widget), timeout=60_000)


def type_in(qtbot, widget, sentence) -> None:
    """Type a sentence and wait for what is understood."""
    with qtbot.waitSignal(widget.words.talker.heard, timeout=60_000):
        widget.words.line.setText(sentence)
    settle(qtbot, widget)


def say(qtbot, widget, sentence) -> None:
    """Type a sentence, press Return, and wait for the labels."""
    widget.words.line.setText(sentence)
    finish(qtbot, widget, lambda: qtbot.keyClick(widget.words.line, Qt.Key.Key_Return))
    settle(qtbot, widget)


def chips(widget) -> list[str]:
    return [chip.text() for chip in widget.words.chips]


def layer_of(viewer, role):
    return next((layer for layer in viewer.layers if layer.name.startswith(role)), None)


def history(widget) -> list[tuple[str, bool]]:
    return [(entry.described, entry.counts) for entry in widget.words.talker.history]


# -- understanding ----------------------------------------------------------------


def test_what_is_understood_is_shown_before_it_counts(guide, viewer, qtbot):
    before = guide.controller.layers.labels.data.copy()
    type_in(qtbot, guide, f"{SENTENCE} and remove the border at the bottom")
    assert chips(guide) == ["find · nucleus · top left", "remove · border · bottom"]
    assert guide.words.tell.isEnabled()
    np.testing.assert_array_equal(guide.controller.layers.labels.data, before)
    assert not guide.controller.session.can_undo


def test_the_place_is_outlined_until_the_words_count(guide, viewer, tissue, qtbot):
    guide.point.click()
    type_in(qtbot, guide, SENTENCE)
    place = layer_of(viewer, "place")
    rows, columns = TOP_LEFT.mask(tissue.shape[:2]).nonzero()
    corners = place.data[:, 0]
    np.testing.assert_allclose(corners.min(0), (rows.min() - 0.5, columns.min() - 0.5))
    np.testing.assert_allclose(corners.max(0), (rows.max() + 0.5, columns.max() + 0.5))
    assert viewer.layers.selection.active is guide.controller.layers.clicks
    assert guide.controller.layers.clicks.mode == "add"
    finish(qtbot, guide, guide.words.tell.click)
    assert layer_of(viewer, "place") is None
    assert guide.words.line.text() == ""
    assert chips(guide) == []


def test_clearing_the_box_takes_the_outline_away(guide, viewer, qtbot):
    type_in(qtbot, guide, SENTENCE)
    type_in(qtbot, guide, "")
    assert layer_of(viewer, "place") is None
    assert guide.words.answer.text() == HOW
    assert not guide.words.tell.isEnabled()


def test_the_outline_lies_where_the_image_lies(viewer, tissue, qtbot):
    turn = np.array([[0.8, -0.6, 5.0], [0.6, 0.8, -3.0], [0, 0, 1]])
    image = viewer.add_image(tissue, rgb=True, scale=(2, 0.5), translate=(7, 9), affine=turn)
    widget = open_widget(viewer, qtbot)
    type_in(qtbot, widget, SENTENCE)
    place = layer_of(viewer, "place")
    for name, value in geometry(image).items():
        if isinstance(value, Affine):
            np.testing.assert_allclose(getattr(place, name).affine_matrix, value.affine_matrix)
        else:
            np.testing.assert_array_equal(getattr(place, name), value)


def test_what_is_not_understood_is_said_with_suggestions(guide, viewer, qtbot):
    type_in(qtbot, guide, "find the unicorn on the top left")
    assert chips(guide) == []
    assert "unicorn" in guide.words.answer.text()
    assert "fetch-wordnet" not in guide.words.answer.text()
    assert not guide.words.tell.isEnabled()
    assert layer_of(viewer, "place") is None
    qtbot.keyClick(guide.words.line, Qt.Key.Key_Return)
    settle(qtbot, guide)
    assert guide.words.line.text() == "find the unicorn on the top left"
    assert not guide.controller.session.can_undo
    suggestion = guide.words.answer.text().split('href="')[1].split('"')[0]
    guide.words.answer.linkActivated.emit(suggestion)
    settle(qtbot, guide)
    assert len(chips(guide)) == 1


@pytest.mark.parametrize(
    ("sentence", "suggestion", "expected"),
    [
        ("find the nuklei here", "nucleus", "find the nucleus here"),
        ("Find the Nuklei", "nucleus", "Find the nucleus"),
        ("find the unicorn", "remove the border", "remove the border"),
        ("find", "nucleus", "find nucleus"),
    ],
)
def test_a_suggestion_takes_its_place_in_the_sentence(sentence, suggestion, expected):
    assert improved(sentence, suggestion) == expected


def test_words_are_completed_one_by_one(guide):
    completer = guide.words.completer
    for begun, completed in {
        "find the nuc": "find the nucleus",
        "bo": "border",
        "remove the border at the bottom r": "remove the border at the bottom right",
    }.items():
        completer.setCompletionPrefix(begun)
        found = {completer.setCurrentRow(n) and completer.currentCompletion() for n in range(9)}
        assert completed in found
    for complete in ("", "find the "):
        completer.setCompletionPrefix(complete)
        assert completer.completionCount() == 0


# -- counting ----------------------------------------------------------------------


def test_the_box_does_what_a_session_does(guide, tissue, qtbot):
    session = GuideSession(tissue, open_network("nuclei", device="cpu"), channel_axis=-1)
    session.predict()
    for sentence in (SENTENCE, "remove the nucleus at the bottom", SENTENCE):
        said = session.tell(sentence)
        list(session.refine())
        say(qtbot, guide, sentence)
        assert set(said) <= set(guide.controller.session.hints)
    assert guide.controller.session.hints == session.hints
    np.testing.assert_array_equal(guide.controller.layers.labels.data, session.labels())
    assert (session.labels() != session.predict()).any()


def test_return_at_once_does_not_wait_to_be_understood(guide, qtbot):
    say(qtbot, guide, SENTENCE)
    assert guide.controller.session.hints.texts == (TOP_LEFT,)


def test_undo_redo_and_clear_are_followed(guide, qtbot):
    before = guide.controller.layers.labels.data.copy()
    say(qtbot, guide, SENTENCE)
    after = guide.controller.layers.labels.data.copy()
    assert history(guide) == [("find · nucleus · top left", True)]
    for action, counts, labels in (
        (guide.undo, False, before),
        (guide.redo, True, after),
        (guide.clear, False, before),
        (guide.undo, True, after),
    ):
        finish(qtbot, guide, action.click)
        assert history(guide) == [("find · nucleus · top left", counts)]
        np.testing.assert_array_equal(guide.controller.layers.labels.data, labels)


def test_a_line_is_taken_back_and_said_again(guide, qtbot):
    say(qtbot, guide, SENTENCE)
    say(qtbot, guide, "remove the nucleus on the right")
    said = guide.words.said
    assert said.list.currentRow() == 1
    said.list.setCurrentRow(0)
    assert not said.again.isEnabled()
    finish(qtbot, guide, said.back.click)
    assert [counts for _, counts in history(guide)] == [False, True]
    assert said.list.item(0).font().strikeOut()
    assert len(guide.controller.session.hints) == 1
    assert not said.back.isEnabled()
    finish(qtbot, guide, guide.undo.click)
    assert [counts for _, counts in history(guide)] == [True, True]
    finish(qtbot, guide, said.back.click)
    finish(qtbot, guide, said.again.click)
    assert guide.controller.session.hints.texts[-1] == TOP_LEFT


def test_words_and_clicks_mix(guide, qtbot):
    layers = guide.controller.layers
    guide.controller.choose_class("nucleus")
    finish(qtbot, guide, lambda: layers.clicks.add((60.0, 70.0)))
    say(qtbot, guide, SENTENCE)
    finish(qtbot, guide, lambda: layers.clicks.add((100.0, 20.0)))
    session = guide.controller.session
    assert session.hints.texts == (TOP_LEFT,)
    assert len(session.hints.marks) == 2
    assert layers.labels.data[60, 70] == layers.labels.data[100, 20] == 1
    finish(qtbot, guide, guide.undo.click)
    finish(qtbot, guide, guide.undo.click)
    assert session.hints.texts == ()
    assert len(layers.clicks.data) == 1


def test_words_before_the_network_has_run_are_not_lost_to_a_click(viewer, tissue, qtbot):
    viewer.add_image(tissue, rgb=True, name="tissue")
    widget = open_widget(viewer, qtbot)
    widget.words.line.setText(SENTENCE)
    with qtbot.waitSignal(widget.words.talker.told, timeout=60_000):
        qtbot.keyClick(widget.words.line, Qt.Key.Key_Return)
    widget.controller.choose_class("nucleus")
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add((60.0, 70.0)))
    settle(qtbot, widget)
    hints = widget.controller.session.hints
    assert hints.texts == (TOP_LEFT,)
    assert len(hints.marks) == 1


def test_words_stay_when_the_device_or_the_guide_point_changes(guide, qtbot):
    say(qtbot, guide, SENTENCE)
    guide.controller.choose_device("cpu")
    finish(qtbot, guide, guide.run.click)
    assert guide.controller.session.hints.texts == (TOP_LEFT,)
    point = guide.controller.session.network.guide_points[0].name
    finish(qtbot, guide, lambda: guide.controller.choose_guide_point(point))
    assert guide.controller.session.hints.texts == (TOP_LEFT,)


def test_words_belong_to_their_slice(viewer, tissue, qtbot):
    stack = np.stack([tissue[..., 0], tissue.mean(-1), tissue[..., 2]]).astype(np.uint8)
    viewer.add_image(stack, name="stack")
    viewer.dims.set_current_step(0, 1)
    widget = open_widget(viewer, qtbot)
    type_in(qtbot, widget, SENTENCE)
    np.testing.assert_array_equal(layer_of(viewer, "place").data[:, 0, 0], [1] * 4)
    say(qtbot, widget, SENTENCE)
    assert len(history(widget)) == 1
    viewer.dims.set_current_step(0, 2)
    assert history(widget) == []
    assert widget.words.said.isHidden()
    type_in(qtbot, widget, SENTENCE)
    np.testing.assert_array_equal(layer_of(viewer, "place").data[:, 0, 0], [2] * 4)
    viewer.dims.set_current_step(0, 1)
    settle(qtbot, widget)
    assert len(history(widget)) == 1
    np.testing.assert_array_equal(layer_of(viewer, "place").data[:, 0, 0], [1] * 4)


def test_left_is_what_the_user_sees(viewer, tissue, qtbot):
    viewer.add_image(tissue, rgb=True, name="tissue", scale=(1, -1))
    widget = open_widget(viewer, qtbot)
    say(qtbot, widget, SENTENCE)
    session = widget.controller.session
    assert session.hints.texts == (TextHint("find", "nucleus", ((0, 2),)),)
    assert history(widget) == [("find · nucleus · top left", True)]
    session.tell("remove the border on the right")
    assert session.hints.texts[-1].place == ((0, 0), (1, 0), (2, 0))


def test_sides_of_the_patient_need_an_orientation(guide, qtbot):
    type_in(qtbot, guide, "find the nucleus on the patient's left")
    assert "how the patient lies is not known" in guide.words.answer.text()
    assert "find the nucleus on the left" in guide.words.answer.text()


def test_words_that_move_nothing_say_so(guide, qtbot, monkeypatch):
    monkeypatch.setattr(effects, "is_followed", lambda *_: False)
    say(qtbot, guide, SENTENCE)
    assert "moved nothing" in guide.words.said.list.item(0).text()
    assert "moved nothing" in guide.status.text()
    assert "red" not in guide.status.text()


# -- what the words moved ------------------------------------------------------------


def test_the_map_shows_what_the_words_moved(guide, viewer, qtbot):
    say(qtbot, guide, SENTENCE)
    guide.words.show_moved.click()
    settle(qtbot, guide)
    heat = layer_of(viewer, "moved by words")
    assert isinstance(heat, Image)
    assert (heat.blending, heat.opacity) == ("additive", 0.6)
    np.testing.assert_array_equal(heat.data, guide.controller.session.moved_by_words())
    assert heat.data[:40, :50].max() > 0.1
    assert heat not in guide.image.choices
    finish(qtbot, guide, guide.undo.click)
    settle(qtbot, guide)
    assert not heat.data.any()
    guide.words.show_moved.click()
    assert not heat.visible


def test_the_map_lies_where_the_image_lies(viewer, tissue, qtbot):
    image = Image(tissue, rgb=True, scale=(2, 0.5), rotate=30, units=("um", "um"))
    viewer.add_layer(image)
    widget = open_widget(viewer, qtbot)
    say(qtbot, widget, SENTENCE)
    widget.words.show_moved.click()
    settle(qtbot, widget)
    heat = layer_of(viewer, "moved by words")
    np.testing.assert_allclose(heat.data_to_world((5, 6)), image.data_to_world((5, 6)))
    assert heat.units == image.units
    assert heat.axis_labels == image.axis_labels


# -- networks, WordNet, and what can go wrong -----------------------------------------


def test_a_network_that_takes_clicks_is_not_spoken_to(guide, qtbot):
    guide.words.line.setText(SENTENCE)
    guide.network.combo.setCurrentText("click")
    guide.network.chosen.emit("click")
    settle(qtbot, guide)
    assert not guide.words.isEnabled()
    assert guide.words.toolTip() == NO_CLASSES
    assert guide.words.answer.text() == NO_CLASSES
    assert layer_of(guide.controller.viewer, "place") is None
    guide.network.chosen.emit("nuclei")
    settle(qtbot, guide)
    assert guide.words.isEnabled()
    assert guide.words.toolTip() == ""


def test_without_an_image_the_panel_says_so(viewer, qtbot):
    widget = open_widget(viewer, qtbot)
    widget.words.line.setText(SENTENCE)
    assert "open one" in widget.words.answer.text()
    qtbot.keyClick(widget.words.line, Qt.Key.Key_Return)
    assert widget.words.line.text() == SENTENCE


def test_a_volume_that_is_shown_in_3d_is_refused(viewer, tissue, qtbot):
    viewer.add_image(np.stack([tissue[..., 0]] * 3), name="stack")
    widget = open_widget(viewer, qtbot)
    viewer.dims.ndisplay = 3
    widget.words.line.setText(SENTENCE)
    assert "2-D" in widget.words.answer.text()
    qtbot.keyClick(widget.words.line, Qt.Key.Key_Return)
    settle(qtbot, widget)
    assert widget.words.line.text() == SENTENCE
    assert layer_of(viewer, "labels") is None


def test_words_wait_while_the_view_is_3d(viewer, tissue, qtbot):
    viewer.add_image(np.stack([tissue[..., 0]] * 3), name="stack")
    widget = open_widget(viewer, qtbot)
    say(qtbot, widget, SENTENCE)
    type_in(qtbot, widget, "remove the border on the left")
    viewer.dims.ndisplay = 3
    assert "2-D" in widget.words.answer.text()
    assert layer_of(viewer, "place") is None
    assert history(widget) == []
    assert not widget.words.tell.isEnabled()
    with qtbot.waitSignal(widget.words.talker.heard, timeout=60_000):
        viewer.dims.ndisplay = 2
    assert chips(widget) == ["remove · border · left"]
    assert len(history(widget)) == 1


def test_the_image_may_go_while_one_is_typing(guide, viewer, qtbot):
    type_in(qtbot, guide, SENTENCE)
    viewer.layers.remove("tissue")
    settle(qtbot, guide)
    assert layer_of(viewer, "place") is None
    assert "open one" in guide.words.answer.text()


def test_the_outline_may_be_deleted(guide, viewer, qtbot):
    type_in(qtbot, guide, SENTENCE)
    viewer.layers.remove(layer_of(viewer, "place"))
    type_in(qtbot, guide, "remove the border on the left")
    assert len(layer_of(viewer, "place").data) == 4
    say(qtbot, guide, "remove the border on the left")
    assert layer_of(viewer, "place") is None


def test_a_sentence_before_the_first_labels_does_not_crash_what_is_drawn(
    make_napari_viewer, tissue, qtbot
):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(tissue, rgb=True, name="tissue")
    widget = open_widget(viewer, qtbot)
    type_in(qtbot, widget, SENTENCE)
    viewer.screenshot(flash=False)
    say(qtbot, widget, SENTENCE)
    viewer.screenshot(flash=False)
    assert layer_of(viewer, "labels") is not None


def test_closing_takes_the_outline_away(guide, viewer, qtbot):
    type_in(qtbot, guide, SENTENCE)
    guide.close()
    assert layer_of(viewer, "place") is None


def test_wordnet_is_offered_once(guide, qtbot, monkeypatch):
    words = guide.words
    found = [None]
    monkeypatch.setattr(wordnet, "find_wordnet", lambda: found[0])
    with qtbot.waitSignal(words.means.found, timeout=60_000):
        words.means.look()
    assert words.fetch.isVisibleTo(words)

    def refuse():
        raise InputError("no connection")

    monkeypatch.setattr(wordnet, "fetch_wordnet", refuse)
    with qtbot.waitSignal(guide.controller.problem, timeout=60_000) as caught:
        words.fetch.click()
        assert not words.fetch.isEnabled()
    assert caught.args == ["no connection"]
    qtbot.waitUntil(words.fetch.isEnabled, timeout=60_000)
    monkeypatch.setattr(wordnet, "fetch_wordnet", lambda: found.insert(0, object()))
    words.fetch.click()
    qtbot.waitUntil(lambda: not words.fetch.isVisibleTo(words), timeout=60_000)
    settle(qtbot, guide)


@pytest.fixture
def unguided_network(tmp_path):
    """The bundled network in a file of its own, without a text guide."""
    bundled = catalogue()["nuclei"].path
    path = tmp_path / "ours.safetensors"
    shutil.copy(bundled, path)
    shutil.copy(sidecar(bundled), sidecar(path))
    return path


@pytest.fixture
def guided_network(unguided_network):
    """The same, with a text guide that moves everything."""
    path = unguided_network
    network = open_network(path, "cpu")
    point = network.guide_points[-1]
    known = vocabulary(network.classes)
    purpose = Purpose(network.fingerprint, point.name, network.classes, ("find", "remove"))
    made = TextGuide(purpose, point.channels, known, word_vectors(known), hidden=8)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.uniform_(-0.5, 0.5)
    made.save(text_guide.beside(path))
    return path


def test_without_a_trained_guide_there_is_no_choice(guide, qtbot, unguided_network):
    qtbot.waitUntil(lambda: not guide.words.following.isHidden(), timeout=60_000)
    with qtbot.waitSignal(guide.opener.opened, timeout=60_000):
        guide.opener.open(unguided_network)
    qtbot.waitUntil(lambda: guide.words.following.isHidden(), timeout=60_000)
    settle(qtbot, guide)
    assert guide.words.following.isHidden()


def test_a_trained_guide_can_follow_the_words(guide, qtbot, guided_network):
    with qtbot.waitSignal(guide.opener.opened, timeout=60_000):
        guide.opener.open(guided_network)
    qtbot.waitUntil(lambda: not guide.words.following.isHidden(), timeout=60_000)
    settle(qtbot, guide)
    say(qtbot, guide, SENTENCE)
    probabilities = guide.controller.session.probabilities()
    by_words = guide.controller.session
    finish(qtbot, guide, lambda: guide.words.telling.textActivated.emit("text-guide"))
    session = guide.controller.session
    assert session is not by_words
    assert session.hints.texts == (TOP_LEFT,)
    assert not np.allclose(session.probabilities(), probabilities)
    type_in(qtbot, guide, "the border on the left should be nucleus")
    assert "trained to find, remove, not to replace" in guide.words.answer.text()
    guide.words.line.clear()
    finish(qtbot, guide, lambda: guide.words.telling.textActivated.emit("words"))
    assert guide.controller.session is by_words
