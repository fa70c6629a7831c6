"""Opening a network: one that ships with the package, one of torchvision's, or a file.

A bundled network is three files in ``bundled``: ``NAME.safetensors`` (weights),
``NAME.guideme.toml`` (its card) and ``NAME.md`` (the model card).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from napari_guideme.errors import InputError, check_kind
from napari_guideme.files import named
from napari_guideme.networks.card import SUFFIX, NetworkCard, read_card

if TYPE_CHECKING:
    from napari_guideme.networks.frozen import FrozenNetwork


#: The network where none is chosen.
DEFAULT_NETWORK = "nuclei"

#: The classifier where none is chosen; it is installed with this package.
DEFAULT_CLASSIFIER = "efficientnet-lite0"


@dataclass(frozen=True)
class CatalogueEntry:
    """What is known about a bundled network without loading it."""

    name: str
    folder: Path

    @cached_property
    def card(self) -> NetworkCard:
        """What the network finds and expects."""
        return read_card(self.folder / f"{self.name}{SUFFIX}")

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, the background first."""
        return self.card.classes

    @property
    def licence(self) -> str:
        """SPDX name of the weights' licence."""
        return self.card.licence

    @property
    def description(self) -> str:
        """One sentence on what the network finds."""
        return self.card.description

    @property
    def model_card(self) -> str:
        """How the network was made and how well it does, in Markdown."""
        return (self.folder / f"{self.name}.md").read_text(encoding="utf-8")

    @property
    def path(self) -> Path:
        """The file of weights."""
        return self.folder / f"{self.name}.safetensors"

    def load(self, device: str = "auto") -> FrozenNetwork:
        """Build the network and read its weights."""
        return open_network(self.path, device)


def catalogue() -> dict[str, CatalogueEntry]:
    """All bundled networks, by name, the default one first."""
    folder = Path(str(resources.files("napari_guideme.networks") / "bundled"))
    names = (file.name.removesuffix(SUFFIX) for file in folder.glob(f"*{SUFFIX}"))
    ordered = sorted(names, key=lambda name: (name != DEFAULT_NETWORK, name))
    return {name: CatalogueEntry(name, folder) for name in ordered}


def open_network(
    name_or_path: str | Path, device: str = "auto", card: NetworkCard | None = None
) -> FrozenNetwork:
    """Open a network by name or from a file.

    Parameters
    ----------
    name_or_path
        A bundled network (see :func:`catalogue`), one of torchvision's such as
        ``"torchvision:fcn_resnet50"``, or the path of a file or folder.
    device
        ``"auto"`` (CUDA, else MPS, else CPU) or a name such as ``"cuda:1"``.
    card
        What counts more than the file's sidecar and metadata.

    Raises
    ------
    InputError
        If there is no such network, or it cannot be read, or does not fit its card.
    """
    wanted = "the name of a network, or the path of a file or folder"
    check_kind("name_or_path", name_or_path, (str, os.PathLike), wanted)
    entries = catalogue()
    name = str(name_or_path)
    path = entries[name].path if name in entries else named(Path(name_or_path))
    if path.exists():
        from napari_guideme.networks.opening import open_file

        return open_file(path, device, card)
    from napari_guideme.networks.pretrained import PREFIX, is_pretrained, open_pretrained

    if is_pretrained(name):
        return open_pretrained(name, device, card)
    raise InputError(
        f"there is no network {name!r}; bundled are {', '.join(entries)}; "
        f"else give {PREFIX}NAME or the path of a file"
    )
