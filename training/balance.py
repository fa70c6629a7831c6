"""What a pixel of each class counts in a loss."""

from __future__ import annotations

from torch import Tensor


def rarity(counts: Tensor) -> Tensor:
    """Weights (K,) from the pixels of each class: rare ones more, by the root of their share."""
    weights = (counts.sum() / counts.clamp_min(1)).sqrt()
    return weights / weights.min()
