from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from imageio import v3 as imageio

from napari_guideme.hints import TextHint
from napari_guideme.language import text_guide
from napari_guideme.networks.card import NetworkCard, sidecar, write_card
from napari_guideme.networks.catalogue import open_network
from tests.networks.files import dark_and_bright

FOLDER = Path(__file__).parents[2] / "training"


@pytest.fixture
def data(tmp_path):
    """Ten images, each with a bright cell, which the toy network finds, and a dim one."""
    for folder in ("images", "masks"):
        (tmp_path / "cells" / folder).mkdir(parents=True)
    random = np.random.default_rng(0)
    for stem in "abcdefghij":
        picture = np.zeros((24, 30), dtype=np.uint8)
        for brightness in (250, 110):
            top, left = random.integers(0, 16), random.integers(0, 22)
            picture[top : top + 8, left : left + 8] = brightness
        imageio.imwrite(tmp_path / f"cells/images/{stem}.png", picture)
        imageio.imwrite(tmp_path / f"cells/masks/{stem}.png", np.uint8(255) * (picture > 0))
    return tmp_path / "cells"


@pytest.fixture
def file(tmp_path):
    """The toy network, in a file: brighter than the half is cell."""
    path = tmp_path / "toy.onnx"
    onnx.save(dark_and_bright(), path)
    preparation = {"channels": 1, "value_range": "dtype"}
    write_card(sidecar(path), NetworkCard(classes=("background", "cell"), preparation=preparation))
    return path


def train(data, file, *more):
    out = file.with_name("toy.text-guide.safetensors")
    words = [data, "--network", file, "--out", out, "--operation", "find", "--hidden", "16"]
    return subprocess.run(
        [sys.executable, FOLDER / "text_guide.py", *words, "--device", "cpu", *more],
        capture_output=True,
        text=True,
        check=False,
    )


def judged(line: str) -> list[float]:
    return [float(figure.strip(" %")) for figure in line.split("hints: ")[1].split(",")]


def test_a_guide_learns_to_find_what_the_network_misses(data, file):
    done = train(data, file, "--steps", "40", "--batch", "2", "--rate", "0.03", "--cells", "3")
    lines = [line for line in done.stdout.splitlines() if "kept aside" in line]
    assert len(lines) == 3, done.stderr
    before, after, tuned = map(judged, lines)
    assert sum(tuned) >= sum(after)
    assert len(set(before)) == 1
    assert after[0] == before[0] < 90
    assert min(after[1:]) > before[0] + 5
    network = open_network(file, "cpu")
    guide = text_guide.load(text_guide.find(file), network)
    assert guide.purpose.operations == ("find",)
    x = torch.tensor([0.0, 110 / 255]).view(1, 1, 1, 2)
    head = network.head(x, guide.purpose.point)
    moved = text_guide.guided(guide, head.activation, [TextHint("find", "cell")])
    assert network.tail(head, head.activation).argmax(1).flatten().tolist() == [0, 0]
    assert network.tail(head, moved).argmax(1).flatten().tolist() == [0, 1]


def test_training_goes_on_where_it_was_stopped(data, file):
    words = ["--steps", "3", "--film", "--residual-block", "--operation", "either"]
    assert train(data, file, *words).returncode == 0
    out = text_guide.find(file)
    weights = out.read_bytes()
    assert train(data, file, *words).returncode == 0
    assert out.read_bytes() == weights
    other = train(data, file, "--steps", "4", *words[2:])
    assert "was started for 3 steps, not 4" in other.stderr
    other = train(data, file, *words[:-1], "find")
    assert other.returncode == 2
    assert "was started with other --operation;" in other.stderr
    assert out.read_bytes() == weights


def test_without_memory_the_heads_are_computed_anew(data, file):
    words = ["--steps", "3", "--batch", "1"]
    kept, anew = (train(data, file, *words, "--memory", gib) for gib in ("1", "0"))
    assert kept.returncode == anew.returncode == 0
    assert kept.stdout.splitlines()[0] == anew.stdout.splitlines()[0]


def test_too_few_images_are_refused(data, file):
    (data.parent / "one.csv").write_text("stem\na\n")
    done = train(data, file, "--only", data.parent / "one.csv")
    assert done.returncode == 2
    assert "has 1 images; 10 are needed" in done.stderr


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--network", "click"], "click takes clicks; words guide networks with classes"),
        (["--point", "foo"], "unknown guide point 'foo'"),
        (["--network", "nowhere.onnx"], "nowhere.onnx"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(data, file, more, told):
    done = train(data, file, *more)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("text_guide.py: ")
    assert told in line


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import guided_images
    import text_guide as script

    yield script
    for module in (script, guided_images):
        sys.modules.pop(module.__name__)


CLASSES = ("sky", "car", "tree")


@pytest.mark.parametrize(
    ("hint", "weights"),
    [
        # Truth:          sky  sky  car  car  tree ignored; found: sky car sky car car car
        (TextHint("find", "car"), [0.5, 0, 1, 1, 0, 0]),
        (TextHint("remove", "car"), [0.5, 1, 0, 1, 1, 0]),
        (TextHint("replace", "tree", (), "car"), [0.5, 1, 0, 1, 1, 0]),
        (TextHint("replace", "sky", (), "tree"), [1, 1, 0, 0.5, 0, 0]),
    ],
)
def test_what_pixels_count(script, hint, weights):
    truth, labels = np.array([[0, 0, 1, 1, 2, -1]]), np.array([[0, 1, 0, 1, 1, 1]])
    image = SimpleNamespace(
        sample=SimpleNamespace(truth=truth), labels=labels, right=truth == labels
    )
    assert script.importance(image, hint, CLASSES).tolist() == [weights]


def test_a_guide_is_as_strong_as_is_best(script, monkeypatch):
    guide = SimpleNamespace(values=torch.nn.Linear(1, 1))
    with torch.no_grad():
        guide.values.weight.fill_(4.0), guide.values.bias.fill_(8.0)
    trainer = script.Trainer.__new__(script.Trainer)
    trainer.aside = ["a"]
    # Best is a guide that says 2 + 4.
    monkeypatch.setattr(
        trainer, "judged", lambda one: [9.0, -abs(one.values(torch.ones(1)).item() - 6)]
    )
    tuned = trainer.tuned(guide)
    assert tuned.values.weight.item() == 2.0
    assert tuned.values.bias.item() == 4.0
    assert guide.values.weight.item() == 4.0


def test_rare_classes_count_more(script):
    import balance

    assert balance.rarity(torch.tensor([400.0, 100.0, 0.0])).tolist() == pytest.approx(
        [1.0, 2.0, 20.0]
    )


def test_classes_that_are_merged_count_together(script):
    logits = torch.tensor([0.5, 0.2, 0.3]).log().view(3, 1, 1).expand(3, 1, 3)
    sample = SimpleNamespace(truth=np.array([[0, 1, -1]]), merged=np.array([0, 1, 1]))
    surprise = script.surprise_at(logits, sample)
    assert torch.allclose(surprise[0, :2].exp(), torch.tensor([2.0, 2.0]))
    assert surprise.isfinite().all()


def test_the_overlap_of_a_class_counts_what_is_merged_into_it(script):
    logits = torch.tensor([0.5, 0.2, 0.3]).log().view(3, 1, 1).expand(3, 1, 3)
    sample = SimpleNamespace(truth=np.array([[0, 1, -1]]), merged=np.array([0, 1, 1]))
    # Half of both pixels that are known is found; one more on either side of the fraction.
    assert script.overlap(logits, sample, 1).item() == pytest.approx((0.5 + 1) / (1.5 + 1))
