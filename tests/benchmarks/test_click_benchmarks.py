"""The benchmarks of networks that take clicks."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from imageio import v3 as imageio

from napari_guideme.evaluation.datasets import open_objects
from tests.evaluation.toys import clicked_network

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Import a benchmark by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def objects(folder):
    """The bright square alone is the object, so that the dim one must be clicked away."""
    mask = imageio.imread(folder / "masks/a.png")
    mask[:, 30:] = 0
    imageio.imwrite(folder / "masks/a.png", mask)
    picture = imageio.imread(folder / "images/a.png")
    imageio.imwrite(folder / "images/a.png", np.where(picture > 60, np.uint8(1), np.uint8(0)))
    return folder


def test_what_is_minimised_costs_more_passes_than_what_is_not(load, objects):
    click_cost, network = load("click_cost"), clicked_network(64)
    told = {
        method: click_cost.courses(open_objects(objects), network, method, n_clicks=3)
        for method in ("none", "f-brs-b")
    }
    assert told["none"]["clicks"] == 3
    assert told["none"]["minimised_clicks"] == 0
    assert told["none"]["forward_passes_minimised"] is None
    moved = told["f-brs-b"]
    assert moved["minimised_clicks"] > 0
    assert moved["forward_passes_minimised"] > told["none"]["forward_passes"] > 0.5
    assert "where something was minimised" in click_cost.row(moved)


def test_mixed_precision_gets_the_same_clicks(load, objects):
    click_cost, network = load("click_cost"), clicked_network(64)
    told = click_cost.courses(open_objects(objects), network, "none", n_clicks=3, also_mixed=True)
    mixed = told["mixed_precision"]
    assert mixed["clicks"] == told["clicks"] == 3
    # The image is 0 and 1, so that half the digits say as much.
    assert mixed["clicks_with_changed_labels"] == 0
    assert "labels changed by 0 clicks" in click_cost.row(told)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_of_a_click_is_that_of_a_fresh_process(
    load, untrained_click_network, tmp_path, capsys
):
    click_cost, out = load("click_cost"), tmp_path / "cost.json"
    words = ["--network", str(untrained_click_network), "--method", "none", "--device", "cpu"]
    click_cost.main([*words, "--json", str(out)])
    told = json.loads(out.read_text())
    assert told["time"] == []
    (memory,) = told["memory"]
    small, large = memory["sizes"]
    assert (small["side"], large["side"]) == (1024, 4096)
    # The larger picture alone is 45 MiB more.
    assert large["before"] > small["before"] + 40
    assert all(size["peak"] - size["before"] == size["growth"] > 0 for size in (small, large))
    assert memory["peak_ratio"] == pytest.approx(large["peak"] / small["peak"])
    assert "peak x" in capsys.readouterr().out


@pytest.mark.parametrize("side", [None, 32])
def test_rivals_are_clicked_at_their_own_errors(load, objects, side, capsys):
    for library in ("cv2", "sklearn"):
        pytest.importorskip(library, reason=f"the extra 'benchmark' brings {library}")
    noc_rivals, out = load("noc_rivals"), objects / "out.json"
    words = [str(objects), "--json", str(out), "--hints", "6"]
    noc_rivals.main([*words, *(["--side", str(side)] if side else [])])
    told = json.loads(out.read_text())
    assert told["side"] == side
    assert [result["method"] for result in told["results"]] == ["GrabCut", "random walker"]
    for result in told["results"]:
        # After one click all is object: 256 of 48 x 64 pixels are right.
        assert result["mean_iou_by_click"]["1"] == pytest.approx(256 / 3072)
        assert result["noc90"] < 6
        assert result["unmet"] == 0
    ours = objects / "ours.json"
    ours.write_text(json.dumps({**told["results"][0], "network": "click", "method": "brs"}))
    assert capsys.readouterr().out.count("\n| ") == 4
    words += ["--beside", str(ours), "--tools", "GrabCut", "--side", "16"]
    noc_rivals.main(words)
    assert "\n| click, brs | " in capsys.readouterr().out


def test_strokes_of_a_file_are_told_apart(load):
    drawn = np.zeros((6, 9), np.uint8)
    drawn[1, 1:4] = drawn[2, 4] = drawn[4, 0:2] = 1
    drawn[4, 6:9] = 2
    first, second, third = load("scribbles").strokes(drawn)
    assert [s.class_name for s in (first, second, third)] == ["object", "object", "background"]
    assert first.pixels(drawn.shape).tolist() == [[1, 1], [1, 2], [1, 3], [2, 4]]
    assert second.pixels(drawn.shape).tolist() == [[4, 0], [4, 1]]
    assert third.pixels(drawn.shape).tolist() == [[4, 6], [4, 7], [4, 8]]


def test_scribbles_of_every_annotator_are_measured(load, objects, monkeypatch, capsys):
    scribbles, out = load("scribbles"), objects / "out.json"
    for annotator, column in (("1", 40), ("2", 50)):
        drawn = np.zeros((48, 64), np.uint8)
        drawn[16, 10:20], drawn[30:40, column] = 1, 2
        (objects / f"scribbles{annotator}").mkdir()
        imageio.imwrite(objects / f"scribbles{annotator}/a.png", drawn)
    monkeypatch.setattr(scribbles, "open_network", lambda *_: clicked_network(64))
    scribbles.main([str(objects), "--json", str(out), "--method", "none", "brs"])
    told = json.loads(out.read_text())
    assert [row["annotator"] for row in told["by_source"]] == ["1", "2"]
    # Alone, the network also finds the square that is none of the object.
    expected = [256 / (256 + 16 * 20)] * 2
    assert [row["none"]["iou"] for row in told["by_source"]] == pytest.approx(expected)
    assert [row["none"]["satisfied"] for row in told["by_source"]] == [0.5, 0.5]
    assert all(row["brs"]["satisfied"] == 1 for row in told["by_source"])
    assert all(row["brs"]["iou"] > expected[0] for row in told["by_source"])
    assert "strokes met: none 50.0%, brs 100.0%" in capsys.readouterr().out


def test_sources_are_told_apart(load):
    scribbles = load("scribbles")
    cases = [
        {
            "source": source,
            "annotator": annotator,
            "methods": {"none": {"iou": iou, "satisfied": 1.0, "seconds": 0.1}},
        }
        for source, annotator, iou in (("A", "1", 0.2), ("A", "1", 0.4), ("B", "1", 0.9))
    ]
    rows = scribbles.by_source(cases, ["none"])
    found = [(row["source"], row["n"], row["none"]["iou"]) for row in rows]
    assert found == [
        ("A", 2, pytest.approx(0.3)),
        ("B", 1, pytest.approx(0.9)),
        ("all", 3, pytest.approx(0.5)),
    ]
    assert "| all | 3 | 0.500 |" in scribbles.table(rows, cases, ["none"])
