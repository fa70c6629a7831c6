from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from imageio import v3 as imageio

from tests.evaluation.toys import network_of

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Import a benchmark by name, or skip without what it compares with."""
    for library in ("cv2", "sklearn", "matplotlib"):
        pytest.importorskip(library, reason=f"the extra 'benchmark' brings {library}")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def given_of(alternatives, clicked, said=None):
    """Two halves, dark and bright, whose feature is their brightness."""
    bright = np.arange(40) >= 20
    grey = np.random.default_rng(0).integers(0, 20, (30, 40)) + 200 * bright
    none = np.full(grey.shape, -1)
    return alternatives.Given(
        np.stack([grey] * 3, -1).astype(np.uint8),
        grey[..., None].astype(np.float32),
        said,
        none if said is None else said,
    ), alternatives.discs(clicked, grey.shape, 3)


@pytest.mark.parametrize("name", ["random walker", "GrabCut", "random forest"])
def test_a_click_in_each_half_finds_both(load, name):
    alternatives = load("alternatives")
    given, clicked = given_of(alternatives, [((15, 5), 0), ((15, 34), 1)])
    found = alternatives.TOOLS[name].labels(given, clicked)
    assert (found == (np.arange(40) >= 20)).mean() > 0.98


@pytest.mark.parametrize("name", ["random walker", "GrabCut", "random forest"])
def test_with_one_class_clicked_there_is_one_class(load, name):
    alternatives = load("alternatives")
    given, clicked = given_of(alternatives, [((15, 34), 2)])
    assert (alternatives.TOOLS[name].labels(given, clicked) == 2).all()


@pytest.mark.parametrize("name", ["random walker", "GrabCut", "random forest"])
def test_a_prediction_is_the_start_and_a_click_counts_more(load, name):
    alternatives = load("alternatives")
    said = np.where(np.arange(40) >= 20, 1, 0) * np.ones((30, 1), int)
    given, clicked = given_of(alternatives, [((15, 34), 2)], said)
    found = alternatives.TOOLS[name].labels(given, clicked)
    assert found[15, 34] == 2
    assert (found[:, :20] == 0).all()


def test_everybody_is_compared_on_the_same_clicks(load, folder, monkeypatch, capsys):
    rivals = load("rivals")
    network = network_of(("background", "cell"), weights=[0.0, 0.1], biases=[0.0, -15.0])
    monkeypatch.setattr(rivals, "open_network", lambda name, device, card: network)
    out, png = folder / "out.json", folder / "out.png"
    rivals.main(["run", str(folder), "--json", str(out), "--hints", "1", "3", "--own-clicks"])
    told = json.loads(out.read_text())["methods"]
    assert len(told) == 2 + 3 * 3
    # The bright square of 256 of 656 pixels is found, the other one is missed.
    assert told["network alone"]["foreground_iou"] == pytest.approx([256 / 576] * 2)
    assert told["ours, residual"]["foreground_iou"][1] > 256 / 576
    assert told["random walker, own clicks"]["foreground_iou"][1] > 256 / 576
    assert capsys.readouterr().out.count("\n| ") == len(told) + 2
    rivals.main(["plot", str(out), "--png", str(png)])
    assert imageio.imread(png).ndim == 3
