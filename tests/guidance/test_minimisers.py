from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from napari_guideme.guidance.minimisers import (
    coordinate_descent,
    lbfgs,
    momentum_descent,
    projected_gradient,
)

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


def test_no_gradient_is_computed_after_the_last_step(monkeypatch):
    asked = []
    gradients = torch.autograd.grad
    monkeypatch.setattr(
        torch.autograd, "grad", lambda *given: asked.append(given) or gradients(*given)
    )
    list(momentum_descent(bowl, torch.zeros(2), 3))
    assert len(asked) == 3


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


#: Neighbours repel one another, the first two are wanted, the last is not.
PULL = torch.tensor([-3.0, -1.0, 1.0])


def chain(values: Tensor) -> Tensor:
    return (PULL * values).sum() + 2 * values[0] * values[1] - 2 * values[1] * values[2]


def swept(values: Tensor) -> tuple[float, Tensor]:
    """Each coordinate in turn goes to the end where the energy is lower."""
    after = values.clone()
    for index in reversed(range(len(values))):
        ends = []
        for end in (0.0, 1.0):
            after[index] = end
            ends.append(float(chain(after)))
        after[index] = float(ends[1] < ends[0])
    return float(chain(values)), after


def test_coordinate_descent_ends_where_no_coordinate_changes():
    # From (1, 1, 1): the last stays, as the second holds it (1 - 2 < 0); the second stays
    # (-1 + 2 - 2 < 0), the first, too (-3 + 2 < 0).
    (only,) = coordinate_descent(swept, torch.ones(3), 10)
    assert only.values.tolist() == [1, 1, 1]
    # From (0, 0, 0): the last stays closed, the second opens, the first opens; then the last opens.
    iterates = list(coordinate_descent(swept, torch.zeros(3), 10))
    assert [iterate.values.tolist() for iterate in iterates] == [[0, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert [iterate.energy for iterate in iterates] == [0, -2, -3]
    assert [iterate.step for iterate in iterates] == [0, 1, 2]


def test_coordinate_descent_makes_no_more_sweeps_than_asked_for():
    assert len(list(coordinate_descent(swept, torch.zeros(3), 1))) == 2
    assert len(list(coordinate_descent(swept, torch.zeros(3), 0))) == 1


@pytest.mark.parametrize("worse", [4.0, math.nan])
def test_a_sweep_that_raises_the_energy_is_not_taken(worse):
    energies = iter([3.0, 2.0, worse, 1.0])

    def sweep(values: Tensor) -> tuple[float, Tensor]:
        return next(energies), values + 1

    taken = list(coordinate_descent(sweep, torch.zeros(1), 10))
    assert [iterate.energy for iterate in taken] == [3, 2]


def test_projected_gradient_finds_the_corner_or_the_inside():
    *_, last = projected_gradient(lambda x: (x * PULL).sum(), torch.full((3,), 0.5), 20)
    assert last.values.tolist() == [1, 1, 0]
    target = torch.tensor([0.25, 2.0, -1.0])
    *_, last = projected_gradient(lambda x: (x - target).square().sum(), torch.ones(3), 50)
    torch.testing.assert_close(last.values, torch.tensor([0.25, 1.0, 0.0]), atol=1e-3, rtol=0)


def test_projected_gradient_never_goes_up_nor_leaves_the_box():
    iterates = list(projected_gradient(chain, torch.full((3,), 0.5), 20))
    energies = [iterate.energy for iterate in iterates]
    assert energies == sorted(energies, reverse=True)
    assert energies[-1] == -3
    for iterate in iterates:
        assert iterate.energy == pytest.approx(float(chain(iterate.values)))
        assert ((iterate.values >= 0) & (iterate.values <= 1)).all()
        assert not iterate.values.requires_grad
        variable = iterate.values.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(chain(variable), variable)
        torch.testing.assert_close(iterate.gradient, gradient)


@pytest.mark.parametrize(
    "objective",
    [lambda x: (x * math.nan).sum(), lambda x: x.sum() * math.inf, lambda x: 0 * x.sum()],
    ids=["nan", "inf", "flat"],
)
def test_projected_gradient_ends_where_nothing_pays(objective):
    (only,) = projected_gradient(objective, torch.full((2,), 0.5), 50)
    assert only.values.tolist() == [0.5, 0.5]


def test_projected_gradient_leaves_what_it_started_from():
    start = torch.full((3,), 0.5)
    generator = projected_gradient(chain, start, 10)
    next(generator)
    next(generator)
    generator.close()
    assert start.tolist() == [0.5, 0.5, 0.5]
    assert not start.requires_grad
