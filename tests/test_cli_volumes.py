"""Volumes slice by slice from a shell, by the bundled network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from skimage.data import immunohistochemistry

from napari_guideme.cli import main
from napari_guideme.guidance.saved import SavedGuidance
from tests.test_cli import hints_file, shell

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
        (["--say", "find the nucleus"], "words are about a whole image"),
        (["--axis", "3"], "no axis 3; choose 0, 1 or 2"),
        (["--save-session", "s.guideme.json"], "--save-session is for single images"),
        (["--zoom", "64"], "--zoom is for single images"),
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
