"""What may move: values inserted into a frozen network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class GuidingBlock:
    """Per-channel scale and bias, and attention along each spatial axis.

    The values are one flat vector that starts with the scales γˢ (C), then the
    biases γᵇ (C), then the attention of every axis: rows α and columns β in two
    dimensions. At zero the block changes nothing.

    Parameters
    ----------
    channels
        Channels C of the activation at the guide point.
    cells
        Number of attention values along each spatial axis, interpolated
        linearly to the activation's size; empty for scale and bias alone, which
        is the variable of f-BRS.

    References
    ----------
    Rupprecht et al., *Guide Me*, CVPR 2018, equations 1-3.
    """

    channels: int
    cells: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Number of values."""
        return 2 * self.channels + sum(self.cells)

    def initial(self, device: torch.device | None = None) -> Tensor:
        """Return the values that change nothing."""
        return torch.zeros(self.size, device=device)

    def split(self, values: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Return scale (C), bias (C) and the attention along each axis."""
        scale, bias, *attention = values.split([self.channels, self.channels, *self.cells])
        return scale, bias, tuple(attention)

    def apply(self, activation: Tensor, values: Tensor) -> Tensor:
        """Move an activation (N, C, *spatial): A' = (1 + α + β + γˢ) A + γᵇ."""
        scale, bias, attention = self.split(values)
        spatial = activation.shape[2:]
        per_channel = (1, -1, *(1,) * len(spatial))
        factor = 1 + scale.view(per_channel)
        for axis, cells in enumerate(attention):
            stretched = F.interpolate(
                cells[None, None], spatial[axis], mode="linear", align_corners=True
            )
            along = [1] * activation.ndim
            along[2 + axis] = spatial[axis]
            factor = factor + stretched.view(along)
        return factor * activation + bias.view(per_channel)
