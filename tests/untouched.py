"""What a user's module must have kept when it is handed back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


def seen(tensor: Tensor | None) -> Any:
    """Which tensor this is, and what it holds."""
    return None if tensor is None else (id(tensor), tensor.data_ptr(), tensor.tolist())


def state(module: nn.Module) -> dict[str, Any]:
    """Weights, buffers, gradients, flags, hooks and attributes of all parts."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {
        "values": {name: seen(tensor.detach())[1:] for name, tensor in tensors},
        "objects": {name: id(tensor) for name, tensor in tensors},
        "gradients": {name: seen(tensor.grad) for name, tensor in tensors},
        "requires_grad": {name: tensor.requires_grad for name, tensor in tensors},
        "devices": {name: tensor.device for name, tensor in tensors},
        "training": {name: part.training for name, part in module.named_modules()},
        "hooks": {
            (name, kind): dict(hooks)
            for name, part in module.named_modules()
            for kind, hooks in vars(part).items()
            if "hooks" in kind and hooks is not None
        },
        "attributes": {name: sorted(vars(part)) for name, part in module.named_modules()},
    }


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    before = state(module)
    yield
    after = state(module)
    for what, value in before.items():
        assert after[what] == value, f"{what} differ"


def lived_in(module: nn.Module) -> nn.Module:
    """A module in the middle of its training: gradients, flags and hooks of its own."""
    module.train()
    first, second, *_ = module.parameters()
    first.grad = first.detach().clone()
    second.requires_grad_(False)
    part = next(part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Conv3d))
    part.register_forward_hook(lambda *_: None)
    part.register_full_backward_hook(lambda *_: None)
    part.weight.register_hook(lambda gradient: gradient)
    return module
