from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from napari_guideme.evaluation.datasets import Item
from tests.conftest import BRIGHT

CORNER = np.s_[11:15, 11:15]
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def ceiling(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("words_ceiling")


def test_the_truth_corrects_what_is_said_and_nothing_else(ceiling, network):
    picture = np.zeros((16, 16), dtype=np.float32)
    picture[BRIGHT], picture[CORNER] = 1.0, 0.45
    truth = (picture > 0).astype(np.intp)
    item = Item("a", picture, None, truth, np.arange(2))
    found = ceiling.told(item, network, "find", 0)
    assert list(found)[:4] == ["network", "repair", "count", "best"]
    assert (found["network"][CORNER] == 0).all()
    for name in ("repair", "count", "best"):
        np.testing.assert_array_equal(found[name], truth)
    assert len(found) == 4 + len(ceiling.INERTIAS)


def test_without_a_mistake_there_is_nothing_to_say(ceiling, network, picture):
    item = Item("a", picture, None, (picture > 0.5).astype(np.intp), np.arange(2))
    found = ceiling.told(item, network, "remove", 0)
    assert all((labels == found["network"]).all() for labels in found.values())
