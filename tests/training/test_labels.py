from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from imageio import v3 as imageio

from napari_guideme.cli import main
from napari_guideme.networks.catalogue import open_network

SCRIPT = Path(__file__).parents[2] / "training/labels.py"


@pytest.fixture
def data(tmp_path):
    """Bright and dark stripes in two sequences, with a strip that is not labelled."""
    for folder in ("images", "labels"):
        (tmp_path / "stripes" / folder).mkdir(parents=True)
    random = np.random.default_rng(0)
    for stem in ("a_1", "a_2", "a_3", "b_1", "b_2"):
        labels = np.repeat(random.integers(0, 2, 8), 5).astype(np.uint8)[:, None] * np.ones(48, int)
        noise = random.integers(0, 60, labels.shape)
        picture = np.stack([labels * 150 + noise] * 3, axis=-1).astype(np.uint8)
        labels[:, :4] = 5
        imageio.imwrite(tmp_path / f"stripes/images/{stem}.png", picture)
        imageio.imwrite(tmp_path / f"stripes/labels/{stem}.png", labels.astype(np.uint8))
    (tmp_path / "stripes/classes.txt").write_text("0 dark\n1 bright\n5 void\n")
    return tmp_path / "stripes"


def train(data, out, *more):
    words = [data, "--out", out, "--hold-out", "b", "--steps", "40", "--widths", "4", "8"]
    return subprocess.run(
        [sys.executable, SCRIPT, *words, "--crop", "24", "--batch", "2", *more],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_network_is_trained_and_evaluated_on_what_it_never_saw(data, tmp_path):
    done = train(data, tmp_path / "out", "--licence", "CC0-1.0")
    assert "step 40: of 2 held out" in done.stdout, done.stderr
    with (tmp_path / "out/held_out.csv").open() as file:
        assert [row["stem"] for row in csv.DictReader(file)] == ["b_1", "b_2"]
    network = open_network(tmp_path / "out/stripes.safetensors", "cpu")
    assert (network.classes, network.licence) == (("dark", "bright"), "CC0-1.0")
    figures = tmp_path / "figures.json"
    words = ["evaluate", data, "--network", tmp_path / "out/stripes.safetensors", "--json", figures]
    words += ["--only", tmp_path / "out/held_out.csv", "--hints", "1", "--device", "cpu"]
    assert main([*map(str, words)]) == 0
    told = json.loads(figures.read_text())
    assert told["n_images"] == 2
    assert told["pixel_accuracy"]["0"] > 0.7
    assert f"accuracy {told['pixel_accuracy']['0']:.1%}" in done.stdout


def test_training_goes_on_where_it_was_stopped_with_the_same_steps(data, tmp_path):
    train(data, tmp_path / "out", "--size", "20", "24")
    with (tmp_path / "out/stripes.guideme.toml").open("rb") as file:
        assert tomllib.load(file)["preparation"]["size"] == [20, 24]
    weights = (tmp_path / "out/stripes.safetensors").read_bytes()
    assert train(data, tmp_path / "out", "--size", "20", "24").returncode == 0
    assert (tmp_path / "out/stripes.safetensors").read_bytes() == weights
    other = train(data, tmp_path / "out", "--size", "20", "24", "--steps", "50")
    assert other.returncode == 2
    assert "was started for 40 steps, not 50" in other.stderr


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--hold-out", "a"], "images to train on (--hold-out, --train)"),
        (["--size", "20", "24"], "--size"),
        (["--classes", *"abcde", "void", "--upright"], "--upright, classes"),
        (["--seed", "1"], "--seed"),
    ],
)
def test_another_run_leaves_a_finished_one_as_it_is(data, tmp_path, more, named):
    assert train(data, tmp_path / "out", "--steps", "3").returncode == 0
    before = {file: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    assert len(before) == 4
    other = train(data, tmp_path / "out", "--steps", "3", *more)
    assert other.returncode == 2
    [line] = other.stderr.splitlines()
    assert f"stripes.checkpoint.pt was started with other {named}; remove it to begin" in line
    assert {file: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before


def test_networks_of_several_folders_lie_beside_each_other(data, tmp_path):
    shutil.copytree(data, tmp_path / "second")
    for folder in (data, tmp_path / "second"):
        assert train(folder, tmp_path / "out", "--steps", "2").returncode == 0
    found = {file.name for file in (tmp_path / "out").glob("*.checkpoint.pt")}
    assert found == {"stripes.checkpoint.pt", "second.checkpoint.pt"}


def without_classes(data):
    (data / "classes.txt").unlink()


def without_images(data):
    shutil.rmtree(data / "images")


def with_another_number(data):
    imageio.imwrite(data / "labels/a_1.png", np.full((40, 48), 9, np.uint8))


MISTAKES = {
    "no folder": (without_images, [], "images: No such file or directory"),
    "no classes": (without_classes, [], "has no classes.txt; name the classes by --classes"),
    "a number": (with_another_number, [], "the labels of a_1 hold 9, which classes.txt lacks"),
    "window": (None, ["--window", "foo"], "window 'foo' is unknown"),
    "none": (None, ["--hold-out", "z"], "0 of the 5 images of"),
    "all": (None, ["--hold-out", ""], "5 of the 5 images of"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(data, tmp_path, case):
    spoil, more, told = MISTAKES[case]
    if spoil:
        spoil(data)
    done = train(data, tmp_path / "out", *more)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("labels.py: ")
    assert told in line
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("option", ["--steps", "--crop", "--batch", "--size"])
def test_numbers_begin_with_1(data, tmp_path, option):
    values = ["0", "0"] if option == "--size" else ["0"]
    done = train(data, tmp_path / "out", option, *values)
    assert done.returncode == 2
    assert f"argument {option}: '0' is no whole number from 1 on" in done.stderr
