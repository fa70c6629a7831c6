from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import tifffile
from imageio import v3 as imageio
from napari.layers._source import layer_source
from scipy import ndimage
from skimage.data import coins

from napari_guideme.cli import main
from napari_guideme.hints import Click, Hints
from napari_guideme.session import GuideSession
from napari_guideme.session_file import SUFFIX, read_session, reopened
from napari_guideme.widgets.autosave import Claim, abandoned
from tests.widgets.conftest import cut_out, finish, is_busy, open_widget


def settle(qtbot, widget) -> None:
    """Wait until nothing is refined, saved, looked for or resumed any more."""
    qtbot.wait(200)
    qtbot.waitUntil(lambda: not (is_busy(widget) or widget.sessions.is_busy), timeout=60_000)


def autosaves(state: Path) -> list[Path]:
    return sorted(state.rglob("*.guideme.json"))


def click(qtbot, widget, at, name="nucleus") -> None:
    widget.controller.choose_class(name)
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add(at))


def labels(widget) -> np.ndarray:
    return widget.controller.layers.labels.data.copy()


@pytest.fixture
def problems(guide) -> list[str]:
    told: list[str] = []
    guide.controller.problem.connect(told.append)
    return told


# -- while working ---------------------------------------------------------------


def test_nothing_is_written_before_there_is_anything_to_lose(guide, qtbot, state):
    settle(qtbot, guide)
    assert not list(state.rglob("*"))


def test_every_refinement_is_saved_and_nothing_tells_of_the_image(guide, qtbot, state):
    click(qtbot, guide, (20, 30))
    settle(qtbot, guide)
    (path,) = autosaves(state)
    first = read_session(path)
    assert first.parts[0].history.entries[-1].hints == Hints((Click((20, 30), "nucleus"),))
    assert first.parts[0].matches(guide.image.value.data)
    click(qtbot, guide, (60, 70), "background")
    settle(qtbot, guide)
    assert autosaves(state) == [path]
    assert len(read_session(path).parts[0].history.entries) == 3
    assert json.loads(path.read_text())["image"]["path"] is None
    assert "tissue" not in path.read_text()


@pytest.mark.parametrize(
    "lies", [{"scale": (3.0, 1.0)}, {"affine": np.diag([3.0, 1.0, 1.0])}], ids=["scale", "affine"]
)
def test_pixels_are_as_large_as_in_the_world_and_so_when_resumed(
    viewer, tissue, qtbot, state, lies
):
    viewer.add_image(tissue, rgb=True, name="tissue", **lies)
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, widget.run.click)
    click(qtbot, widget, (20, 30), "background")
    settle(qtbot, widget)
    assert widget.controller.session.spacing == pytest.approx((3**0.5, 3**-0.5))
    alone = GuideSession(tissue, widget.controller.session.network, channel_axis=-1, spacing=(3, 1))
    alone.add(Click((20, 30), "background"))
    for _ in alone.refine():
        pass
    np.testing.assert_array_equal(labels(widget), alone.labels())
    (path,) = autosaves(state)
    (part,) = read_session(path).parts
    assert part.setup.spacing == (3.0, 1.0)
    again = reopened(part, alone.network, tissue)
    for _ in again.replay(part.history):
        pass
    np.testing.assert_array_equal(again.probabilities(), alone.probabilities())


def test_slices_are_saved_together(viewer, tissue, qtbot, state):
    grey = np.stack([tissue[..., 0], tissue[..., 1], tissue[..., 2]])
    viewer.add_image(grey, name="stack")
    widget = open_widget(viewer, qtbot)
    for plane in (0, 2):
        viewer.dims.set_point(0, plane)
        finish(qtbot, widget, widget.run.click)
        click(qtbot, widget, (plane, 20, 30))
    settle(qtbot, widget)
    contents = read_session(*autosaves(state))
    assert [part.index for part in contents.parts] == [(0, 0, 0), (2, 0, 0)]
    assert all(part.matches(grey) for part in contents.parts)


def test_what_is_saved_is_gone_with_its_image(guide, viewer, qtbot, state):
    click(qtbot, guide, (20, 30))
    settle(qtbot, guide)
    viewer.layers.remove(guide.image.value)
    assert not list(state.rglob("*.*"))


@pytest.mark.parametrize("way", ["dock", "widget", "window"])
def test_a_proper_end_leaves_nothing(guide, viewer, qtbot, state, way):
    click(qtbot, guide, (20, 30))
    settle(qtbot, guide)
    assert autosaves(state)
    if way == "dock":
        viewer.window.remove_dock_widget(guide)
    elif way == "widget":
        guide.close()
    else:
        viewer.close()
        qtbot.wait(100)
    qtbot.waitUntil(lambda: not list(state.rglob("*.*")), timeout=5_000)


def test_a_folder_that_cannot_be_written_is_told_once(guide, qtbot, state, problems):
    (state / "napari-guideme").write_text("in the way")
    for at in ((20, 30), (60, 70)):
        click(qtbot, guide, at)
        settle(qtbot, guide)
    assert len(problems) == 1
    assert "not kept for a crash" in problems[0]


# -- after a crash ---------------------------------------------------------------

CRASH = """
    import os, signal, sys
    import napari, numpy as np
    from imageio import v3 as imageio
    from qtpy.QtTest import QTest
    from napari_guideme.widgets.guide import GuideWidget

    image, out, network, name, *clicks = sys.argv[1:]
    viewer = napari.Viewer(show=False)
    viewer.add_image(imageio.imread(image), name="before")
    widget = GuideWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.reset_choices()
    controller = widget.controller
    def wait():
        QTest.qWait(300)
        while controller.is_busy or widget.sessions.is_busy:
            QTest.qWait(20)
    wait()
    if network != "nuclei":
        widget.network.combo.setCurrentText(network)
        widget.network.chosen.emit(network)
    else:
        widget.run.click()
    wait()
    for at in clicks:
        if at == "next":
            widget.objects.mode.next_object()
        else:
            controller.choose_class(name)
            controller.layers.clicks.add(tuple(map(float, at.split(","))))
        wait()
    np.save(out, controller.layers.labels.data)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def crash(folder: Path, picture: np.ndarray, network: str, name: str, *clicks: str) -> np.ndarray:
    """Click in a real napari that is killed then; return the labels that were shown."""
    image, out = folder / "image.png", folder / "labels.npy"
    imageio.imwrite(image, picture)
    words = [sys.executable, "-c", textwrap.dedent(CRASH), image, out, network, name, *clicks]
    left = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    done = subprocess.run(
        list(map(str, words)), capture_output=True, timeout=240, check=False, env=left
    )
    assert done.returncode == -9, done.stderr.decode()[-2000:]
    return np.load(out)


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> tuple[Path, np.ndarray]:
    """The folder of a napari that was killed after two clicks, and the labels that it showed."""
    folder = tmp_path_factory.mktemp("killed")
    clicks = "20,30", "60,70.25"
    return folder, crash(folder, cut_out(), "nuclei", "background", *clicks)


@pytest.fixture
def before(killed, state) -> np.ndarray:
    """What was shown before the crash, whose autosave lies where it is looked for."""
    folder, labels = killed
    shutil.copytree(folder / "state", state, dirs_exist_ok=True)
    return labels


def test_after_a_crash_it_goes_on(viewer, tissue, qtbot, state, before):
    (path,) = autosaves(state)
    viewer.add_image(tissue, name="my <tissue>")
    widget = open_widget(viewer, qtbot)
    settle(qtbot, widget)
    offer = widget.sessions.offer
    assert not offer.isHidden()
    assert "my &lt;tissue&gt;" in offer.text.text()
    offer.go_on.click()
    settle(qtbot, widget)
    assert offer.isHidden()
    np.testing.assert_array_equal(labels(widget), before)
    clicks = widget.controller.layers.clicks
    np.testing.assert_array_equal(clicks.data, [[20, 30], [60, 70.25]])
    assert list(clicks.features["class"]) == ["background"] * 2
    finish(qtbot, widget, widget.undo.click)
    assert len(clicks.data) == 1
    finish(qtbot, widget, widget.redo.click)
    np.testing.assert_array_equal(labels(widget), before)
    # The same file goes on, and a proper end removes it.
    settle(qtbot, widget)
    assert autosaves(state) == [path]
    viewer.window.remove_dock_widget(widget)
    assert not list(state.rglob("*.*"))


def test_after_a_crash_objects_are_there_again(viewer, qtbot, state, tmp_path):
    picture = coins()[100:240, 160:320]
    before = crash(tmp_path, picture, "click", "object", "25,46", "next", "19,111")
    shutil.copytree(tmp_path / "state", state, dirs_exist_ok=True)
    viewer.add_image(picture, name="coins")
    widget = open_widget(viewer, qtbot)
    settle(qtbot, widget)
    widget.sessions.offer.go_on.click()
    settle(qtbot, widget)
    assert widget.controller.network.label == "click"
    assert widget.network.combo.currentText() == "click"
    np.testing.assert_array_equal(labels(widget), before)
    assert before[19, 111] == 1
    kept = widget.controller.layers.kept.data
    assert (kept[25, 46], kept[19, 111]) == (1, 0)


@pytest.mark.usefixtures("before")
def test_what_is_discarded_is_gone(viewer, tissue, qtbot, state):
    viewer.add_image(tissue, name="tissue")
    widget = open_widget(viewer, qtbot)
    settle(qtbot, widget)
    widget.sessions.offer.discard.click()
    settle(qtbot, widget)
    assert widget.sessions.offer.isHidden()
    assert not list(state.rglob("*.*"))


@pytest.mark.usefixtures("before")
def test_another_image_is_offered_nothing_and_an_unanswered_offer_stays(
    viewer, tissue, qtbot, state
):
    viewer.add_image(tissue[:, ::-1].copy(), name="mirrored")
    widget = open_widget(viewer, qtbot)
    settle(qtbot, widget)
    assert widget.sessions.offer.isHidden()
    viewer.add_image(tissue, name="tissue")
    widget.image.value = viewer.layers["tissue"]
    settle(qtbot, widget)
    assert not widget.sessions.offer.isHidden()
    viewer.window.remove_dock_widget(widget)
    assert len(autosaves(state)) == 1
    assert not list(state.rglob("*.lock"))


def test_what_was_half_written_when_napari_died_is_removed(tmp_path):
    name = f"some{SUFFIX}"
    half = tmp_path / f".123-{name}"
    half.write_text("{")
    running = Claim(tmp_path / name)
    assert running.take()
    assert not list(abandoned(tmp_path))
    assert half.exists()  # Its napari may just be writing it.
    running.release()
    assert not list(abandoned(tmp_path))
    assert not half.exists()


@pytest.mark.usefixtures("before")
def test_clicks_that_were_made_before_continuing_count_too(viewer, tissue, qtbot, state):
    viewer.add_image(tissue, name="tissue")
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, widget.run.click)
    click(qtbot, widget, (100, 120))
    settle(qtbot, widget)
    widget.sessions.offer.go_on.click()
    settle(qtbot, widget)
    old = (Click(at, "background") for at in ((20.0, 30.0), (60.0, 70.25)))
    hints = Hints((*old, Click((100.0, 120.0), "nucleus")))
    assert widget.controller.session.hints == hints
    settle(qtbot, widget)
    (path,) = autosaves(state)
    assert read_session(path).parts[0].history.entries[-1].hints == hints


def test_a_napari_that_still_runs_is_not_taken_for_a_crash(guide, qtbot, state, tissue, viewer):
    click(qtbot, guide, (20, 30))
    settle(qtbot, guide)
    viewer.add_image(tissue, name="again", rgb=True)
    guide.image.value = viewer.layers["again"]
    settle(qtbot, guide)
    assert guide.sessions.offer.isHidden()
    assert len(autosaves(state)) == 1


def test_what_is_broken_is_not_offered(viewer, tissue, qtbot, state):
    folder = state / "napari-guideme" / "sessions"
    folder.mkdir(parents=True)
    (folder / "x.guideme.json").write_text('{"format": "napari-guideme session"')
    viewer.add_image(tissue, name="tissue")
    widget = open_widget(viewer, qtbot)
    settle(qtbot, widget)
    assert widget.sessions.offer.isHidden()


# -- files -----------------------------------------------------------------------


def test_a_saved_session_is_opened_in_another_viewer_and_replayed_in_the_shell(
    guide, qtbot, tmp_path, make_napari_viewer
):
    click(qtbot, guide, (20, 30), "background")
    click(qtbot, guide, (60, 70))
    before, pixels = labels(guide), guide.image.value.data
    imageio.imwrite(tmp_path / "image.png", pixels)
    path = tmp_path / "work.guideme.json"
    guide.sessions.save_to(tmp_path / "work")
    settle(qtbot, guide)
    words = ["replay", path, "--image", tmp_path / "image.png", "-o", tmp_path / "a.tif"]
    assert main(list(map(str, words))) == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), before)
    other = make_napari_viewer()
    other.add_image(pixels, name="elsewhere")
    widget = open_widget(other, qtbot)
    widget.sessions.open_from(path)
    settle(qtbot, widget)
    np.testing.assert_array_equal(labels(widget), before)


def test_a_volume_that_was_corrected_in_the_shell_is_opened(viewer, nuclei, qtbot, tmp_path):
    image, hints, path, out = (tmp_path / n for n in ("n.tif", "h.json", "w.guideme.json", "l.tif"))
    tifffile.imwrite(image, nuclei, photometric="minisblack")
    clicks = [{"at": (index, 40, 50), "class": "background"} for index in (1, 4)]
    hints.write_text(json.dumps({"clicks": clicks}))
    words = ["refine", image, "--hints", hints, "--carry", "onward", "-o", out]
    assert main(list(map(str, [*words, "--save-session", path]))) == 0
    viewer.add_image(nuclei, name="nuclei")
    widget = open_widget(viewer, qtbot)
    widget.sessions.open_from(path)
    settle(qtbot, widget)
    for index in (1, 4):
        np.testing.assert_array_equal(labels(widget)[index], tifffile.imread(out)[index])
    assert len(widget.controller.layers.clicks.data) == 2


def test_a_slice_that_was_carried_to_comes_back_as_it_was(
    viewer, nuclei, qtbot, tmp_path, make_napari_viewer
):
    viewer.add_image(nuclei, name="nuclei")
    viewer.dims.set_point(0, 3)
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, widget.run.click)
    depth = ndimage.distance_transform_edt(labels(widget)[3] == 1)
    click(qtbot, widget, (3, *np.unravel_index(depth.argmax(), depth.shape)), "background")
    next(b for b in widget.carry.extents.buttons() if b.objectName() == "onward").click()
    settle(qtbot, widget)
    viewer.dims.set_point(0, 4)
    settle(qtbot, widget)
    carried = labels(widget)[4]
    click(qtbot, widget, (4, 20, 30), "border")
    settle(qtbot, widget)
    before = labels(widget)
    assert (before[4] != carried).any()
    widget.sessions.save_to(tmp_path / "work.guideme.json")
    settle(qtbot, widget)
    other = make_napari_viewer()
    other.add_image(nuclei, name="elsewhere")
    again = open_widget(other, qtbot)
    again.sessions.open_from(tmp_path / "work.guideme.json")
    settle(qtbot, again)
    for plane in (3, 4):
        np.testing.assert_array_equal(labels(again)[plane], before[plane])
    other.dims.set_point(0, 4)
    finish(qtbot, again, again.undo.click)
    np.testing.assert_array_equal(labels(again)[4], carried)


@pytest.mark.parametrize(
    ("name", "is_kept"), [("Erika.nii.gz", False), ("Erika", False), ("cells.tif", True)]
)
def test_a_session_keeps_no_path_of_what_may_be_a_patients(viewer, qtbot, tmp_path, name, is_kept):
    (tmp_path / name).touch()
    with layer_source(path=str(tmp_path / name)):
        viewer.add_image(cut_out(), name="image")
    widget = open_widget(viewer, qtbot)
    click(qtbot, widget, (20, 30))
    widget.sessions.save_to(tmp_path / "work")
    settle(qtbot, widget)
    told = json.loads((tmp_path / "work.guideme.json").read_text())
    assert told["image"]["path"] == (name if is_kept else None)
    for panel in (widget.sessions, widget.applying):
        panel.ask_where_to_save()
        proposed = Path(panel.dialog.selectedFiles()[0]).name
        assert proposed.startswith("cells." if is_kept else "untitled.")
        panel.dialog.close()


def test_a_session_of_the_shell_opens_its_image(viewer, qtbot, tmp_path):
    image, path = tmp_path / "tissue.png", tmp_path / "work.guideme.json"
    imageio.imwrite(image, cut_out())
    hints = tmp_path / "hints.json"
    hints.write_text(json.dumps({"clicks": [{"at": [20, 30], "class": "background"}]}))
    words = ["refine", image, "--hints", hints, "--say", "there is no nucleus at the top"]
    words += ["-o", tmp_path / "a.tif", "--save-session", path]
    assert main(list(map(str, words))) == 0
    widget = open_widget(viewer, qtbot)
    widget.sessions.open_from(path)
    settle(qtbot, widget)
    assert widget.image.value.name == "tissue"
    np.testing.assert_array_equal(labels(widget), tifffile.imread(tmp_path / "a.tif"))
    assert len(widget.controller.layers.clicks.data) == 1
    assert [entry.counts for entry in widget.words.talker.history] == [True]


def test_a_session_of_an_image_that_is_not_there_says_so(guide, qtbot, tmp_path, problems):
    click(qtbot, guide, (20, 30))
    path = tmp_path / "work.guideme.json"
    guide.sessions.save_to(path)
    settle(qtbot, guide)
    told = json.loads(path.read_text())
    told["parts"][0]["sha256"] = "0" * 64
    told["image"]["path"] = "gone.tif"
    path.write_text(json.dumps(told))
    before = labels(guide)
    guide.sessions.open_from(path)
    settle(qtbot, guide)
    assert "gone.tif" in problems[0]
    np.testing.assert_array_equal(labels(guide), before)


def test_a_session_of_another_network_is_refused_and_nothing_changes(
    guide, qtbot, tmp_path, problems, state
):
    click(qtbot, guide, (20, 30))
    path = tmp_path / "work.guideme.json"
    guide.sessions.save_to(path)
    settle(qtbot, guide)
    told = json.loads(path.read_text())
    told["network"]["fingerprint"] = "0" * 64
    path.write_text(json.dumps(told))
    before = labels(guide)
    guide.sessions.open_from(path)
    settle(qtbot, guide)
    assert "network nuclei (000000000000)" in problems[0]
    np.testing.assert_array_equal(labels(guide), before)
    click(qtbot, guide, (60, 70))
    assert len(guide.controller.session.hints) == 2
    settle(qtbot, guide)
    assert len(autosaves(state)) == 1


def test_there_is_nothing_to_save_at_first(guide, problems):
    guide.sessions.save.click()
    assert "nothing was corrected" in problems[0]
    assert guide.sessions.dialog is None


def test_dialogues_save_and_open(guide, qtbot, tmp_path):
    click(qtbot, guide, (20, 30), "background")
    before = labels(guide)
    guide.sessions.save.click()
    dialog = guide.sessions.dialog
    assert dialog.isVisible()
    assert dialog.selectedFiles()[0].endswith("tissue.guideme.json")
    dialog.fileSelected.emit(str(tmp_path / "work.guideme.json"))
    dialog.close()
    settle(qtbot, guide)
    finish(qtbot, guide, guide.clear.click)
    assert not len(guide.controller.layers.clicks.data)
    guide.sessions.open.click()
    guide.sessions.dialog.fileSelected.emit(str(tmp_path / "work.guideme.json"))
    guide.sessions.dialog.close()
    settle(qtbot, guide)
    assert len(guide.controller.layers.clicks.data) == 1
    np.testing.assert_array_equal(labels(guide), before)


def test_a_file_that_nobody_was_asked_about_is_not_replaced(guide, qtbot, tmp_path, problems):
    click(qtbot, guide, (20, 30))
    for panel, name in (
        (guide.sessions, "my.cells.guideme.json"),
        (guide.applying, "my.cells.guidance.safetensors"),
    ):
        (tmp_path / name).write_text("older")
        panel.ask_where_to_save()
        panel.dialog.fileSelected.emit(str(tmp_path / "my.cells"))
        panel.dialog.close()
        assert problems.pop() == (
            f"{name} is there already; choose it by its whole name to replace it"
        )
        settle(qtbot, guide)
        assert (tmp_path / name).read_text() == "older"


def test_sentences_are_kept_as_they_were_typed(guide, qtbot, state):
    sentence = "there is no nucleus at the top"
    finish(qtbot, guide, lambda: guide.words.talker.tell(sentence))
    settle(qtbot, guide)
    history = read_session(*autosaves(state)).parts[0].history
    assert set(history.sentences.values()) == {sentence}


@pytest.mark.usefixtures("before")
def test_resuming_can_be_cancelled_and_is_offered_again(viewer, tissue, qtbot, state):
    viewer.add_image(tissue, name="tissue")
    widget = open_widget(viewer, qtbot)
    settle(qtbot, widget)
    widget.sessions.offer.go_on.click()
    assert widget.sessions.resumer.is_busy
    assert not widget.cancel.isHidden()
    assert not widget.run.isEnabled()
    widget.cancel.click()
    settle(qtbot, widget)
    assert widget.run.isEnabled()
    assert len(autosaves(state)) == 1
    assert not widget.sessions.offer.isHidden()
    widget.sessions.offer.go_on.click()
    settle(qtbot, widget)
    assert len(widget.controller.layers.clicks.data) == 2


def test_a_network_from_a_file_is_opened_again(
    viewer, qtbot, tmp_path, untrained_click_network, make_napari_viewer
):
    picture = coins()[100:164, 160:224]
    viewer.add_image(picture, name="coins")
    widget = open_widget(viewer, qtbot)
    widget.opener.open(untrained_click_network)
    settle(qtbot, widget)
    qtbot.waitUntil(lambda: widget.controller.network.label == "untrained", timeout=60_000)
    settle(qtbot, widget)
    click(qtbot, widget, (20, 30), "object")
    before = labels(widget)
    widget.sessions.save_to(tmp_path / "work.guideme.json")
    settle(qtbot, widget)
    other = make_napari_viewer()
    other.add_image(picture, name="coins")
    again = open_widget(other, qtbot)
    again.sessions.open_from(tmp_path / "work.guideme.json")
    settle(qtbot, again)
    assert again.network.combo.currentText() == "untrained"
    np.testing.assert_array_equal(labels(again), before)
    assert len(again.controller.session.hints) == 1


def test_sessions_of_many_slices_are_not_all_held(viewer, tissue, qtbot, state):
    viewer.add_image(np.stack([tissue[:64, :64, 0]] * 10), name="stack")
    widget = open_widget(viewer, qtbot)
    for plane in range(10):
        viewer.dims.set_point(0, plane)
        finish(qtbot, widget, widget.run.click)
        click(qtbot, widget, (plane, 20, 30))
        settle(qtbot, widget)
    work = widget.sessions.autosave.work(widget.image.value, widget.controller.network)
    assert len(work.parts) == 10
    assert all(opened is None for _, opened in work.parts.values())
    assert len(read_session(*autosaves(state)).parts) == 10
