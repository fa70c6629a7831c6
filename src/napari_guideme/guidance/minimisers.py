"""How an energy is brought down: generators of steps that can be dropped anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

Objective = Callable[[Tensor], Tensor]
Minimiser = Callable[[Objective, Tensor, int], Iterator["Iterate"]]

#: Values to their energy, and to the values that are best coordinate by coordinate.
Sweep = Callable[[Tensor], tuple[float, Tensor]]

#: Of the decrease that a gradient promises, so much has to come for a step to pay.
_PAYING = 1e-4
_GROWTH = 4.0
_HALVINGS = 20


@dataclass(frozen=True)
class Iterate:
    """Values after some steps, the energy that they reach, and its gradient where it is known."""

    step: int
    values: Tensor
    energy: float
    gradient: Tensor | None = None


def lbfgs(objective: Objective, start: Tensor, steps: int) -> Iterator[Iterate]:
    """L-BFGS with a strong Wolfe line search, as BRS and f-BRS use it."""
    variable = start.detach().clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [variable],
        max_iter=1,
        max_eval=5,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-8,
        tolerance_change=0,
    )
    return _iterates(objective, variable, optimiser, steps)


def momentum_descent(objective: Objective, start: Tensor, steps: int) -> Iterator[Iterate]:
    """Gradient descent with momentum, as in Guide Me, section 3.2."""
    variable = start.detach().clone().requires_grad_()
    optimiser = torch.optim.SGD([variable], lr=0.1, momentum=0.9)
    return _iterates(objective, variable, optimiser, steps)


def coordinate_descent(sweep: Sweep, start: Tensor, steps: int) -> Iterator[Iterate]:
    """Sweep over all coordinates until none changes, or a sweep would raise the energy."""
    values = start.detach().clone()
    energy, swept = sweep(values)
    yield Iterate(0, values, energy)
    for step in range(1, steps + 1):
        if torch.equal(swept, values):
            return
        values, before = swept, energy
        energy, swept = sweep(values)
        if not energy <= before:
            return
        yield Iterate(step, values, energy)


def projected_gradient(objective: Objective, start: Tensor, steps: int) -> Iterator[Iterate]:
    """Gradient descent within [0, 1], each step halved until it pays (Armijo's rule).

    At first the steepest coordinate goes all the way; a step that pays makes the next
    one larger. A step that does not pay however small it is ends the descent.

    References
    ----------
    Bertsekas, *On the Goldstein-Levitin-Polyak Gradient Projection Method*, 1976.
    """
    values = start.detach().clone()
    energy, gradient = _evaluated(objective, values)
    yield Iterate(0, values, energy, gradient)
    rate = _GROWTH / max(float(gradient.abs().max()), 1e-20)
    for step in range(1, steps + 1):
        for _ in range(_HALVINGS):
            after = (values - rate * gradient).clamp(0, 1)
            promised = float((gradient * (values - after)).sum())
            if not promised > 0:
                return
            reached, slope = _evaluated(objective, after)
            if reached <= energy - _PAYING * promised:
                break
            rate /= 2
        else:
            return
        values, energy, gradient, rate = after, reached, slope, _GROWTH * rate
        yield Iterate(step, values, energy, gradient)


def _evaluated(objective: Objective, values: Tensor) -> tuple[float, Tensor]:
    variable = values.detach().requires_grad_()
    energy = objective(variable)
    (gradient,) = torch.autograd.grad(energy, variable)
    return float(energy.detach()), gradient


def _iterates(
    objective: Objective, variable: Tensor, optimiser: torch.optim.Optimizer, steps: int
) -> Iterator[Iterate]:
    """Yield the start and every step; stop where nothing is finite or nothing moves."""
    latest = _Evaluation(objective, variable)

    def closure() -> float:
        """Evaluate, unless these are the values of the last evaluation."""
        nonlocal latest
        if not torch.equal(latest.values, variable):
            latest = _Evaluation(objective, variable)
        return latest.energy

    def closure_with_gradient() -> float:
        energy = closure()
        variable.grad = latest.gradient.clone()
        return energy

    yield Iterate(0, latest.values, latest.energy)
    for step in range(1, steps + 1):
        if not torch.isfinite(latest.gradient).all():
            return
        before = latest.values
        optimiser.step(closure_with_gradient)
        if not torch.isfinite(variable).all():
            return
        energy = closure()
        yield Iterate(step, latest.values, energy)
        if torch.equal(latest.values, before):
            return


class _Evaluation:
    """An energy at some values; its gradient costs nothing until it is asked for."""

    def __init__(self, objective: Objective, variable: Tensor) -> None:
        self.values = variable.detach().clone()
        self._variable = variable
        self._reached = objective(variable)
        self.energy = float(self._reached.detach())

    @cached_property
    def gradient(self) -> Tensor:
        """Of the energy, to be asked for before the variable moves on."""
        (gradient,) = torch.autograd.grad(self._reached, self._variable)
        return gradient
