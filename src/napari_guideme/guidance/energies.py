"""What should be reached: energies over a network's output and our variables.

All return a scalar. Logits at hints have shape (n, K), classes (n,).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy at the hinted pixels (Guide Me, equation 4), weighted to sum 1."""
    return (weights * F.cross_entropy(logits, classes, reduction="none")).sum()


def corrective(logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
    """Squared error of the probabilities at the hinted pixels (BRS, equation 3).

    The paper has one object and one probability; with K classes the error is
    that of the probability of the hinted class, which is the same for K = 2.
    """
    probability = logits.softmax(1).gather(1, classes[:, None])[:, 0]
    return (weights * (1 - probability) ** 2).sum()


def squared_errors(logits: Tensor, classes: Tensor, _: Tensor) -> Tensor:
    """Corrective energy of BRS: squared errors, added up over the hinted pixels.

    E_C = Σ_u (l(u) - y(u))², with y the probability of the object and l 1 on it, 0
    elsewhere; see :func:`corrective` for K classes. Weights do not count.
    """
    probability = logits.softmax(1).gather(1, classes[:, None])[:, 0]
    return (1 - probability).square().sum()


def quadratic_inertia(values: Tensor) -> Tensor:
    """Squared norm of the variables: the smallest move is wanted."""
    return values.square().sum()


def output_inertia(log_before: Tensor, log_after: Tensor, similarity: Tensor) -> Tensor:
    """Cost of changing pixels that do not look like what was hinted.

    mean over x of (1 - s(x)) KL(p₀(x) ‖ p(x)).

    Parameters
    ----------
    log_before, log_after
        Log-probabilities (1, K, *spatial).
    similarity
        s(x) in [0, 1], (*spatial).
    """
    divergence = (log_before.exp() * (log_before - log_after)).sum(1)[0]
    return torch.mean((1 - similarity) * divergence)
