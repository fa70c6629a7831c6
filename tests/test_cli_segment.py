"""Finding things by their names from a shell."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import skimage.data
import tifffile

from napari_guideme.cli import main
from tests.test_cli import hints_file, shell

CAT = (120, 210)


@pytest.fixture(scope="module")
def photograph(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photographs") / "chelsea.png"
    imageio.imwrite(path, skimage.data.chelsea())
    return path


def test_a_cat_is_found_in_a_real_process(photograph, tmp_path):
    out, maps, report = (tmp_path / name for name in ("labels.tif", "maps", "report.json"))
    done = shell("segment", photograph, "cat", "-o", out, "--show-maps", maps, "--json", report)
    assert done.returncode == 0, done.stderr
    assert "tabby" in done.stdout
    labels = tifffile.imread(out)
    assert labels.shape == skimage.data.chelsea().shape[:2]
    assert labels[CAT] == 1
    assert set(np.unique(labels)) == {0, 1}
    shown = {path.name: tifffile.imread(path) for path in maps.iterdir()}
    assert set(shown) == {"cat-positive.tif", "cat-negative.tif", "cat-likelihood.tif"}
    assert all(0 <= m.min() < m.max() <= 1 and m.shape == labels.shape for m in shown.values())
    (told,) = json.loads(report.read_text())["found"]
    assert told["pixels"] == (labels == 1).sum()
    assert "tabby" in told["stand_ins"]


def test_chosen_labels_and_a_click_change_what_is_found(photograph, tmp_path):
    plain, chosen, clicked = (tmp_path / f"{name}.tif" for name in ("plain", "chosen", "clicked"))
    assert main(["segment", str(photograph), "cat", "-o", str(plain)]) == 0
    told = ["--stand-ins", "lens cap", "--distractors", "tabby,tiger cat"]
    assert main(["segment", str(photograph), "cat", "-o", str(chosen), *told]) == 0
    first = tifffile.imread(plain)
    assert (tifffile.imread(chosen) != first).mean() > 0.1
    missed = np.argwhere(first == 0)
    at = missed[len(missed) // 2].tolist()
    hints = hints_file(tmp_path, clicks=[{"at": at, "class": "cat"}])
    run = ["segment", str(photograph), "cat", "-o", str(clicked), "--hints", str(hints)]
    assert main(run) == 0
    assert tifffile.imread(clicked)[tuple(at)] == 1


def test_any_pixels_are_seen_as_a_screen_shows_them(tmp_path):
    grey = skimage.data.chelsea().mean(2)
    found = []
    for name, pixels in (("deep", (10 * grey).astype(np.uint16)), ("real", (grey - 70) / 3)):
        image, out = tmp_path / f"{name}.tif", tmp_path / f"{name}-labels.tif"
        tifffile.imwrite(image, pixels.astype(np.float32) if name == "real" else pixels)
        assert main(["segment", str(image), "cat", "-o", str(out)]) == 0
        found.append(tifffile.imread(out))
    assert found[0][CAT] == 1
    assert (found[0] == found[1]).mean() > 0.98


def test_maps_of_a_name_with_slashes_stay_in_their_folder(photograph, tmp_path):
    out, maps = tmp_path / "labels.tif", tmp_path / "maps"
    told = ["--stand-ins", "tabby", "--show-maps", str(maps), "--channels", "0,1,2"]
    assert main(["segment", str(photograph), "../my cat", "-o", str(out), *told]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"labels.tif", "maps"}
    assert "___my cat-positive.tif" in {path.name for path in maps.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["snarkk"], "'snarkk' is not known"),
        (["cat", "cat"], "a name is told twice"),
        (["cat", "dog", "--stand-ins", "tabby"], "--stand-ins is for a single name"),
        (["cat", "--stand-ins", "tabbyy"], "near are tabby"),
        (["cat", "--by", "vectors"], "--by vectors needs --vectors"),
        (["cat", "--classifier", "none.onnx"], "there is no classifier 'none.onnx'"),
        (["cat", "--views", "0"], "views is 0"),
        (["cat", "--channel-axis", "7"], "axis"),
        (["cat", "--channels", "0,1,9"], "the image has channels 0 to 2"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    arguments, said, photograph, tmp_path, capsys
):
    out = tmp_path / "labels.tif"
    assert main(["segment", str(photograph), *arguments, "-o", str(out)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
    assert not out.exists()


def test_a_volume_is_refused(tmp_path, capsys):
    volume, out = tmp_path / "volume.tif", tmp_path / "labels.tif"
    tifffile.imwrite(volume, np.zeros((5, 32, 32), np.uint8), metadata={"axes": "ZYX"})
    assert main(["segment", str(volume), "cat", "-o", str(out)]) == 2
    assert "pictures of two axes" in capsys.readouterr().err
    assert not out.exists()
