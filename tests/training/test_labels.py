from __future__ import annotations

import csv
import json
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
    assert train(data, tmp_path / "out").returncode == 0
    assert (tmp_path / "out/stripes.safetensors").read_bytes() == weights
    other = train(data, tmp_path / "out", "--steps", "50")
    assert other.returncode == 1
    assert "was started for 40 steps, not 50" in other.stderr
