"""The networks that ship with the package.

A network is three files in ``bundled``: ``NAME.safetensors`` (weights),
``NAME.toml`` (architecture, classes, preparation, licence) and ``NAME.md`` (the
model card).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

from napari_guideme.errors import InputError

if TYPE_CHECKING:
    from napari_guideme.networks.frozen import FrozenNetwork


@dataclass(frozen=True)
class CatalogueEntry:
    """What is known about a network without loading it."""

    name: str
    folder: Traversable

    @cached_property
    def table(self) -> dict[str, Any]:
        """The file ``NAME.toml``."""
        return tomllib.loads((self.folder / f"{self.name}.toml").read_text(encoding="utf-8"))

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, the background first."""
        return tuple(self.table["classes"])

    @property
    def licence(self) -> str:
        """SPDX name of the weights' licence."""
        return str(self.table["licence"])

    @property
    def description(self) -> str:
        """One sentence on what the network finds."""
        return str(self.table["description"])

    @property
    def card(self) -> str:
        """The model card, in Markdown."""
        return (self.folder / f"{self.name}.md").read_text(encoding="utf-8")

    def load(self, device: str = "auto") -> FrozenNetwork:
        """Build the network and read its weights."""
        from safetensors.torch import load

        from napari_guideme.networks.frozen import FrozenNetwork
        from napari_guideme.networks.preparation import Preparation
        from napari_guideme.networks.unet import UNet

        module = UNet(**self.table["architecture"])
        # Weights stored in half precision become those of the module, in full precision.
        module.load_state_dict(load((self.folder / f"{self.name}.safetensors").read_bytes()))
        return FrozenNetwork(
            module,
            self.classes,
            Preparation.from_dict(self.table["preparation"]),
            device=device,
            separator=self.table.get("separator"),
            guide_point=self.table.get("guide_point"),
            name=self.name,
            licence=self.licence,
            description=self.description,
        )


def catalogue() -> dict[str, CatalogueEntry]:
    """All bundled networks, by name."""
    folder = resources.files("napari_guideme.networks") / "bundled"
    names = sorted(
        file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")
    )
    return {name: CatalogueEntry(name, folder) for name in names}


def open_network(name: str, device: str = "auto") -> FrozenNetwork:
    """Load a bundled network by name; the error lists those there are."""
    entries = catalogue()
    if name not in entries:
        raise InputError(f"unknown network {name!r}; bundled are {', '.join(entries)}")
    return entries[name].load(device)
