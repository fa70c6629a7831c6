from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from imageio import v3 as imageio

from napari_guideme.language.queries import vocabulary
from napari_guideme.language.text_guide import Purpose, TextGuide, word_vectors

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def gamma_map(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("gamma_map")


def test_vectors_of_all_classes_and_places_are_drawn(gamma_map, tmp_path):
    classes = ("sky", "road", "car")
    purpose = Purpose("network", "relu", classes, ("find", "remove"), (3, 3))
    known = vocabulary(classes)
    guide = TextGuide(purpose, 2, known, word_vectors(known), hidden=8)
    torch.nn.init.normal_(guide.values.weight)
    hints, vectors = gamma_map.gammas(guide)
    assert vectors.shape == (2 * 3 * 10, 4)
    gamma_map.draw(hints, vectors, tmp_path / "map.png")
    assert imageio.imread(tmp_path / "map.png").std() > 5


def test_distances_within_and_between_classes(gamma_map):
    hints = [gamma_map.TextHint("find", name) for name in ("a", "a", "b")]
    within, between = gamma_map.apart(hints, np.array([[0, 0], [0, 1], [3, 0]], dtype=np.float32))
    assert within == pytest.approx(1)
    assert between == pytest.approx((3 + 10**0.5) / 2)
