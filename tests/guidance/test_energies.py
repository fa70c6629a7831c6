from __future__ import annotations

import math

import pytest
import torch

from napari_guideme.guidance.energies import (
    corrective,
    cross_entropy,
    output_inertia,
    quadratic_inertia,
    squared_errors,
)

#: Probabilities (1/4, 3/4) and (1/2, 1/2).
LOGITS = torch.tensor([[0.0, math.log(3)], [5.0, 5.0]], dtype=torch.float64)
CLASSES = torch.tensor([0, 1])
WEIGHTS = torch.tensor([0.25, 0.75], dtype=torch.float64)


@pytest.mark.parametrize(
    ("energy", "expected"),
    [
        (cross_entropy, 0.25 * math.log(4) + 0.75 * math.log(2)),
        (corrective, 0.25 * 0.75**2 + 0.75 * 0.5**2),
        (squared_errors, 0.75**2 + 0.5**2),
    ],
)
def test_energies_at_hints(energy, expected):
    assert float(energy(LOGITS, CLASSES, WEIGHTS)) == pytest.approx(expected)


@pytest.mark.parametrize("energy", [cross_entropy, corrective, squared_errors])
def test_met_hints_cost_nothing(energy):
    assert float(energy(torch.tensor([[50.0, 0.0]]), CLASSES[:1], torch.ones(1))) < 1e-6


@pytest.mark.parametrize("energy", [cross_entropy, corrective, squared_errors])
def test_gradients_at_hints(energy):
    logits = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: energy(x, CLASSES, WEIGHTS), logits)


def test_quadratic_inertia():
    values = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64, requires_grad=True)
    assert float(quadratic_inertia(values.detach())) == 14
    assert torch.autograd.gradcheck(quadratic_inertia, values)


def test_output_inertia_asks_pixels_unlike_the_hints_to_stay():
    # Both pixels move from (1/2, 1/2) to (1/4, 3/4): KL = ln 2 - ln(3)/2 = 0.143841.
    before = torch.full((1, 2, 1, 2), 0.5).log()
    after = torch.tensor([0.25, 0.75]).view(1, 2, 1, 1).expand(1, 2, 1, 2).log()
    for similarity, expected in (([0.0, 0.0], 1), ([1.0, 0.0], 0.5), ([1.0, 0.5], 0.25)):
        inertia = output_inertia(before, after, torch.tensor([similarity]))
        assert float(inertia) == pytest.approx(expected * 0.143841, abs=1e-6)


def test_output_inertia_is_zero_where_nothing_moved():
    before = torch.randn(1, 3, 4, 5).log_softmax(1)
    assert float(output_inertia(before, before, torch.zeros(4, 5))) == 0


@pytest.mark.parametrize("shape", [(3, 2), (2, 2, 2)])
def test_gradients_of_output_inertia(shape):
    before = torch.randn(1, 2, *shape, dtype=torch.float64).log_softmax(1)
    similarity = torch.rand(shape, dtype=torch.float64)
    logits = torch.randn(1, 2, *shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x: output_inertia(before, x.log_softmax(1), similarity), logits
    )
