"""TorchScript files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from napari_guideme.errors import InputError
from napari_guideme.files import first_line
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.formats.archive import rebuilt, records

if TYPE_CHECKING:
    from torch import nn

#: TorchScript can touch files by these operators, and by those of unknown libraries.
_FORBIDDEN = re.compile(
    rb"\b(torch|aten)\.(save|from_file)\b|(?<![.\w])ops\.(?!prim\b|aten\b|quantized\b|torchvision\b)\w+"
)


def guess(path: Path) -> NetworkCard:
    """Nothing: its weights tell once they are loaded."""
    return NetworkCard()


def load(path: Path, card: NetworkCard) -> nn.Module:
    """Load the program, if it does nothing but compute."""
    import torch

    found = records(path)
    for name, content in found.items():
        if name.startswith("code/") and (match := _FORBIDDEN.search(content)):
            raise InputError(
                f"{path.name} uses {match[0].decode()}, which is not allowed in a network"
            )
    try:
        module: nn.Module = torch.jit.load(rebuilt(found), map_location="cpu")
    except Exception as error:
        raise InputError(f"{path.name} cannot be loaded: {first_line(error)}") from error
    return module
