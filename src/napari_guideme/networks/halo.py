"""How many pixels around a pixel its logits depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_guideme.networks.modes import own_modes
from napari_guideme.networks.tracing import noise

if TYPE_CHECKING:
    from napari_guideme.networks.frozen import FrozenNetwork

#: Length of what the halo is measured on.
_LONGEST = 512


def measured_halo(network: FrozenNetwork) -> int:
    """Measure the halo of a network on noise.

    A network that sees all of its input, as some normalisations do, gets half of what
    was measured on, and so does one that noise leaves silent.
    """
    preparation = network.preparation
    if preparation.size:
        return max(preparation.size)
    multiple = max(preparation.multiple, 8)
    length = -(-_LONGEST // multiple) * multiple + preparation.rest
    short = 2 * multiple + preparation.rest
    channels = network.guide_point("input").channels
    x = noise(1, channels, length, *(short,) * (preparation.ndim - 1)).to(network.device)
    head = network.head(x, "input")
    activation = head.activation.clone().requires_grad_()
    with own_modes():
        logits = network.tail(head, activation)
        line = logits[:, :, logits.shape[2] // 2]
        # A plain sum would hide what raises one class and lowers another.
        told = (line * noise(*line.shape).to(line)).sum()
        seen = torch.autograd.grad(told, activation)[0]
    along = seen.abs().sum([axis for axis in range(seen.ndim) if axis != 2]).nonzero()
    if not len(along):
        return length // 2
    centre = (logits.shape[2] // 2 + 0.5) * length / logits.shape[2]
    return int(max(centre - float(along.min()), float(along.max()) + 1 - centre)) + 1
