from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from imageio import v3 as imageio
from skimage.data import coins, immunohistochemistry

from napari_guideme.cli import main
from napari_guideme.hints import Click
from napari_guideme.networks.catalogue import open_network
from napari_guideme.session_file import (
    ImageReference,
    NetworkReference,
    SessionFile,
    Setup,
    digest,
    open_session,
    save_session,
    saved_part,
)

CLICKS = {"clicks": [{"at": [60, 70], "class": "background"}, {"at": [20, 30], "class": "nucleus"}]}


def shell(*words) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "napari_guideme.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def written(path: Path, entries: dict) -> Path:
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


@pytest.fixture
def tissue(tmp_path) -> Path:
    path = tmp_path / "tissue.png"
    imageio.imwrite(path, immunohistochemistry()[300:396, 160:272])
    return path


@pytest.fixture
def session(tissue, tmp_path) -> Path:
    """A session file with a click and a sentence, and the labels beside it."""
    path = tmp_path / "work.guideme.json"
    clicks = written(tmp_path / "hints.json", CLICKS)
    words = ["refine", tissue, "--hints", clicks, "--say", "there is no nucleus on the left"]
    assert main([*map(str, words), "-o", str(tmp_path / "a.tif"), "--save-session", str(path)]) == 0
    return path


def test_a_real_process_replays_what_another_one_saved(tissue, tmp_path):
    path, before, after = (tmp_path / name for name in ("a.guideme.json", "a.tif", "b.tif"))
    clicks = written(tmp_path / "hints.json", CLICKS)
    words = ["--hints", clicks, "--instances", "--method", "guide-me", "--zoom", 64]
    done = shell("refine", tissue, *words, "-o", before, "--save-session", path)
    assert done.returncode == 0, done.stderr
    done = shell("replay", path, "-o", after)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(tifffile.imread(before), tifffile.imread(after))
    assert tifffile.imread(before).max() > 2


def test_labels_do_not_replace_the_image_of_a_session(session, tissue, capsys):
    before = tissue.read_bytes()
    assert main(["replay", str(session), "-o", str(tissue)]) == 2
    told = "-o is the same file as IMAGE; choose another name"
    assert capsys.readouterr().err == f"napari-guideme: {told}\n"
    assert tissue.read_bytes() == before


def test_a_spacing_counts_and_is_replayed(tissue, tmp_path):
    clicks = written(tmp_path / "hints.json", CLICKS)
    labels = []
    for name, more in (("square", []), ("same", ["--spacing=3,3"]), ("tall", ["--spacing=4,1"])):
        out, path = tmp_path / f"{name}.tif", tmp_path / f"{name}.guideme.json"
        words = ["refine", tissue, "--hints", clicks, "-o", out, "--save-session", path, *more]
        assert main([*map(str, words)]) == 0
        labels.append(tifffile.imread(out))
    np.testing.assert_array_equal(labels[0], labels[1])
    assert (labels[0] != labels[2]).any()
    assert main(["replay", str(path), "-o", str(tmp_path / "again.tif")]) == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "again.tif"), labels[2])


def test_words_are_replayed(session, tmp_path):
    assert main(["replay", str(session), "-o", str(tmp_path / "b.tif")]) == 0
    before, after = (tifffile.imread(tmp_path / f"{name}.tif") for name in "ab")
    np.testing.assert_array_equal(before, after)
    assert "there is no nucleus on the left" in session.read_text()


def test_an_object_with_a_mask_to_begin_with_is_replayed(tmp_path):
    image, mask = tmp_path / "coins.tif", tmp_path / "mask.tif"
    tifffile.imwrite(image, coins()[100:240, 160:320])
    drawn = np.zeros((140, 160), np.uint8)
    drawn[10:40, 32:60] = 3
    tifffile.imwrite(mask, drawn)
    clicks = written(tmp_path / "hints.json", {"clicks": [{"at": [5, 5], "class": "background"}]})
    path, before, after = (tmp_path / name for name in ("a.guideme.json", "a.tif", "b.tif"))
    words = ["refine", image, "--network", "click", "--mask", mask, "--hints", clicks]
    assert main([*map(str, words), "-o", str(before), "--save-session", str(path)]) == 0
    assert main(["replay", str(path), "-o", str(after)]) == 0
    np.testing.assert_array_equal(tifffile.imread(before), tifffile.imread(after))
    assert tifffile.imread(before).any()


def test_a_changed_image_is_refused_by_name(session, tissue, tmp_path, capsys):
    pixels = imageio.imread(tissue)
    pixels[0, 0] ^= 1
    imageio.imwrite(tissue, pixels)
    assert main(["replay", str(session), "-o", str(tmp_path / "b.tif")]) == 2
    told = capsys.readouterr().err
    assert "tissue.png is not the image of this session" in told
    assert told.count("\n") == 1
    assert not (tmp_path / "b.tif").exists()


def test_another_network_is_refused_by_name(session, tmp_path, capsys):
    words = ["replay", session, "--network", "click", "-o", tmp_path / "b.tif"]
    assert main(list(map(str, words))) == 2
    told = capsys.readouterr().err
    assert "the network nuclei" in told
    assert "click (" in told
    assert not (tmp_path / "b.tif").exists()


def test_an_image_that_moved_can_be_named(session, tissue, tmp_path, capsys):
    (tmp_path / "new").mkdir()
    moved = tissue.rename(tmp_path / "new" / "other.png")
    words = ["replay", str(session), "-o", str(tmp_path / "b.tif")]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "tissue.png" in told
    assert "--image" in told
    assert main([*words, "--image", str(moved)]) == 0
    before, after = (tifffile.imread(tmp_path / f"{name}.tif") for name in "ab")
    np.testing.assert_array_equal(before, after)


def test_a_network_file_that_changed_is_refused(tmp_path, untrained_click_network, capsys):
    image = tmp_path / "coins.tif"
    tifffile.imwrite(image, coins()[100:164, 160:224])
    clicks = written(tmp_path / "hints.json", {"clicks": [{"at": [20, 30], "class": "object"}]})
    path, labels = tmp_path / "a.guideme.json", tmp_path / "a.tif"
    words = ["refine", image, "--network", untrained_click_network, "--hints", clicks]
    words = list(map(str, [*words, "-o", labels, "--save-session", path]))
    assert main(words) == 0
    assert json.loads(path.read_text())["network"]["path"] == "untrained.safetensors"
    assert main(["replay", str(path), "-o", str(tmp_path / "b.tif")]) == 0
    np.testing.assert_array_equal(*(tifffile.imread(tmp_path / f"{n}.tif") for n in "ab"))
    card = untrained_click_network.with_name("untrained.guideme.toml")
    card.write_text(card.read_text().replace('"dtype"', '"none"'))
    assert main(["replay", str(path), "-o", str(tmp_path / "c.tif")]) == 2
    assert "untrained.safetensors" in capsys.readouterr().err


def test_a_network_that_moved_can_be_named(tmp_path, untrained_click_network, capsys):
    image = tmp_path / "coins.tif"
    tifffile.imwrite(image, coins()[100:164, 160:224])
    clicks = written(tmp_path / "hints.json", {"clicks": [{"at": [20, 30], "class": "object"}]})
    path = tmp_path / "a.guideme.json"
    words = ["refine", image, "--network", untrained_click_network, "--hints", clicks]
    words += ["-o", tmp_path / "a.tif", "--save-session", path]
    assert main(list(map(str, words))) == 0
    (tmp_path / "new").mkdir()
    for file in list(tmp_path.glob("untrained.*")):
        file.rename(tmp_path / "new" / file.name)
    words = ["replay", str(path), "-o", str(tmp_path / "b.tif")]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "the network untrained.safetensors of a.guideme.json is not in" in told
    assert main([*words, "--network", str(tmp_path / "new/untrained.safetensors")]) == 0
    np.testing.assert_array_equal(*(tifffile.imread(tmp_path / f"{n}.tif") for n in "ab"))


@pytest.mark.parametrize("name", ["work.json", "none/work.guideme.json"])
def test_a_bad_place_for_a_session_is_refused_before_any_work(tissue, tmp_path, name, capsys):
    clicks = written(tmp_path / "hints.json", CLICKS)
    words = ["refine", tissue, "--hints", clicks, "-o", tmp_path / "a.tif"]
    assert main([*map(str, words), "--save-session", str(tmp_path / name)]) == 2
    assert name.split("/")[-1] in capsys.readouterr().err
    assert not (tmp_path / "a.tif").exists()


def test_a_broken_session_is_one_line_and_exit_code_2(session, tmp_path, capsys):
    session.write_text(session.read_text()[:-40])
    assert main(["replay", str(session), "-o", str(tmp_path / "b.tif")]) == 2
    told = capsys.readouterr().err
    assert told.startswith("napari-guideme: work.guideme.json: ")
    assert told.count("\n") == 1


def test_slices_of_all_volumes_of_a_file_are_replayed(tmp_path):
    """As the widget saves them: its layer holds time points as well as planes."""
    network = open_network("click")
    pixels = np.zeros((2, 3, 140, 160), np.uint8)
    pixels[1, 2] = coins()[100:240, 160:320]
    tifffile.imwrite(tmp_path / "stack.tif", pixels, imagej=True, metadata={"axes": "TZYX"})
    session = open_session(Setup(), network, pixels[1, 2])
    session.add(Click((25, 46), "object"))
    list(session.refine())
    part = saved_part(session, Setup(), digest(pixels[1, 2]), (2, 3), (1, 2, 0, 0))
    image = ImageReference.of(pixels, tmp_path / "stack.tif")
    path, out = tmp_path / "a.guideme.json", tmp_path / "l.tif"
    save_session(path, SessionFile(image, NetworkReference("click", network.fingerprint), (part,)))
    assert main(["replay", str(path), "-o", str(out)]) == 0
    labels = tifffile.imread(out)
    assert labels.shape == pixels.shape
    np.testing.assert_array_equal(labels[1, 2], session.labels())
    assert labels[1, 2].any()
    assert not labels[0].any()
