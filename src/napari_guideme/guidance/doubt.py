"""How far a network doubts labels."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_guideme.guidance.scene import winning


def lead(probabilities: Tensor) -> Tensor:
    """How far the likeliest class leads the next one, (*spatial), of (K, *spatial)."""
    return 1 - doubted(probabilities, winning(probabilities))


def doubted(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Doubt, from 0 to 2, that labels (*spatial) are right, of probabilities (K, *spatial)."""
    own = probabilities.gather(0, labels[None])
    others = probabilities.scatter(0, labels[None], -torch.inf).amax(0, keepdim=True)
    return (1 - own + others)[0]
