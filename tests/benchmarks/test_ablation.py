from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from napari_guideme.guidance.methods import METHODS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def ablation(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("ablation")
    known = dict(METHODS)
    yield module
    METHODS.clear()
    METHODS.update(known)


def test_every_variant_is_a_row_of_its_own(ablation, folder, capsys):
    variants = ["as shipped", "reach 0.2 and lead 2 at any depth"]
    ablation.main([str(folder), "--counts", "1", "2", "--device", "cpu", "--variants", *variants])
    heading, _, *rows = capsys.readouterr().out.splitlines()
    assert heading == "| variant | 1 hints | 2 hints | harm | unmet |"
    assert [row.split(" | ")[0] for row in rows] == [f"| {name}" for name in variants]
    assert rows[0].split(" | ")[1:] != rows[1].split(" | ")[1:]
