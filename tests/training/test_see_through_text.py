from __future__ import annotations

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from imageio import v3 as imageio

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import open_objects
from napari_guideme.referring.expression_files import read_expressions
from napari_guideme.referring.expressions import Expression
from napari_guideme.referring.opening import frozen, load
from tests.referring.untrained import SMALL

FOLDER = Path(__file__).parents[2] / "training"


@pytest.fixture
def data(tmp_path):
    """Ten images, each with a bright square on the left, 1, and one on the right, 2."""
    for folder in ("images", "labels"):
        (tmp_path / "squares" / folder).mkdir(parents=True)
    random, lines = np.random.default_rng(0), []
    for stem in "abcdefghij":
        picture, ids = np.zeros((60, 80), np.uint8), np.zeros((60, 80), np.uint8)
        for thing, side in ((1, "left"), (2, "right")):
            top, left = random.integers(2, 30), random.integers(2, 12) + 40 * (thing - 1)
            square = np.s_[top : top + 24, left : left + 24]
            picture[square], ids[square] = 220, thing
            lines.append({"image": stem, "object": thing, "sentence": f"The {side} square"})
        imageio.imwrite(tmp_path / f"squares/images/{stem}.png", picture)
        imageio.imwrite(tmp_path / f"squares/labels/{stem}.png", ids)
    written = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "squares/expressions.jsonl").write_text(written)
    return tmp_path / "squares"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import see_through_text as script

    yield script
    for name in ("see_through_text", "loop"):
        sys.modules.pop(name)


@pytest.fixture
def run(script, data, monkeypatch):
    """The script as it is run from a shell."""

    def run(*more):
        out = data.with_name("small.safetensors")
        words = [data, "--out", out, "--batch", "1", "--folds", "1"]
        words = ["see_through_text.py", *words, "--device", "cpu", *more]
        monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        runpy.run_path(str(FOLDER / "see_through_text.py"), run_name="__main__")
        return out

    return run


def test_it_learns_which_square_is_meant(script, data, tmp_path):
    device, path = torch.device("cpu"), tmp_path / "small.safetensors"
    sizes = {"dimensions": 20, "hidden": 16, "embedding": 24, "attention": 8, "filters": 8}
    design = replace(SMALL, folds=1, **sizes)
    said = read_expressions(data / "expressions.jsonl")
    seen = list(script.views(open_objects(data, instances=True), said, design, device))
    lessons = script.Lessons(seen, 4, 2, design, device)
    all_of_it = lessons.of([(v, [(t, s[0]) for t, s in v.said.items()]) for v in seen])

    def after(steps):
        script.learn(lessons, lessons, path.with_stem(str(steps)), steps, rate=1e-2)
        with torch.no_grad():
            return float(script.loss(load(path.with_stem(str(steps))), *all_of_it))

    few, many = after(2), after(80)
    assert many < 0.5 * few
    network = load(path.with_stem("80"))
    picture, truth = imageio.imread(data / "images/a.png"), imageio.imread(data / "labels/a.png")
    for thing, side in ((1, "left"), (2, "right")):
        one = frozen(network, f"the {side} square", "square", "cpu")
        x, placement = one.preparation.prepare(picture)
        found = one.preparation.restore(one.observe(x)[0], placement)[0].argmax(0).numpy()
        meant, other = (found[truth == t].mean() for t in (thing, 3 - thing))
        assert meant > 0.5 > other


def test_training_goes_on_where_it_was_stopped(run, data, capsys):
    words = ["--steps", "2", "--cache", data.with_name("seen.pt")]
    out = run(*words)
    shown = capsys.readouterr().out
    assert shown.startswith("step 2: mean IoU")
    assert shown.endswith("of 2\n")
    assert load(out).reader.known == ("left", "right", "square", "the")
    assert out.with_suffix(".aside.csv").read_text().split() == ["stem", "j"]
    weights = out.read_bytes()
    out.unlink()
    assert run(*words).read_bytes() == weights
    assert not capsys.readouterr().out
    listed = out.with_suffix(".aside.csv")
    listed.write_text("as it was")
    for more, told in (
        (["--steps", "3"], "was started for 2 steps, not 3"),
        (["--sharpness", "4", "--each", "2"], "with other design (--grid, --folds and others), --"),
    ):
        with pytest.raises(SystemExit, match="2"):
            run(*words, *more)
        assert told in capsys.readouterr().err
    assert listed.read_text() == "as it was"
    assert out.read_bytes() == weights


def test_parts_can_be_left_out_and_words_come_from_a_table(run, tmp_path):
    vectors = np.eye(3, 20, dtype=np.float32)
    np.savez(tmp_path / "table.npz", words=np.array(["the", "left", "sun"]), vectors=vectors)
    words = ["--no-re-attention", "--refining", "1x1", "--comparing", "concatenation"]
    words += ["--steps", "1", "--sharpness", "4", "--vectors", tmp_path / "table.npz"]
    network = load(run(*words))
    design, reader = network.design, network.reader
    assert (design.re_attends, design.refining, design.sharpness) == (False, "1x1", 4)
    assert design.comparing == "concatenation"
    assert reader.vectors.shape == (4, 20)
    row = reader.vectors[reader.known.index("left")]
    assert row.argmax() == 1
    assert row.count_nonzero() == 1


def test_left_and_right_are_exchanged_in_the_mirror(script, data):
    for said, expected in (
        ("The left dog", "The right dog"),
        (
            "second from the Right, left of the rightmost",
            "second from the left, right of the leftmost",
        ),
        ("left-hand leftover of the bright one", "right-hand leftover of the bright one"),
    ):
        assert script.mirrored(said) == expected
    said = {"a": [Expression("the left square", 1)]}
    items = open_objects(data, instances=True)
    whole, other = script.views(items, said, SMALL, torch.device("cpu"))
    assert other.said == {1: ["the right square"]}
    np.testing.assert_array_equal(other.ids, whole.ids[:, ::-1])
    assert np.argwhere(whole.ids == 1)[:, 1].max() < 32 <= np.argwhere(other.ids == 1)[:, 1].min()


def test_objects_that_are_not_there_are_refused(script, data):
    items = open_objects(data, instances=True)
    with pytest.raises(InputError, match="a has no object 7"):
        list(script.views(items, {"a": [Expression("the moon", 7)]}, SMALL, torch.device("cpu")))


def test_too_few_images_are_refused(run, data, capsys):
    one = data / "expressions.jsonl"
    one.write_text(one.read_text().splitlines()[0])
    with pytest.raises(SystemExit, match="2"):
        run()
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("see_through_text.py: expressions tell of 1 images; 10 are needed")
