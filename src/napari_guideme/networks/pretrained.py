"""Torchvision's pretrained segmentation networks, by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_guideme.errors import InputError
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.downloading import download
from napari_guideme.networks.formats import weights
from napari_guideme.networks.formats.architectures import segmentation_names
from napari_guideme.networks.opening import freeze
from napari_guideme.networks.vision import torchvision

if TYPE_CHECKING:
    from napari_guideme.networks.frozen import FrozenNetwork

PREFIX = "torchvision:"


def is_pretrained(name: str) -> bool:
    """Whether torchvision has such a network, written with or without the prefix."""
    return name.startswith(PREFIX) or name in segmentation_names()


def open_pretrained(name: str, device: str, card: NetworkCard | None) -> FrozenNetwork:
    """Open one of torchvision's networks; its weights are downloaded once.

    Raises
    ------
    InputError
        If there is no such network (the message lists those there are), or its
        weights cannot be downloaded or are not what they should be.
    """
    name = name.removeprefix(PREFIX)
    if name not in (known := segmentation_names()):
        raise InputError(f"torchvision has no network {name!r}; it has {', '.join(known)}")
    chosen = torchvision("torchvision.models").get_model_weights(name).DEFAULT
    full = (card or NetworkCard()).completed(_card(name, chosen))
    file = downloaded(chosen.url)
    from napari_guideme.networks.modes import own_modes

    with own_modes():
        return freeze(weights.load(file, full), full, device)


def downloaded(url: str) -> Path:
    """Download weights with a progress bar, unless they are here already.

    They are kept where torch keeps its own. The name of the file holds the start
    of its SHA-256, which is checked.
    """
    import torch

    target = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not target.is_file():
        expected = re.search(r"-([0-9a-f]{8,})\.", target.name)
        download(url, target, expected[1] if expected else "")
    return target


def _card(name: str, chosen: Any) -> NetworkCard:
    """What torchvision says of its weights."""
    categories = chosen.meta["categories"]
    prepare = chosen.transforms()
    return NetworkCard(
        name=name,
        description=f"{name} of torchvision, {len(categories) - 1} kinds of everyday objects.",
        licence="BSD-3-Clause",
        classes=tuple(category.strip("_") for category in categories),
        output="logits",
        channels_last=False,
        architecture={"name": name, "num_classes": len(categories)},
        preparation={
            "value_range": "dtype",
            "mean": tuple(prepare.mean),
            "std": tuple(prepare.std),
            "multiple": 1,
        },
    )
