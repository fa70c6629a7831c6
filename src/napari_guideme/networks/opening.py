"""From a network file to a frozen network."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from napari_guideme.errors import InputError
from napari_guideme.networks.card import NetworkCard, beside

if TYPE_CHECKING:
    from torch import nn

    from napari_guideme.networks.frozen import FrozenNetwork

logger = logging.getLogger(__name__)

#: The module of `formats` that reads files of a suffix.
FORMATS = {".onnx": "onnx", ".safetensors": "weights", ".pth": "weights"}


class Format(Protocol):
    """What a module of `formats` offers."""

    def guess(self, path: Path) -> NetworkCard:
        """What the file itself tells."""

    def load(self, path: Path, card: NetworkCard) -> nn.Module:
        """Read the network."""


def format_of(path: Path) -> Format:
    """Find out how to read a file; the error lists what can be read."""
    if not path.exists():
        raise InputError(f"there is no network file {path}")
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path.name}: networks are read from {', '.join(FORMATS)}")
    module = f"napari_guideme.networks.formats.{FORMATS[path.suffix.lower()]}"
    found: Format = import_module(module)
    return found


def guess_card(path: Path) -> NetworkCard:
    """What a network file, and what stands beside it, tell about it.

    A sidecar counts more than a list of classes, and that more than the file.
    """
    guessed = format_of(path).guess(path)
    return beside(path).completed(guessed).completed(NetworkCard(name=path.stem))


def open_file(path: Path, device: str = "auto", card: NetworkCard | None = None) -> FrozenNetwork:
    """Open a network file; what `card` does not say is found by :func:`guess_card`."""
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.networks.preparation import Preparation

    card = (card or NetworkCard()).completed(guess_card(path))
    module = format_of(path).load(path, card)
    preparation = Preparation.from_dict(card.preparation)
    return FrozenNetwork(
        module,
        card.classes,
        preparation,
        output=card.output or "logits",
        channels_last=bool(card.channels_last),
        device=device,
        separator=card.separator,
        guide_point=card.guide_point,
        name=card.name,
        licence=card.licence,
        description=card.description,
    )
