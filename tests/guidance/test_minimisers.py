from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from napari_guideme.guidance.minimisers import lbfgs, momentum_descent

MINIMISERS = [lbfgs, momentum_descent]
MINIMUM = torch.tensor([1.0, -2.0])


def bowl(values: Tensor) -> Tensor:
    """A quadratic with its minimum 3 at (1, -2), steeper along the first axis."""
    return ((values - MINIMUM) ** 2 * torch.tensor([4.0, 1.0])).sum() + 3


@pytest.mark.parametrize(("minimiser", "steps"), [(lbfgs, 10), (momentum_descent, 300)])
@pytest.mark.parametrize("start", [(0.0, 0.0), (5.0, 5.0)])
def test_the_minimum_of_a_quadratic_is_found(minimiser, steps, start):
    *_, last = minimiser(bowl, torch.tensor(start), steps)
    torch.testing.assert_close(last.values, MINIMUM, atol=1e-3, rtol=0)
    assert last.energy == pytest.approx(3, abs=1e-4)


@pytest.mark.parametrize("minimiser", MINIMISERS)
def test_an_iterate_is_told_with_its_own_energy(minimiser):
    for number, iterate in enumerate(minimiser(bowl, torch.zeros(2), 6)):
        assert iterate.step == number
        assert iterate.energy == pytest.approx(float(bowl(iterate.values)))
        assert not iterate.values.requires_grad


def test_momentum_is_kept_between_steps():
    # v ← 0.9 v + g, x ← x - 0.1 v on x²/2 from 1: g = 1, then 0.9.
    _, first, second = momentum_descent(lambda x: x.square().sum() / 2, torch.ones(1), 2)
    assert float(first.values) == pytest.approx(0.9)
    assert float(second.values) == pytest.approx(0.9 - 0.1 * (0.9 + 0.9))


def test_the_line_search_never_goes_up():
    energies = [iterate.energy for iterate in lbfgs(bowl, torch.full((2,), 9.0), 10)]
    assert energies == sorted(energies, reverse=True)
    assert energies[1] < energies[0] == float(bowl(torch.full((2,), 9.0)))


@pytest.mark.parametrize("minimiser", MINIMISERS)
def test_no_more_steps_than_asked_for(minimiser):
    assert [iterate.step for iterate in minimiser(bowl, torch.zeros(2), 3)] == [0, 1, 2, 3]
    assert [iterate.step for iterate in minimiser(bowl, torch.zeros(2), 0)] == [0]


@pytest.mark.parametrize("minimiser", MINIMISERS)
@pytest.mark.parametrize("done", [0, 1, 3])
def test_it_can_be_dropped_after_any_step(minimiser, done):
    calls, start = [], torch.zeros(2)

    def objective(values: Tensor) -> Tensor:
        calls.append(values.detach().clone())
        return bowl(values)

    generator = minimiser(objective, start, 10)
    for _ in range(done):
        next(generator)
    generator.close()
    before = len(calls)
    assert before == 0 if done == 0 else before > 0
    assert list(generator) == []
    assert len(calls) == before
    assert start.tolist() == [0, 0]
    assert not start.requires_grad


@pytest.mark.parametrize("minimiser", MINIMISERS)
def test_it_stops_where_nothing_moves(minimiser):
    iterates = list(minimiser(bowl, MINIMUM, 50))
    assert len(iterates) <= 2
    assert all(torch.equal(iterate.values, MINIMUM) for iterate in iterates)


@pytest.mark.parametrize("minimiser", MINIMISERS)
@pytest.mark.parametrize(
    "objective",
    [
        lambda x: (x * math.nan).sum(),
        lambda x: x.sum() * math.inf,
        lambda x: (x - 0.35).sqrt().sum(),
        lambda x: -(x**4).sum() * 1e10,
    ],
    ids=["nan", "inf", "leaves its domain", "falls forever"],
)
def test_it_stops_where_values_are_no_longer_finite(minimiser, objective):
    iterates = list(minimiser(objective, torch.full((2,), 0.5), 50))
    assert len(iterates) < 50
    assert all(torch.isfinite(iterate.values).all() for iterate in iterates)


@pytest.mark.parametrize("minimiser", MINIMISERS)
def test_only_the_variable_gets_a_gradient(minimiser):
    weight = torch.ones(2, requires_grad=True)
    list(minimiser(lambda x: (weight * x).square().sum(), torch.ones(2), 3))
    assert weight.grad is None
