"""The bundled class-agnostic network: it finds what two maps of saliency tell it to."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from safetensors.torch import load_file

from napari_guideme.errors import InputError
from napari_guideme.networks.attention_net import AttentionNet
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.networks.lite0 import imagenet_weights
from napari_guideme.networks.preparation import Preparation

#: Sides of the network's input, in pixels.
SIDE = 384

PREPARATION = Preparation(
    value_range="dtype", scale=255, mean=(127,), std=(128,), size=(SIDE, SIDE)
)

#: The decoder alone: the encoder is the classifier's, from the package that brings it.
WEIGHTS = Path(str(files(__package__) / "bundled" / "attention.safetensors"))


def open_attention(
    name: str = "object", device: str = "auto", weights: Path = WEIGHTS
) -> FrozenNetwork:
    """Open the class-agnostic network.

    Parameters
    ----------
    name
        Of the class that is not the background.
    device
        ``"auto"`` or a name such as ``"cuda:1"``.
    weights
        Of the decoder, as ``training/attention.py`` writes them.

    Raises
    ------
    InputError
        If the weights are not the decoder's.
    """
    module = AttentionNet().float().eval()
    encoder = {
        key.removeprefix("encoder."): value
        for key, value in imagenet_weights().items()
        if key.startswith("encoder.")
    }
    module.encoder.load_state_dict(encoder)
    try:
        module.decoder.load_state_dict({k: v.float() for k, v in load_file(weights).items()})
    except Exception as error:  # Foreign files fail in any manner.
        raise InputError(f"{weights.name} does not hold the weights of the decoder") from error
    return FrozenNetwork(
        module,
        ("background", name),
        PREPARATION,
        output="logits",
        device=device,
        name="attention",
        licence="BSD-3-Clause",
        description="Whatever the maps of a classifier tell it to find.",
        interaction=InteractionMaps("saliency", previous=False, side=SIDE),
    )
