"""Things that were found by name or by a sentence: saved, autosaved, offered after a crash."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tifffile
from imageio import v3 as imageio

from napari_guideme.cli import main
from napari_guideme.session_file import read_session
from napari_guideme.widgets.sought import BY_NAME

from .conftest import finish, open_widget
from .test_finding import cat, open_tab, shown, titles, type_name
from .test_sessions import autosaves, settle

__all__ = ["cat"]

SENTENCE = "the larger dog on the left"


def find(qtbot, widget, text):
    type_name(qtbot, widget, text)
    finish(qtbot, widget, widget.finding.find.click)
    rest(qtbot, widget)


def rest(qtbot, widget):
    """Wait for all that runs, also for what is looked up."""
    settle(qtbot, widget)
    qtbot.waitUntil(lambda: not widget.finding.is_busy, timeout=60_000)


def click(qtbot, widget, at, name):
    widget.controller.choose_class(name)
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add(at))
    rest(qtbot, widget)


def take_chip(qtbot, widget):
    finish(qtbot, widget, widget.finding.names.positive.chips[0].click)
    rest(qtbot, widget)


def chips(widget):
    names = widget.finding.names
    return titles(names.positive), titles(names.negative)


@pytest.fixture
def looking(viewer, cat, qtbot, referring):
    viewer.add_image(cat, name="Mrs Smith")
    return open_tab(qtbot, viewer)


def test_what_is_found_is_autosaved_with_chips_and_clicks(looking, qtbot, state, cat):
    assert not autosaves(state)
    find(qtbot, looking, "the cat")
    (path,) = autosaves(state)
    before = read_session(path).parts[0].search
    take_chip(qtbot, looking)
    click(qtbot, looking, (5, 5), "cat")
    assert autosaves(state) == [path]
    contents = read_session(path)
    (part,) = contents.parts
    assert part.search.positive == before.positive[1:]
    assert [hint.at for hint in part.history.entries[-1].hints] == [(5, 5)]
    assert part.matches(cat)
    assert "Smith" not in path.read_text()
    finish(qtbot, looking, looking.undo.click)
    finish(qtbot, looking, looking.undo.click)
    rest(qtbot, looking)
    assert read_session(path).parts[0].search == before


@pytest.mark.parametrize("text", ["cat", SENTENCE])
def test_a_saved_search_is_replayed_in_the_shell_and_opened_in_another_viewer(
    looking, viewer, cat, qtbot, tmp_path, make_napari_viewer, text
):
    find(qtbot, looking, text)
    if text == "cat":
        take_chip(qtbot, looking)
    name = looking.controller.classes[1]
    on = np.argwhere(shown(looking) > 0)[0].astype(float)
    click(qtbot, looking, tuple(on), "background")
    click(qtbot, looking, (60, 20), name)
    before, told = shown(looking).copy(), chips(looking)
    path, out = tmp_path / "cat.guideme.json", tmp_path / "a.tif"
    assert looking.sessions.isVisibleTo(looking)
    looking.sessions.save_to(path)
    rest(qtbot, looking)
    imageio.imwrite(tmp_path / "cat.png", cat)
    words = ["replay", path, "--image", tmp_path / "cat.png", "-o", out]
    assert main(list(map(str, words))) == 0
    np.testing.assert_array_equal(tifffile.imread(out), before)
    viewer.layers.clear()
    other = make_napari_viewer()
    other.add_image(cat, name="elsewhere")
    widget = open_widget(other, qtbot)
    widget.sessions.open_from(path)
    rest(qtbot, widget)
    assert widget.tabs.currentIndex() == 1
    assert widget.finding.line.text() == text
    assert widget.finding.seeker.is_found
    assert chips(widget) == told
    np.testing.assert_array_equal(shown(widget), before)
    np.testing.assert_array_equal(widget.controller.layers.clicks.data, [on, (60, 20)])
    finish(qtbot, widget, widget.undo.click)
    finish(qtbot, widget, widget.redo.click)
    np.testing.assert_array_equal(shown(widget), before)
    if text == "cat":
        take_chip(qtbot, widget)
        assert chips(widget)[0] == told[0][1:]
        finish(qtbot, widget, widget.undo.click)
        np.testing.assert_array_equal(shown(widget), before)


def test_who_was_made_to_answer_is_there_again(looking, cat, qtbot, tmp_path, make_napari_viewer):
    options = looking.finding.options.answering
    options.setCurrentIndex(options.findData(BY_NAME))
    options.activated.emit(options.currentIndex())
    type_name(qtbot, looking, SENTENCE)
    names = looking.finding.names
    names.positive.add.setText("lynx")
    names.positive.add.returnPressed.emit()
    finish(qtbot, looking, looking.finding.find.click)
    before, told, path = shown(looking).copy(), chips(looking), tmp_path / "lynx.guideme.json"
    assert "lynx" in told[0]
    looking.sessions.save_to(path)
    rest(qtbot, looking)
    other = make_napari_viewer()
    other.add_image(cat, name="elsewhere")
    widget = open_widget(other, qtbot)
    widget.sessions.open_from(path)
    rest(qtbot, widget)
    assert widget.finding.options.answering.currentData() == BY_NAME
    assert chips(widget) == told
    np.testing.assert_array_equal(shown(widget), before)


def test_slices_keep_each_the_way_they_were_seen_and_found_in(
    viewer, cat, qtbot, tmp_path, make_napari_viewer
):
    grey = (30 * cat.mean(2)).astype(np.uint16)
    stack = np.stack([grey, grey[:, ::-1], grey[::-1]])
    layer = viewer.add_image(stack, name="stack", contrast_limits=(0, 6000))
    viewer.dims.set_current_step(0, 0)
    widget = open_tab(qtbot, viewer)
    find(qtbot, widget, "cat")
    viewer.dims.set_current_step(0, 1)
    layer.contrast_limits = (1000, 5000)
    finish(qtbot, widget, widget.finding.find.click)
    take_chip(qtbot, widget)
    click(qtbot, widget, (1, 50, 75), "background")
    before, told = shown(widget).copy(), chips(widget)
    path = tmp_path / "stack.guideme.json"
    widget.sessions.save_to(path)
    rest(qtbot, widget)
    first, second = (part.search for part in read_session(path).parts)
    assert (first.limits, second.limits) == ((0, 6000), (1000, 5000))
    assert first.positive[1:] == second.positive
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    words = ["replay", path, "--image", tmp_path / "stack.tif", "-o", tmp_path / "a.tif"]
    assert main(list(map(str, words))) == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), before)
    other = make_napari_viewer()
    other.add_image(stack, name="elsewhere")
    again = open_widget(other, qtbot)
    again.sessions.open_from(path)
    rest(qtbot, again)
    np.testing.assert_array_equal(shown(again), before)
    assert other.dims.current_step[0] == 1
    assert chips(again) == told


def test_what_does_not_fit_is_told_and_nothing_changes(looking, cat, qtbot, tmp_path):
    find(qtbot, looking, "cat")
    before, path = shown(looking).copy(), tmp_path / "cat.guideme.json"
    looking.sessions.save_to(path)
    rest(qtbot, looking)
    told = json.loads(path.read_text())
    told["parts"][0]["search"]["classifier"]["fingerprint"] = "0" * 64
    path.write_text(json.dumps(told))
    problems: list[str] = []
    looking.controller.problem.connect(problems.append)
    looking.sessions.open_from(path)
    rest(qtbot, looking)
    assert len(problems) == 1
    assert "not the classifier" in problems[0]
    np.testing.assert_array_equal(shown(looking), before)
    click(qtbot, looking, (5, 5), "cat")
    assert shown(looking)[5, 5] == 1


CRASH = """
    import os, signal, sys
    import napari, numpy as np
    from imageio import v3 as imageio
    from qtpy.QtTest import QTest
    from napari_guideme.widgets.guide import GuideWidget

    image, out = sys.argv[1:]
    viewer = napari.Viewer(show=False)
    viewer.add_image(imageio.imread(image), name="before")
    widget = GuideWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.reset_choices()
    controller = widget.controller
    def wait():
        QTest.qWait(300)
        while controller.is_busy or widget.sessions.is_busy or widget.finding.is_busy:
            QTest.qWait(20)
    wait()
    widget.tabs.setCurrentIndex(1)
    widget.finding.line.setText("cat")
    wait()
    widget.finding.find.click()
    wait()
    widget.finding.names.positive.chips[0].click()
    wait()
    controller.choose_class("background")
    controller.layers.clicks.add((50.0, 75.0))
    wait()
    np.save(out, controller.layers.labels.data)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_a_crash_it_goes_on(viewer, cat, qtbot, state, tmp_path):
    image, out = tmp_path / "image.png", tmp_path / "labels.npy"
    imageio.imwrite(image, cat)
    left = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    words = [sys.executable, "-c", textwrap.dedent(CRASH), str(image), str(out)]
    done = subprocess.run(words, capture_output=True, timeout=240, check=False, env=left)
    assert done.returncode == -9, done.stderr.decode()[-2000:]
    shutil.copytree(tmp_path / "state", state, dirs_exist_ok=True)
    (path,) = autosaves(state)
    viewer.add_image(cat, name="my <cat>")
    widget = open_widget(viewer, qtbot)
    rest(qtbot, widget)
    offer = widget.sessions.offer
    assert not offer.isHidden()
    assert "you looked for <b>cat</b> in <b>my &lt;cat&gt;</b>" in offer.text.text()
    offer.go_on.click()
    rest(qtbot, widget)
    assert offer.isHidden()
    np.testing.assert_array_equal(shown(widget), np.load(out))
    np.testing.assert_array_equal(widget.controller.layers.clicks.data, [[50, 75]])
    assert len(titles(widget.finding.names.positive)) == 4
    assert autosaves(state) == [path]
    viewer.window.remove_dock_widget(widget)
    assert not list(state.rglob("*.*"))
