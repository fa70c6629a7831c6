from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
import tifffile
from imageio import v3 as imageio

from napari_guideme.cli import main, shipped
from napari_guideme.demo import demo_hints, demo_image


def test_the_demo_writes_what_it_says(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path)]) == 0
    before, after = (tifffile.imread(tmp_path / f"{name}.tif") for name in ("before", "after"))
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["changed_pixels"] == (before != after).sum() > 0
    assert summary["satisfied"] == summary["hints"] == len(demo_hints())
    picture = imageio.imread(tmp_path / "overlay.png")
    assert picture.shape == (512, 1024, 3)
    assert f"{summary['changed_pixels']} pixels changed" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["before.tif", "overlay.png", "summary.json"])
def test_the_demo_replaces_only_its_own_files(tmp_path, capsys, name):
    mine = tmp_path / name
    mine.write_text('{"image": "mine"}')
    assert main(["demo", "--out", str(tmp_path)]) == 2
    told = f"the demo did not write {mine}; choose another --out DIR"
    assert capsys.readouterr().err == f"napari-guideme: {told}\n"
    assert mine.read_text() == '{"image": "mine"}'
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_demo_can_be_run_again(tmp_path):
    for _ in range(2):
        assert main(["demo", "--out", str(tmp_path)]) == 0


def test_every_click_of_the_demo_corrects_something(tmp_path):
    """Hints that the network agrees with already would be for show."""
    assert main(["demo", "--out", str(tmp_path)]) == 0
    before = tifffile.imread(tmp_path / "before.tif")
    classes = ("background", "nucleus", "border")
    for hint in demo_hints():
        assert classes[before[tuple(np.round(hint.at).astype(int))]] != hint.class_name


def test_looking_without_napari_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shipped, "find_spec", lambda name: None)
    assert main(["demo", "--out", str(tmp_path / "demo"), "--view"]) == 2
    told = capsys.readouterr().err
    assert 'pip install "napari-guideme[napari]"' in told
    assert told.count("\n") == 1
    assert not (tmp_path / "demo").exists()


def test_the_viewer_computes_on_the_same_device(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(shipped, "find_spec", lambda name: object())

    def run(command, **_):
        started.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(shipped.subprocess, "run", run)
    assert main(["demo", "--out", str(tmp_path), "--device", "cpu", "--view"]) == 0
    assert [command[2:] for command in started] == [["napari_guideme.widgets.demo", "cpu"]]


def test_the_picture_comes_with_a_dependency():
    assert demo_image().shape == (512, 512, 3)
