from __future__ import annotations

import torch
from torch import nn

from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.preparation import Preparation


def network_of(
    classes: tuple[str, ...],
    separator: str | None = None,
    weights: list[float] | None = None,
    biases: list[float] | None = None,
) -> FrozenNetwork:
    """A 1x1 convolution of a grey image: a logit `weight * x + bias` for each class."""
    convolution = nn.Conv2d(1, len(classes), 1)
    with torch.no_grad():
        convolution.weight.view(-1).copy_(torch.tensor(weights or [0.0] * len(classes)))
        convolution.bias.copy_(torch.tensor(biases or [0.0] * len(classes)))
    preparation = Preparation(ndim=2, channels=1, value_range="none")
    return FrozenNetwork(
        convolution, classes, preparation, separator=separator, device="cpu", name="toy"
    )
