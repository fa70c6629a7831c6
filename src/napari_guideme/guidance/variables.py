"""What may move: values inserted into a frozen network.

Every variable is a tensor of values that change nothing at zero, and a way to
move an activation by them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


class Variable(Protocol):
    """Values that move an activation."""

    def initial(self, device: torch.device | None = None) -> Tensor:
        """Return the values that change nothing."""

    def apply(self, activation: Tensor, values: Tensor) -> Tensor:
        """Move an activation (N, C, *spatial)."""


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
        return torch.zeros(self.size, dtype=torch.float32, device=device)

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


@dataclass(frozen=True)
class Offset:
    """An offset of some channels of the network's input.

    Of the interaction maps it is the variable of BRS, of the image that of
    RGB-BRS.

    Parameters
    ----------
    first, channels
        The channels that move, of all channels of the input.
    shape
        Spatial shape of the input.

    References
    ----------
    Jang and Kim, CVPR 2019, section 3.2; Sofiiuk et al., *f-BRS*, CVPR 2020.
    """

    first: int
    channels: int
    shape: tuple[int, ...]

    def initial(self, device: torch.device | None = None) -> Tensor:
        """Return the values that change nothing."""
        shape = (1, self.channels, *self.shape)
        return torch.zeros(shape, dtype=torch.float32, device=device)

    def apply(self, activation: Tensor, values: Tensor) -> Tensor:
        """Add the values to their channels."""
        sizes = (self.first, self.channels, activation.shape[1] - self.first - self.channels)
        before, own, after = activation.split(sizes, dim=1)
        return torch.cat([before, own + values, after], dim=1)


@dataclass(frozen=True)
class DistanceOffset(Offset):
    """An offset of the distances of which interaction maps ``tanh(d / reach)`` were made.

    Values are in units of the reach. The maps stay maps of distances: between
    0 and 1, and steep where clicks are.

    References
    ----------
    The distance-map variant of Sofiiuk et al., *f-BRS*, CVPR 2020.
    """

    #: Where distances have no end, an offset starts from so many reaches.
    furthest: float = 2.0

    def apply(self, activation: Tensor, values: Tensor) -> Tensor:
        """Map the moved distances anew."""
        own = activation.narrow(1, self.first, self.channels)
        limit = math.tanh(self.furthest)
        distance = own.clamp(-limit, limit).atanh()
        return super().apply(activation, (distance + values).tanh() - distance.tanh())


@dataclass(frozen=True)
class EnteringMaps:
    """Interaction maps for a network that never had any: they enter at its first convolution.

    The network's own first activation A becomes A + V ∗ z. The maps z are zero
    at first, so its output is unchanged to the bit; the weights V are random,
    the same in every run, and as strong as what they are added to.

    Parameters
    ----------
    maps
        Number of maps.
    channels
        Channels C of the first activation.
    kernel, stride
        Of the first convolution, along each spatial axis.
    shape
        Spatial shape of the network's input.

    References
    ----------
    Jang and Kim, CVPR 2019, section 3.3 and figure 6.
    """

    maps: int
    channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    shape: tuple[int, ...]

    def initial(self, device: torch.device | None = None) -> Tensor:
        """Return the maps that change nothing."""
        shape = (1, self.maps, *self.shape)
        return torch.zeros(shape, dtype=torch.float32, device=device)

    def weights(self, device: torch.device | None = None) -> Tensor:
        """Return V, (C, maps, *kernel): rows of length 1."""
        generator = torch.Generator().manual_seed(0)
        shape = (self.channels, self.maps, *self.kernel)
        drawn = torch.randn(shape, dtype=torch.float32, generator=generator)
        return F.normalize(drawn.flatten(1), dim=1).view_as(drawn).to(device)

    def apply(self, activation: Tensor, values: Tensor) -> Tensor:
        """Add what the maps contribute to the first activation."""
        convolve = F.conv2d if len(self.shape) == 2 else F.conv3d
        padding = [side for length in reversed(self.kernel) for side in _around(length)]
        padded = F.pad(values, padding)
        weights = self.weights(values.device).to(values.dtype)
        entering = convolve(padded, weights, stride=self.stride)
        # Without padding of its own the network's first convolution has lost a border.
        pairs = zip(activation.shape[2:], entering.shape[2:], strict=True)
        missing = [here - there for here, there in pairs]
        borders = [side for n in reversed(missing) for side in (-(-n // 2), n // 2)]
        entering = F.pad(entering, borders)
        return activation + activation.detach().std() * entering


def _around(length: int) -> tuple[int, int]:
    return (length - 1) // 2, length // 2
