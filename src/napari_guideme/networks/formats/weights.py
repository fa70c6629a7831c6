"""Weights alone, for an architecture that the card names: safetensors or a state dict."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_guideme.errors import InputError
from napari_guideme.networks.card import NetworkCard

if TYPE_CHECKING:
    from torch import nn


def guess(path: Path) -> NetworkCard:
    """Nothing: weights alone do not say what they are for."""
    return NetworkCard()


def load(path: Path, card: NetworkCard) -> nn.Module:
    """Build the architecture of the card and give it the weights of the file."""
    from napari_guideme.networks.formats.architectures import build

    if not card.architecture:
        raise InputError(
            f"{path.name} holds weights alone; name their architecture in a card, "
            'for example [architecture] name = "fcn_resnet50", num_classes = 5'
        )
    state = _unwrapped(path, _read(path))
    architecture = dict(card.architecture)
    if any(str(key).startswith("aux_classifier") for key in state):
        architecture.setdefault("aux_loss", True)
    return _filled(path, build(architecture), state)


def filled(module: nn.Module, path: Path) -> nn.Module:
    """Give a module the weights of a file."""
    return _filled(path, module, _unwrapped(path, _read(path)))


def _filled(path: Path, module: nn.Module, state: dict[str, Any]) -> nn.Module:
    wanted = set(module.state_dict())
    for prefix in ("module.", "model."):
        shorter = {key.removeprefix(prefix): value for key, value in state.items()}
        # Wrappers put a name before all others, but some networks have one themselves.
        if set(state) != wanted and set(shorter) == wanted:
            state = shorter
    try:
        # Weights stored in half precision become those of the module, in full precision.
        module.float().load_state_dict(state)
    except Exception as error:
        problem = " ".join(str(error).split())
        raise InputError(
            f"{path.name} does not fit {type(module).__name__}: {problem[:200]}"
        ) from error
    return module


def _read(path: Path) -> Any:
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # What torch says here is how to run the code in the file nevertheless.
        raise InputError(
            f"{path.name} holds no readable weights: read are plain tensors by name, "
            "and nothing else is unpickled"
        ) from error


def _unwrapped(path: Path, state: Any) -> dict[str, Any]:
    """Find the weights in a training checkpoint."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not state:
        raise InputError(f"{path.name} holds no weights by name")
    return {str(key): value for key, value in state.items()}
