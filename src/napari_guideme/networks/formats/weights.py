"""Weights alone, for an architecture that the card names: safetensors or a state dict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_guideme.errors import InputError
from napari_guideme.files import first_line
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
    module = build(card.architecture)
    state = _unwrapped(_read(path))
    try:
        # Weights stored in half precision become those of the module, in full precision.
        module.load_state_dict(state)
    except Exception as error:
        problem = " ".join(str(error).split())
        raise InputError(
            f"{path.name} does not fit the architecture {card.architecture['name']}: "
            f"{problem[:200]}"
        ) from error
    return module


def _read(path: Path) -> Any:
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{path.name} holds no readable weights: {first_line(error)}") from error


def _unwrapped(state: Any) -> Any:
    """Find the weights in a training checkpoint; names lose their wrappers' prefix."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict):
        return state
    for prefix in ("module.", "model."):
        if state and all(isinstance(key, str) and key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state
