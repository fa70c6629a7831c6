"""Objects that are clicked for training, in this process and in others."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_guideme.networks.interaction import InteractionMaps

TRAINING = Path(__file__).parents[2] / "training"
SIDE = 32
INSIDE, OUTSIDE = 3, 4
NOTHING, EVERYTHING = -9.0, 9.0


class Squares:
    """Draws the same square again and again."""

    side = SIDE

    def draw(self, random):
        mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        mask[8:24, 8:24] = True
        return mask.expand(3, -1, -1).float(), mask


@pytest.fixture
def clicks(monkeypatch):
    """Module of the simulated clicks, with two objects at a time."""
    monkeypatch.syspath_prepend(TRAINING)
    import simulated_clicks

    monkeypatch.setattr(simulated_clicks, "POOL", 2)
    return simulated_clicks


@pytest.fixture(params=["here", "elsewhere"])
def pool(request, clicks):
    if request.param == "elsewhere" and not hasattr(os, "fork"):
        pytest.skip("processes that share memory begin with a fork")
    one = clicks.Pool(Squares(), InteractionMaps(), 2, 50)
    return one if request.param == "here" else clicks.Pools(one, 1)


def clicked(inputs: torch.Tensor, side: int) -> int:
    """How many pixels were clicked on one side."""
    return int((inputs[:, side] == 0).sum())


@pytest.mark.parametrize(
    ("answer", "side"), [(NOTHING, INSIDE), (EVERYTHING, OUTSIDE)], ids=["missed", "added"]
)
def test_what_was_mistaken_is_clicked(pool, answer, side):
    batches = pool.batches(0)
    inputs, masks = next(batches)
    assert inputs.shape == (2, 6, SIDE, SIDE)
    assert (masks[:, 0, 8:24, 8:24] == 1).all()
    assert masks.sum() == 2 * 16 * 16
    before = [clicked(inputs, s) for s in (INSIDE, OUTSIDE)]
    pool.answer(torch.full((2, 1, SIDE, SIDE), answer))
    inputs, _ = next(batches)
    # Two objects may be clicked where they were clicked before, but hardly both of them.
    assert clicked(inputs, side) > before[side - INSIDE]
    assert clicked(inputs, 7 - side) == before[4 - side]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork")
def test_processes_draw_different_objects(clicks):
    pools = clicks.Pools(clicks.Pool(Squares(), InteractionMaps(), 2, 50), 2)
    batches = pools.batches(0)
    first = next(batches)[0].clone()
    pools.answer(torch.zeros(2, 1, SIDE, SIDE))
    assert not np.array_equal(first, next(batches)[0])
