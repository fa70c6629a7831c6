"""Networks from files, in real processes."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
import tifffile
import torch

from napari_guideme.cli import main
from napari_guideme.networks.card import NetworkCard, sidecar, write_card
from tests import pictures, toys
from tests.networks.files import dark_and_bright

from .test_cli import hints_file, shell

GREY = NetworkCard(classes=("dark", "bright"), preparation={"value_range": "none"})


@pytest.fixture
def picture(tmp_path):
    """A dim cell, missed by a little, in a dark image."""
    pixels = np.zeros((24, 32), np.float32)
    pixels[4:9, 4:9], pixels[14:19, 20:26] = 1.0, 0.45
    tifffile.imwrite(tmp_path / "cells.tif", pixels)
    return tmp_path / "cells.tif"


@pytest.fixture
def network(tmp_path):
    folder = tmp_path / "network"
    folder.mkdir()
    onnx.save(dark_and_bright(), folder / "toy.onnx")
    return folder / "toy.onnx"


def test_a_network_with_its_card_elsewhere(picture, network, tmp_path):
    card = tmp_path / "toy-card.toml"
    write_card(card, GREY)
    words = ("--network", network, "--card", card, "-o", tmp_path / "labels.tif")
    done = shell("predict", picture, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("dark 96.7%, bright 3.3%")
    hints = hints_file(tmp_path, clicks=[{"at": [16, 22], "class": "bright"}])
    done = shell("refine", picture, "--hints", hints, *words)
    assert "1 of 1 hints satisfied" in done.stdout
    labels = tifffile.imread(tmp_path / "labels.tif")
    assert labels[14:19, 20:26].all()
    assert not labels[0].any()


def test_what_is_assumed_is_told_in_one_line(picture, network, tmp_path):
    done = shell("predict", picture, "--network", network, "-o", tmp_path / "labels.tif")
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "assumed are classes background, class 1" in done.stderr
    assert "toy.guideme.toml" in done.stderr


def test_a_volume(tmp_path):
    torch.jit.save(torch.jit.script(Ball().eval()), tmp_path / "ball.ts")
    classes = ("background", "ball")
    write_card(
        tmp_path / "ball.guideme.toml",
        NetworkCard(classes=classes, preparation={"value_range": "none"}),
    )
    volume = np.zeros((12, 16, 20), np.float32)
    volume[2:5, 2:6, 2:6], volume[8:11, 10:14, 12:17] = 1.0, 0.45
    tifffile.imwrite(tmp_path / "volume.tif", volume, metadata={"axes": "ZYX"})
    words = ("--network", tmp_path / "ball.ts", "-o", tmp_path / "labels.tif")
    done = shell("predict", tmp_path / "volume.tif", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert not tifffile.imread(tmp_path / "labels.tif")[9].any()
    hints = hints_file(tmp_path, clicks=[{"at": [9, 12, 14], "class": "ball"}])
    for method in ("residual", "f-brs", "guide-me"):
        done = shell(
            "refine", tmp_path / "volume.tif", *words, "--hints", hints, "--method", method
        )
        assert "1 of 1 hints satisfied" in done.stdout, done.stderr
        labels = tifffile.imread(tmp_path / "labels.tif")
        assert labels.shape == volume.shape
        assert labels[9, 12, 14] == labels[3, 3, 3] == 1


class Ball(torch.nn.Module):
    """Calls a voxel ball if it is brighter than 0.5."""

    def __init__(self) -> None:
        super().__init__()
        self.features = torch.nn.Conv3d(1, 2, 1)
        self.classifier = torch.nn.Conv3d(2, 2, 1, bias=False)
        with torch.no_grad():
            self.features.weight.copy_(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1, 1))
            self.features.bias.copy_(torch.tensor([1.0, 0.0]))
            self.classifier.weight.copy_(3 * torch.eye(2).view(2, 2, 1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.relu(self.features(x)))


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, target: object) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


def test_a_hostile_file_is_one_line_and_exit_code_2(picture, tmp_path):
    target = tmp_path / "executed"
    (tmp_path / "net.pth").write_bytes(pickle.dumps(Bomb(target)))
    write_card(
        tmp_path / "net.guideme.toml",
        NetworkCard(architecture={"name": "unet", "in_channels": 1, "n_classes": 2, "widths": [2]}),
    )
    words = ("--network", tmp_path / "net.pth", "-o", tmp_path / "labels.tif")
    done = shell("predict", picture, *words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "net.pth holds no readable weights" in done.stderr
    assert not target.exists()
    assert not (tmp_path / "labels.tif").exists()


def test_a_broken_card_is_one_line_and_exit_code_2(picture, network, tmp_path):
    (network.parent / "toy.guideme.toml").write_text("clases = []")
    done = shell("predict", picture, "--network", network, "-o", tmp_path / "labels.tif")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "toy.guideme.toml: unknown entry clases" in done.stderr


def test_evaluate_by_a_file(network, tmp_path, picture):
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    pixels = tifffile.imread(picture)
    tifffile.imwrite(tmp_path / "data/images/a.tif", pixels)
    tifffile.imwrite(tmp_path / "data/masks/a.tif", (pixels > 0) * np.uint8(255))
    card = tmp_path / "card.toml"
    write_card(card, NetworkCard(classes=toys.CLASSES).completed(GREY))
    words = ("--network", network, "--card", card, "--hints", "1", "--json", tmp_path / "o.json")
    done = shell("evaluate", tmp_path / "data", *words)
    assert done.returncode == 0, done.stderr
    assert "toy, residual, errors, 1 images" in done.stdout


@pytest.fixture
def clicked(tmp_path) -> Path:
    """A network file that takes clicks, with its card beside it."""
    path = tmp_path / "blobs.pt2"
    pixels = torch.rand(1, 4, 64, 64)
    sides = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    program = torch.export.export(toys.ClickedBlob().eval(), (pixels,), dynamic_shapes=(sides,))
    torch.export.save(program, path)
    grey = {"channels": 1, "value_range": "none"}
    maps = {"reach": 12.0, "side": 64}
    card = NetworkCard(classes=("background", "object"), preparation=grey, interaction=maps)
    write_card(sidecar(path), card)
    return path


@pytest.fixture
def squares(tmp_path) -> Path:
    """Two bright squares on dark ground."""
    pixels = np.zeros((64, 64), np.float32)
    pixels[8:20, 8:20] = pixels[40:52, 20:36] = 1.0
    path = tmp_path / "squares.tif"
    tifffile.imwrite(path, pixels)
    return path


def test_an_object_is_outlined_by_clicks(clicked, squares, tmp_path):
    hints = hints_file(tmp_path, clicks=[{"at": [13, 13], "class": "object"}])
    out, report = tmp_path / "out.tif", tmp_path / "report.json"
    done = shell(
        "refine", squares, "--network", clicked, "--hints", hints, "-o", out, "--json", report
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.argwhere(tifffile.imread(out))[[0, -1]], [[8, 8], [19, 19]])
    assert json.loads(report.read_text(encoding="utf-8"))["method"] == "f-brs-b"


@pytest.mark.parametrize("name", ["mask.tif", "mask.png"])
def test_an_object_of_a_file_is_improved(clicked, squares, tmp_path, name):
    hints = hints_file(tmp_path, clicks=[{"at": [45, 33], "class": "object"}])
    mask, out = tmp_path / name, tmp_path / "out.tif"
    labels = np.zeros((64, 64), np.uint8)
    labels[8:20, 8:20], labels[40:52, 20:30] = 3, 5
    write = tifffile.imwrite if name.endswith("tif") else pictures.write_with_palette
    write(mask, labels)
    words = ["refine", squares, "--network", clicked, "--hints", hints, "--mask", mask, "-o", out]
    assert main([*map(str, words), "--label", "5"]) == 0
    found = tifffile.imread(out)
    assert found[45, 22] == found[45, 33] == 1
    assert not found[:30].any()


def test_masks_that_say_too_little_are_refused(clicked, squares, tmp_path, capsys):
    hints = hints_file(tmp_path, clicks=[{"at": [13, 13], "class": "object"}])
    mask, out = tmp_path / "mask.tif", tmp_path / "out.tif"
    tifffile.imwrite(mask, np.eye(64, dtype=np.uint8) + np.eye(64, k=3, dtype=np.uint8) * 2)
    words = [*map(str, ["refine", squares, "--hints", hints, "--mask", mask, "-o", out])]
    for more, told in (
        (["--network", str(clicked)], "has 2 labels; choose one with --label"),
        (["--network", str(clicked), "--label", "7"], "has no label 7"),
        (["--network", "nuclei"], "--mask is for networks that take clicks"),
    ):
        assert main([*words, *more]) == 2
        assert told in capsys.readouterr().err
    assert not out.exists()


def test_guidance_that_cannot_be_saved_is_refused_before_the_session_is(
    clicked, squares, tmp_path, capsys
):
    hints = hints_file(tmp_path, clicks=[{"at": [13, 13], "class": "object"}])
    words = ["refine", squares, "-o", tmp_path / "out.tif"]
    words += ["--save-session", tmp_path / "a.guideme.json"]
    words += ["--save-guidance", tmp_path / "a.guidance.safetensors"]
    before = sorted(tmp_path.iterdir())
    for more, told in (
        (["--network", clicked, "--hints", hints], "--save-guidance is for networks with classes"),
        (["--network", "nuclei", "--say", "find the nucleus"], "there is no guidance to save"),
    ):
        assert main([*map(str, [*words, *more])]) == 2
        error = capsys.readouterr().err
        assert told in error
        assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_without_clicks_there_is_nothing_to_predict(clicked, squares, tmp_path, capsys):
    out = tmp_path / "out.tif"
    assert main(["predict", str(squares), "--network", str(clicked), "-o", str(out)]) == 2
    told = capsys.readouterr().err
    assert "finds nothing without clicks" in told
    assert told.count("\n") == 1


def test_options_that_a_network_has_no_use_for_are_refused(clicked, squares, tmp_path, capsys):
    hints = hints_file(tmp_path, clicks=[{"at": [13, 13], "class": "object"}])
    out = tmp_path / "out.tif"
    words = [*map(str, ["refine", squares, "--hints", hints, "-o", out])]
    for more, told in (
        (["--network", str(clicked), "--zoom", "32"], "zooms in by itself"),
        (["--network", str(clicked), "--spacing", "1"], "2 positive numbers"),
        (["--network", "nuclei", "--spacing", "2,1,1"], "2 positive numbers"),
    ):
        assert main([*words, *more]) == 2
        assert told in capsys.readouterr().err
    assert not out.exists()
    assert main([*words, "--network", str(clicked), "--spacing", "2,1"]) == 0


def test_hints_are_refined_in_a_window(squares, tmp_path):
    large = np.zeros((300, 300), np.uint8)
    large[:64, :64] = tifffile.imread(squares)
    image = tmp_path / "large.tif"
    tifffile.imwrite(image, large)
    clicks = [{"at": [30, 30], "class": "nucleus"}, {"at": [40, 10], "class": "border"}]
    hints = hints_file(tmp_path, clicks=clicks)
    before, out = tmp_path / "before.tif", tmp_path / "out.tif"
    assert main([*map(str, ["predict", image, "-o", before])]) == 0
    assert main([*map(str, ["refine", image, "--hints", hints, "-o", out, "--zoom", "100"])]) == 0
    found, known = tifffile.imread(out), tifffile.imread(before)
    assert (found[30, 30], found[40, 10]) == (1, 2)
    np.testing.assert_array_equal(found[:, 100:], known[:, 100:])
    np.testing.assert_array_equal(found[100:], known[100:])
