"""How an energy is brought down: generators of steps that can be dropped anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Objective = Callable[[Tensor], Tensor]
Minimiser = Callable[[Objective, Tensor, int], Iterator["Iterate"]]


@dataclass(frozen=True)
class Iterate:
    """Values after some steps and the energy that they reach."""

    step: int
    values: Tensor
    energy: float


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


def _iterates(
    objective: Objective, variable: Tensor, optimiser: torch.optim.Optimizer, steps: int
) -> Iterator[Iterate]:
    """Yield the start and every step; stop where nothing is finite or nothing moves."""
    evaluated: tuple[Tensor, float, Tensor] | None = None

    def closure() -> float:
        """Evaluate, unless these are the values of the last evaluation."""
        nonlocal evaluated
        if evaluated is None or not torch.equal(evaluated[0], variable):
            energy = objective(variable)
            (gradient,) = torch.autograd.grad(energy, variable)
            evaluated = (variable.detach().clone(), float(energy.detach()), gradient)
        variable.grad = evaluated[2].clone()
        return evaluated[1]

    yield Iterate(0, variable.detach().clone(), closure())
    for step in range(1, steps + 1):
        if variable.grad is None or not torch.isfinite(variable.grad).all():
            return
        before = variable.detach().clone()
        optimiser.step(closure)
        after = variable.detach().clone()
        if not torch.isfinite(after).all():
            return
        yield Iterate(step, after, closure())
        if torch.equal(after, before):
            return
