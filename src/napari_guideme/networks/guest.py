"""The module of a user, before it is traced: copied, and seen with channels first."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from napari_guideme.networks.tracing import main_output


class ChannelsFirst(nn.Module):
    """A module whose channels are last, seen from outside as if they were first."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, *spatial) to (N, K, *spatial')."""
        output: Tensor = main_output(self.module(x.movedim(1, -1)))
        return output.movedim(-1, 1)


def guest_of(module: nn.Module) -> nn.Module:
    """Copy the structure of a module around the very same weights."""
    memo: dict[int, Any] = {
        id(parameter): nn.Parameter(_lasting(parameter.detach()), requires_grad=False)
        for parameter in module.parameters()
    }
    memo |= {id(buffer): buffer.clone() for buffer in module.buffers() if buffer.is_inference()}
    for part in module.modules():
        # Derived weights and remembered activations: autograd forbids deepcopy.
        derived = (v for v in vars(part).values() if isinstance(v, Tensor) and not v.is_leaf)
        memo |= {id(value): value.detach().clone() for value in derived}
    with torch.no_grad():  # TorchScript copies by operations, whose results are no leaves else.
        return copy.deepcopy(module, memo).eval()


def _lasting(weight: Tensor) -> Tensor:
    """The weight, or a copy of one that was made in inference mode, as autograd refuses those."""
    return weight.clone() if weight.is_inference() else weight
