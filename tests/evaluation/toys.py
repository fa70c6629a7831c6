from __future__ import annotations

import torch
from torch import nn

from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.interaction import InteractionMaps
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


def clicked_network(side: int = 16) -> FrozenNetwork:
    """Takes clicks on a grey image and finds what is brighter than 0.5, whatever is clicked."""
    features = nn.Conv2d(1 + InteractionMaps().count, 2, 1)
    answer = nn.Conv2d(2, 1, 1)
    with torch.no_grad():
        features.weight.zero_()
        features.weight[:, 0, 0, 0] = torch.tensor([1.0, -1.0])
        features.bias.copy_(torch.tensor([0.0, 1.0]))
        answer.weight.view(-1).copy_(torch.tensor([5.0, -5.0]))
        answer.bias.zero_()
    return FrozenNetwork(
        nn.Sequential(features, nn.ReLU(), answer),
        ("background", "object"),
        Preparation(ndim=2, channels=1, value_range="none"),
        interaction=InteractionMaps(side=side),
        device="cpu",
        name="toy",
    )
