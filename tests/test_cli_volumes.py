"""Volumes slice by slice from a shell, by the bundled network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from scipy import ndimage
from skimage.data import immunohistochemistry

from napari_guideme import VolumeSession, open_network
from napari_guideme.cli import main, refining, volumes
from napari_guideme.guidance.saved import SavedGuidance
from napari_guideme.hints import Hints
from napari_guideme.hints_json import hints_to_json
from napari_guideme.language.understanding import understand
from napari_guideme.networks.card import NetworkCard, write_card
from tests.test_cli import hints_file, shell
from tests.test_cli_networks import Ball

#: Six neighbouring slices of 96 x 96 pixels; they drift by half a pixel.
DEPTH, SIDE = 6, 96
AT = (25, 65)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    tissue = immunohistochemistry()[:SIDE, :SIDE].mean(2)
    slices = [ndimage.shift(tissue, (0, 0.5 * (n - 2)), mode="nearest") for n in range(DEPTH)]
    return np.stack(slices).clip(0, 255).astype(np.uint8)


@pytest.fixture
def volume(tmp_path, pixels) -> Path:
    path = tmp_path / "tissue.tif"
    tifffile.imwrite(path, pixels, metadata={"axes": "ZYX"}, photometric="minisblack")
    return path


@pytest.fixture
def hints(tmp_path) -> Path:
    return hints_file(tmp_path, clicks=[{"at": (2, *AT), "class": "background"}])


@pytest.mark.parametrize("axes", ["ZYX", "YX"])
def test_nothing_is_written_where_labels_are_cancelled(
    volume, pixels, hints, tmp_path, monkeypatch, capsys, axes
):
    if axes == "YX":
        tifffile.imwrite(volume, pixels[2])
        hints_file(tmp_path, clicks=[{"at": AT, "class": "background"}])

    def cancelled(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(volumes, "labels_of_volume", cancelled)
    monkeypatch.setattr(refining, "labels_of", cancelled)
    words = ["refine", volume, "--hints", hints, "-o", tmp_path / "out.tif"]
    words += ["--json", tmp_path / "out.json", "--save-session", tmp_path / "a.guideme.json"]
    words += ["--save-guidance", tmp_path / "a.guidance.safetensors"]
    before = sorted(tmp_path.iterdir())
    assert main([*map(str, words)]) == 130
    assert capsys.readouterr().err == "napari-guideme: cancelled; no file is left half-written\n"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["tissue.tif", "no image"])
def test_guidance_that_no_method_finds_is_refused_at_once(volume, hints, tmp_path, capsys, name):
    words = ["refine", tmp_path / name, "--hints", hints, "-o", tmp_path / "out.tif"]
    words += ["--method", "none", "--save-guidance", tmp_path / "a.guidance.safetensors"]
    before = sorted(tmp_path.iterdir())
    assert main([*map(str, words)]) == 2
    error = capsys.readouterr().err
    assert "the method none corrects nothing by clicks" in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_predict_then_carry_onward_in_real_processes(volume, tmp_path):
    before, after, report = (tmp_path / n for n in ("before.tif", "after.tif", "report.json"))
    saved = tmp_path / "tissue.guidance.safetensors"
    done = shell("predict", volume, "--network", "nuclei", "-o", before)
    assert done.returncode == 0, done.stderr
    assert "6 slices" in done.stdout
    own = tifffile.imread(before)
    assert own.shape == (DEPTH, SIDE, SIDE)
    depth = ndimage.distance_transform_edt(own[2] == 1)
    at = tuple(map(int, np.unravel_index(depth.argmax(), depth.shape)))
    hints = hints_file(tmp_path, clicks=[{"at": (2, *at), "class": "background"}])
    words = ["--carry", "onward", "--save-guidance", saved, "--json", report]
    done = shell(*("refine", volume, "--network", "nuclei", "--hints", hints, *words, "-o", after))
    assert done.returncode == 0, done.stderr
    assert "1 of 1 hints satisfied" in done.stdout
    labels = tifffile.imread(after)
    told = json.loads(report.read_text(encoding="utf-8"))
    states = [state["state"] for state in told["slices"]]
    assert states[2] == "corrected"
    assert {states[1], states[3]} == {"carried"}
    for index in (1, 2, 3):
        assert labels[index][at] == 0
    for index, state in enumerate(states):
        if state == "own":
            np.testing.assert_array_equal(labels[index], own[index])
    assert (told["carried"], told["hints"], told["satisfied"]) == ("onward", 1, 1)
    guidance = SavedGuidance.read(saved)
    assert (guidance.network, guidance.indices, guidance.shape) == ("nuclei", [2], (SIDE, SIDE))
    assert saved.stat().st_size < 32_000


def test_evaluate_carry_in_a_real_process(pixels, tmp_path):
    folder = tmp_path / "stack"
    folder.mkdir()
    dark = (pixels < 110).astype(np.uint8)
    tifffile.imwrite(folder / "raw.tif", pixels, photometric="minisblack")
    tifffile.imwrite(folder / "labels.tif", dark, photometric="minisblack")
    (folder / "classes.txt").write_text("0 background\n1 nucleus\n")
    out = tmp_path / "out.json"
    words = ["--protocol", "carry", "--axis", "0", "--hints", "2", "--json", out]
    done = shell("evaluate", folder, "--network", "nuclei", *words)
    assert done.returncode == 0, done.stderr
    told = json.loads(out.read_text(encoding="utf-8"))
    assert told["clicked_after"] > told["clicked_before"]
    assert {"others_before", "others_after", "stopped_at"} <= set(told)
    assert [row["index"] for row in told["slices"]] == [0, 1, 2, 4, 5]


def test_along_another_axis(volume, pixels, tmp_path):
    outs = [tmp_path / "a.tif", tmp_path / "b.tif"]
    assert main(["predict", str(volume), "-o", str(outs[0])]) == 0
    zyx = tmp_path / "zyx.tif"
    tifffile.imwrite(
        zyx, np.moveaxis(pixels, 0, 1).copy(), metadata={"axes": "ZYX"}, photometric="minisblack"
    )
    assert main(["predict", str(zyx), "--axis", "1", "-o", str(outs[1])]) == 0
    a, b = map(tifffile.imread, outs)
    np.testing.assert_array_equal(np.moveaxis(b, 1, 0), a)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--say", "find the nucleus"], "words are about one slice of a volume; say with --slice"),
        (["--slice", "2"], "--slice is of no use without --say"),
        (["--say", "find the nucleus", "--slice", "6"], "there is no slice 6; choose 0 to 5"),
        (["--say", "find the dog", "--slice", "2"], "background, nucleus"),
        (["--axis", "3"], "no axis 3; choose 0, 1 or 2"),
        (["--save-session", "s.json"], "must end in .guideme.json"),
        (["--zoom", "64"], "--zoom is for single images"),
        (["--zoom", "0"], "--zoom is for single images"),
        (["--save-guidance", "a.json"], "must end in .guidance.safetensors"),
        (["--spacing", "1,1"], "3 positive numbers"),
    ],
)
def test_what_volumes_do_not_take(volume, hints, tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    files = set(tmp_path.iterdir())
    given = ["refine", str(volume), "--hints", str(hints), "-o", "out.tif", *words]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert set(tmp_path.iterdir()) == files


def test_words_are_told_to_a_slice_and_onward(volume, pixels, tmp_path):
    out, report, said = tmp_path / "out.tif", tmp_path / "report.json", "there is no nucleus"
    words = ["--say", said, "--slice", 2, "--carry", "onward", "--json", report]
    done = shell("refine", volume, "--network", "nuclei", *words, "-o", out)
    assert done.returncode == 0, done.stderr
    session = VolumeSession(pixels, open_network("nuclei"))
    session.tell(2, said)
    for _ in (*session.refine(2), *session.carry("onward")):
        pass
    labels = tifffile.imread(out)
    np.testing.assert_array_equal(labels, session.labels())
    own = VolumeSession(pixels, open_network("nuclei")).slice_labels(2)
    assert (labels[2] == 1).sum() < (own == 1).sum() / 2
    assert session.states[1].state == "carried"
    told = json.loads(report.read_text(encoding="utf-8"))
    assert [state["state"] for state in told["slices"]] == [s.state for s in session.states]
    assert (told["said"][0]["operation"], told["hints"], told["satisfied"]) == ("remove", 1, 1)


def test_the_sides_of_the_patient_are_those_of_a_slice(volume, tmp_path):
    def told(letters: str) -> np.ndarray:
        out = tmp_path / f"{letters}.tif"
        words = ["--say", "there is no nucleus on the patient's left", "--slice", "2"]
        assert main(["refine", str(volume), *words, "--patient", letters, "-o", str(out)]) == 0
        return tifffile.imread(out)[2] == 1

    np.testing.assert_array_equal(told("S,P,L"), told("P,L"))
    left, right = told("S,P,L"), told("S,P,R")
    third = SIDE // 3
    assert left[:, -third:].sum() < right[:, -third:].sum()
    assert left[:, :third].sum() > right[:, :third].sum()


@pytest.mark.parametrize("words", [["predict"], ["refine", "--hints", "hints.json"]], ids=" ".join)
def test_a_picture_for_labels_of_a_volume_is_refused_before_anything_is_computed(
    volume, hints, tmp_path, monkeypatch, capsys, words
):
    monkeypatch.chdir(tmp_path)
    given = [*words, str(volume), "--network", "no such network", "-o", "x.png"]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert "x.png: PNG holds labels of two axes" in error
    assert error.count("\n") == 1


# -- sessions --------------------------------------------------------------------


def replayed(folder: Path, image: Path, *words: str | Path) -> tuple[Path, np.ndarray, np.ndarray]:
    """Refine and save a session, replay it; return it, and both labels."""
    path, before, after = (folder / n for n in ("work.guideme.json", "before.tif", "after.tif"))
    given = ["refine", image, *words, "-o", before, "--save-session", path]
    assert main(list(map(str, given))) == 0
    assert main(["replay", str(path), "-o", str(after)]) == 0
    return path, tifffile.imread(before), tifffile.imread(after)


def test_a_real_process_replays_what_another_one_carried(volume, tmp_path):
    clicks = [{"at": (index, *AT), "class": "background"} for index in (1, 4)]
    strokes = [{"path": [[1, 50, 40], [1, 58, 52]], "width": 3, "class": "nucleus"}]
    hints = hints_file(tmp_path, clicks=clicks, scribbles=strokes)
    path, before, after = (tmp_path / n for n in ("work.guideme.json", "before.tif", "after.tif"))
    words = ["--hints", hints, "--carry", "onward", "--spacing", "2,0.5,0.5", "--instances"]
    done = shell("refine", volume, *words, "-o", before, "--save-session", path)
    assert done.returncode == 0, done.stderr
    done = shell("replay", path, "-o", after)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(tifffile.imread(before), tifffile.imread(after))
    assert tifffile.imread(before).max() > 2
    told = json.loads(path.read_text())
    # The brush is as thick as it is wide.
    assert [part["index"][0] for part in told["parts"]] == [0, 1, 2, 4]
    assert (told["version"], told["along"]["extent"]) == (2, "onward")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--carry", "volume", "--method", "f-brs"],
        ["--method", "guide-me", "--carry", "onward"],
        ["--say", "there is no nucleus at the top", "--slice", "3", "--carry", "onward"],
        [
            "--say",
            "find the nucleus",
            "--slice",
            "2",
            "--telling",
            "text-guide",
            "--patient",
            "P,L",
        ],
    ],
    ids=" ".join,
)
def test_slices_are_replayed_bit_for_bit(volume, hints, tmp_path, words):
    _, before, after = replayed(tmp_path, volume, "--hints", hints, *words)
    np.testing.assert_array_equal(before, after)


def test_channels_and_another_axis_are_replayed(pixels, tmp_path):
    image = tmp_path / "channels.tif"
    zyx = np.moveaxis(pixels, 0, 1)
    coloured = np.stack([zyx, 255 - zyx, zyx // 2, zyx])
    tifffile.imwrite(image, coloured, metadata={"axes": "CZYX"}, photometric="minisblack")
    hints = hints_file(tmp_path, clicks=[{"at": (AT[0], 2, AT[1]), "class": "background"}])
    words = ["--axis", "1", "--channel-axis", "0", "--channels", "3,0,2", "--carry", "onward"]
    path, before, after = replayed(tmp_path, image, "--hints", hints, *words)
    np.testing.assert_array_equal(before, after)
    assert before.any()
    (part,) = json.loads(path.read_text())["parts"]
    assert (part["axes"], part["index"]) == ([0, 2], [0, 2, 0])


def test_what_was_said_is_read_from_a_file_of_hints(volume, tmp_path):
    click, said = {"at": (2, *AT), "class": "background"}, "there is no nucleus at the top"
    texts = hints_to_json(Hints(understand(said, ("background", "nucleus", "border"))))["texts"]
    found = []
    for told, words in ({}, ["--say", said]), ({"texts": texts}, []):
        out, hints = tmp_path / "out.tif", hints_file(tmp_path, clicks=[click], **told)
        words += ["--hints", hints, "--slice", 2, "--carry", "onward", "-o", out]
        assert main(list(map(str, ["refine", volume, *words]))) == 0
        found.append(tifffile.imread(out))
    np.testing.assert_array_equal(*found)


def test_a_network_of_three_axes_is_replayed_slice_by_slice(pixels, tmp_path):
    network = tmp_path / "ball.ts"
    torch.jit.save(torch.jit.script(Ball().eval()), network)
    preparation = {"ndim": 3, "channels": 1, "value_range": "dtype"}
    card = NetworkCard(classes=("dark", "bright"), preparation=preparation)
    write_card(network.with_name("ball.guideme.toml"), card)
    image = tmp_path / "deep.tif"
    tifffile.imwrite(image, pixels, metadata={"axes": "ZYX"}, photometric="minisblack")
    is_bright = pixels[2][AT] > 127
    name = "dark" if is_bright else "bright"
    hints = hints_file(tmp_path, clicks=[{"at": (2, *AT), "class": name}])
    words = ["--network", network, "--hints", hints, "--carry", "onward"]
    _, before, after = replayed(tmp_path, image, *words)
    np.testing.assert_array_equal(before, after)
    assert before[(2, *AT)] != is_bright


def test_a_picture_for_a_replayed_volume_is_refused_before_it_is_replayed(
    volume, hints, tmp_path, capsys
):
    path, _, _ = replayed(tmp_path, volume, "--hints", hints)
    words = ["replay", str(path), "--network", "no such network", "-o", str(tmp_path / "x.png")]
    assert main(words) == 2
    assert "x.png: PNG holds labels of two axes" in capsys.readouterr().err


def test_a_slice_that_nobody_touched_must_be_the_same(volume, hints, pixels, tmp_path, capsys):
    path, _, _ = replayed(tmp_path, volume, "--hints", hints)
    changed = pixels.copy()
    changed[5, 0, 0] ^= 1
    tifffile.imwrite(volume, changed, metadata={"axes": "ZYX"}, photometric="minisblack")
    out = tmp_path / "b.tif"
    assert main(["replay", str(path), "-o", str(out)]) == 2
    assert "was changed since" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("along", "says"),
    [
        ({"axis": 1}, "no slice along axis 1"),
        ({"axis": 7}, "no axis 7"),
        ({"axis": -1}, '"axis"'),
        ({"extent": "far"}, "unknown extent 'far'"),
        ({"spacing": [0, 1, 1]}, "3 positive numbers"),
        ({"spacing": 3}, '"spacing"'),
        ({"sha256": "a"}, "was changed since"),
    ],
    ids=str,
)
def test_a_volume_that_was_tampered_with_is_one_line(volume, hints, tmp_path, capsys, along, says):
    path, _, _ = replayed(tmp_path, volume, "--hints", hints)
    told = json.loads(path.read_text())
    told["along"].update(along)
    path.write_text(json.dumps(told))
    capsys.readouterr()
    assert main(["replay", str(path), "-o", str(tmp_path / "b.tif")]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not (tmp_path / "b.tif").exists()


def test_an_empty_file_of_hints_is_no_session(volume, tmp_path, capsys):
    words = ["refine", volume, "--hints", hints_file(tmp_path), "-o", tmp_path / "out.tif"]
    words += ["--save-session", tmp_path / "work.guideme.json"]
    assert main(list(map(str, words))) == 2
    assert "no correction to save" in capsys.readouterr().err
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize("at", [(DEPTH, 5, 5), (2, SIDE, 5), (-1, 5, 5), (5, 5)])
def test_a_hint_outside_the_volume(volume, tmp_path, capsys, at):
    far = hints_file(tmp_path, clicks=[{"at": at, "class": "nucleus"}])
    out = tmp_path / "out.tif"
    assert main(["refine", str(volume), "--hints", str(far), "-o", str(out)]) == 2
    assert "outside the image" in capsys.readouterr().err
    assert not out.exists()


def test_a_hint_at_the_very_edge_counts(volume, tmp_path):
    corner = hints_file(tmp_path, clicks=[{"at": (0, 0, SIDE - 1), "class": "border"}])
    words = ["--axis", "-1", "--carry", "volume", "-o", str(tmp_path / "out.tif")]
    assert main(["refine", str(volume), "--hints", str(corner), *words]) == 0
    assert tifffile.imread(tmp_path / "out.tif")[0, 0, SIDE - 1] == 2


def test_a_voxel_that_is_no_number_is_refused(pixels, hints, tmp_path, capsys):
    broken = pixels / np.float32(255)
    broken[2, AT[0], AT[1]] = np.nan
    volume, out = tmp_path / "broken.tif", tmp_path / "out.tif"
    tifffile.imwrite(volume, broken, metadata={"axes": "ZYX"}, photometric="minisblack")
    words = ["--hints", str(hints), "--carry", "onward", "-o", str(out)]
    assert main(["refine", str(volume), *words]) == 2
    assert "pixels that are NaN" in capsys.readouterr().err
    assert not out.exists()
