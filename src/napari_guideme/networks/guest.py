"""The module of a user, before it is traced: copied, and seen with channels first."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from napari_guideme.errors import InputError, check_kind
from napari_guideme.files import first_line
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
    """Copy the structure of a module around the very same weights.

    Raises
    ------
    InputError
        If it is no module, lacks its weights, or cannot be copied.
    """
    check_kind("module", module, nn.Module, "a torch.nn.Module")
    _check_weights(module)
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
        try:
            return copy.deepcopy(module, memo).eval()
        except Exception as error:  # A module may hold anything.
            raise InputError(
                f"{type(module).__name__} holds what cannot be copied ({first_line(error)}); "
                "give a module without it"
            ) from error


def _check_weights(module: nn.Module) -> None:
    name = type(module).__name__
    for weight in itertools.chain(module.parameters(), module.buffers()):
        if isinstance(weight, UninitializedParameter | UninitializedBuffer):
            raise InputError(f"{name} has lazy layers; run it once on an input")
        if weight.is_meta:
            raise InputError(f"{name} has weights on the device meta; load them")


def _lasting(weight: Tensor) -> Tensor:
    """The weight, or a copy of one that was made in inference mode, as autograd refuses those."""
    return weight.clone() if weight.is_inference() else weight
