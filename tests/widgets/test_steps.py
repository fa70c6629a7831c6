"""Chips that are edited are steps to undo, between those of the clicks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from napari_guideme.widgets.sought import BY_NAME, BY_SENTENCE

from .conftest import finish
from .test_finding import CAT, cat, finding, open_tab, settle, shown, titles, type_name

__all__ = ["cat", "finding"]


def seen(widget):
    """All that an undo of a chip has to bring back."""
    names, layers = widget.finding.names, widget.controller.layers
    maps = [layers.found_by(role).data for role in ("stands in", "distracts")]
    return (
        (titles(names.positive), titles(names.negative)),
        [np.array(values) for values in (shown(widget), *maps, layers.clicks.data)],
    )


def same(one, other) -> bool:
    pairs = zip(one[1], other[1], strict=True)
    return one[0] == other[0] and all(np.array_equal(a, b) for a, b in pairs)


def do(qtbot, widget, action):
    finish(qtbot, widget, action)
    settle(qtbot, widget)
    return seen(widget)


def click(qtbot, widget, at, name):
    widget.controller.choose_class(name)
    return do(qtbot, widget, lambda: widget.controller.layers.clicks.add(at))


def take_chip(widget):
    return lambda: widget.finding.names.positive.chips[0].click()


@pytest.fixture
def found(finding, qtbot):
    finish(qtbot, finding, finding.finding.find.click)
    return finding


def test_chips_maps_mask_and_clicks_go_back_and_on_in_the_order_of_what_was_done(found, qtbot):
    at = tuple(np.argwhere(shown(found) > 0)[0].astype(float))
    done = [seen(found)]
    done.append(click(qtbot, found, at, "background"))
    done.append(do(qtbot, found, take_chip(found)))
    done.append(click(qtbot, found, (80, 100), "cat"))
    done.append(do(qtbot, found, take_chip(found)))
    done.append(
        do(qtbot, found, lambda: found.finding.options.method.textActivated.emit("gradient"))
    )
    assert not any(same(one, other) for one, other in pairwise(done))
    assert not found.redo.isEnabled()
    for before in done[-2::-1]:
        assert found.undo.isEnabled()
        assert same(do(qtbot, found, found.undo.click), before)
    assert found.finding.options.method.currentText() == "proxies"
    assert not found.undo.isEnabled()
    for after in done[1:]:
        assert found.redo.isEnabled()
        assert same(do(qtbot, found, found.redo.click), after)
    assert found.finding.options.method.currentText() == "gradient"
    assert not found.redo.isEnabled()


def test_a_change_after_an_undo_takes_the_place_of_what_was_undone(found, qtbot):
    first = seen(found)
    do(qtbot, found, take_chip(found))
    do(qtbot, found, found.undo.click)
    clicked = click(qtbot, found, (80, 100), "background")
    assert not found.redo.isEnabled()
    edited = do(qtbot, found, take_chip(found))
    assert same(do(qtbot, found, found.undo.click), clicked)
    assert same(do(qtbot, found, found.undo.click), first)
    do(qtbot, found, found.redo.click)
    assert same(do(qtbot, found, found.redo.click), edited)


def test_an_added_label_and_undo_on_the_keyboard(found, viewer, qtbot):
    first = seen(found)
    negative = found.finding.names.negative
    negative.add.setText(CAT)
    added = do(qtbot, found, negative.add.returnPressed.emit)
    assert CAT in added[0][1]
    layer = found.controller.layers.clicks
    (undo,) = (bound for key, bound in layer.keymap.items() if str(key) == "Ctrl+Z")
    assert same(do(qtbot, found, lambda: undo(layer)), first)


def test_finding_anew_that_was_cancelled_can_be_undone(found, qtbot):
    first = seen(found)
    found.finding.names.positive.chips[0].click()
    found.cancel.click()
    settle(qtbot, found)
    assert titles(found.finding.names.positive) != first[0][0]
    assert found.undo.isEnabled()
    assert same(do(qtbot, found, found.undo.click), first)
    after = do(qtbot, found, found.redo.click)
    assert not same(after, first)


def test_another_name_that_was_only_typed_gives_way(found, qtbot):
    first = seen(found)
    do(qtbot, found, take_chip(found))
    type_name(qtbot, found, "dog")
    assert titles(found.finding.names.positive) != first[0][0]
    assert same(do(qtbot, found, found.undo.click), first)
    assert found.finding.line.text() == "cat"
    type_name(qtbot, found, "dog")
    assert not found.finding.seeker.is_found


def test_many_edits_are_all_undone(found, qtbot):
    """More of them than there are images whose sessions are kept."""
    add = found.finding.names.negative.add
    done = [seen(found)]
    for label in ("quilt", "lynx", "pug", "vase", "sandal", "goose", "zebra", "drum", "acorn"):
        add.setText(label)
        done.append(do(qtbot, found, add.returnPressed.emit))
    for before in done[-2::-1]:
        assert same(do(qtbot, found, found.undo.click), before)


def test_who_answers_is_undone_too(viewer, cat, qtbot, referring):
    viewer.add_image(cat, name="chelsea")
    widget = type_name(qtbot, open_tab(qtbot, viewer), "cat")
    finish(qtbot, widget, widget.finding.find.click)
    before = shown(widget).copy()
    options = widget.finding.options.answering
    options.setCurrentIndex(options.findData(BY_SENTENCE))
    finish(qtbot, widget, lambda: options.activated.emit(options.currentIndex()))
    settle(qtbot, widget)
    assert widget.finding.names.isHidden()
    finish(qtbot, widget, widget.undo.click)
    settle(qtbot, widget)
    np.testing.assert_array_equal(shown(widget), before)
    assert options.currentData() != BY_SENTENCE
    assert options.currentData() != BY_NAME
    assert not widget.finding.names.isHidden()


def test_slices_are_undone_each_by_itself(viewer, cat, qtbot):
    grey = cat[..., 0]
    viewer.add_image(np.stack([grey, grey[:, ::-1]]), name="stack")
    viewer.dims.set_current_step(0, 0)
    widget = type_name(qtbot, open_tab(qtbot, viewer), "cat")
    finish(qtbot, widget, widget.finding.find.click)
    first = shown(widget).copy()
    viewer.dims.set_current_step(0, 1)
    finish(qtbot, widget, widget.finding.find.click)
    both = shown(widget).copy()
    finish(qtbot, widget, take_chip(widget))
    settle(qtbot, widget)
    np.testing.assert_array_equal(shown(widget)[0], first[0])
    assert (shown(widget)[1] != both[1]).any()
    finish(qtbot, widget, widget.undo.click)
    settle(qtbot, widget)
    np.testing.assert_array_equal(shown(widget), both)
    viewer.dims.set_current_step(0, 0)
    assert not widget.undo.isEnabled()
