"""From a network file to a frozen network."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from napari_guideme.errors import InputError
from napari_guideme.files import first_line
from napari_guideme.networks import cancelling
from napari_guideme.networks.card import NetworkCard, beside, sidecar
from napari_guideme.networks.formats import bioimage, monai
from napari_guideme.networks.formats.archive import names

if TYPE_CHECKING:
    from torch import nn

    from napari_guideme.networks.frozen import FrozenNetwork

logger = logging.getLogger(__name__)

#: The module of `formats` that reads files of a suffix; archives of torch are told apart
#: by what is in them.
FORMATS = {
    ".onnx": "onnx",
    ".pt2": "exported",
    ".ts": "scripted",
    ".torchscript": "scripted",
    ".pt": "weights",
    ".pth": "weights",
    ".safetensors": "weights",
    ".zip": "bioimage",
    ".yaml": "bioimage",
}

_KINDS = {
    "onnx": "ONNX file",
    "exported": "file of torch.export",
    "scripted": "TorchScript file",
    "weights": "file of weights",
    "bioimage": "bioimage.io package",
    "monai": "MONAI bundle",
}

#: What sides of the input may have to be multiples of.
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)


class Format(Protocol):
    """What a module of `formats` offers."""

    __name__: str

    def guess(self, path: Path) -> NetworkCard:
        """What the file itself tells."""

    def load(self, path: Path, card: NetworkCard) -> nn.Module:
        """Read the network."""


def format_of(path: Path) -> Format:
    """Find out how to read a file; the error lists what can be read."""
    if not path.exists():
        raise InputError(f"there is no network file {path}")
    kind = _kind_of_folder(path) if path.is_dir() else _kind_of_file(path)
    found: Format = import_module(f"napari_guideme.networks.formats.{kind}")
    return found


def _kind_of_file(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in FORMATS or (suffix == ".yaml" and path.name not in bioimage.NAMES):
        raise InputError(f"{path.name}: networks are read from {', '.join(FORMATS)}")
    if suffix not in (".pt", ".pth"):
        return FORMATS[suffix]
    records = names(path)
    if "models/model.json" in records:
        return "exported"
    return "scripted" if any(name.startswith("code/") for name in records) else "weights"


def _kind_of_folder(path: Path) -> str:
    if any((path / name).is_file() for name in bioimage.NAMES):
        return "bioimage"
    if (path / monai.METADATA).is_file():
        return "monai"
    raise InputError(
        f"{path.name} is no package: it has neither {bioimage.NAMES[0]} (bioimage.io) "
        f"nor {monai.METADATA} (MONAI)"
    )


def guess_card(path: Path) -> NetworkCard:
    """What a network file, and what stands beside it, tell about it.

    A sidecar counts more than a list of classes, and that more than the file.
    """
    guessed = _guessed(path, format_of(path))
    return beside(path).completed(guessed).completed(NetworkCard(name=path.stem))


def _guessed(path: Path, form: Format) -> NetworkCard:
    """What the file itself tells; files of unknown origin can fail in any manner."""
    try:
        return form.guess(path)
    except cancelling.Cancelled:
        raise
    except Exception as error:
        told = first_line(error)
        if isinstance(error, InputError):
            raise InputError(told if path.name in told else f"{path.name}: {told}") from error
        kind = _KINDS[form.__name__.rpartition(".")[2]]
        raise InputError(f"{path.name} is not a readable {kind}: {told}") from error


def open_file(path: Path, device: str = "auto", card: NetworkCard | None = None) -> FrozenNetwork:
    """Open a network file; what `card` does not say is found by :func:`guess_card`.

    What nobody says is measured (number of classes, logits or probabilities,
    channels, multiples of sides) or assumed (value range), and logged.
    """
    from napari_guideme.networks.modes import own_modes

    known = (card or NetworkCard()).completed(guess_card(path))
    # What torch has to say of its own insides while it loads is not for the user.
    with own_modes(), warnings.catch_warnings(action="ignore"):
        module = format_of(path).load(path, known)
        cancelling.check()
        network = freeze(module, known, device)
    _tell_assumptions(path, network)
    return network


def freeze(module: nn.Module, card: NetworkCard, device: str) -> FrozenNetwork:
    """Freeze a module as its card says; the network's own card then lacks nothing."""
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.networks.interaction import InteractionMaps
    from napari_guideme.networks.preparation import Preparation

    entries = {**_seen_in_weights(module), **card.preparation}
    if "size" not in entries and "multiple" not in entries:
        entries["multiple"] = _fitting_multiple(module.eval(), entries, bool(card.channels_last))
    network = FrozenNetwork(
        module,
        card.classes,
        Preparation.from_dict(entries),
        output=card.output,
        channels_last=bool(card.channels_last),
        device=device,
        separator=card.separator,
        guide_point=card.guide_point,
        name=card.name,
        licence=card.licence,
        description=card.description,
        interaction=InteractionMaps.from_dict(card.interaction) if card.interaction else None,
    )
    network.card = replace(network.card, architecture=card.architecture)
    told = {"classes": bool(card.classes), "value_range": "value_range" in card.preparation}
    network.assumed = tuple(entry for entry, is_told in told.items() if not is_told)
    return network


def _seen_in_weights(module: nn.Module) -> dict[str, Any]:
    """Spatial axes and channels of the input, from the first convolution's weights."""
    for weight in module.state_dict().values():
        if weight.ndim in (4, 5):
            return {"ndim": weight.ndim - 2, "channels": weight.shape[1]}
    return {}


def _fitting_multiple(module: nn.Module, entries: Mapping[str, Any], channels_last: bool) -> int:
    """Find the smallest number of which the sides have to be multiples, by trying."""
    import torch

    ndim, channels = entries.get("ndim", 2), entries.get("channels", 3)
    for multiple in _MULTIPLES:
        cancelling.check()
        odd = 2 * ((64 if ndim == 2 else 32) // (2 * multiple)) + 1
        sides = [multiple * (odd + 2 * axis) for axis in range(ndim)]
        shape = (1, *sides, channels) if channels_last else (1, channels, *sides)
        x = torch.rand(shape, dtype=torch.float32)
        try:
            with torch.no_grad():
                module(x)
        except Exception as error:
            # Foreign code; it fails in its own way on sides that do not fit.
            logger.info("sides of multiples of %d do not fit: %s", multiple, error)
        else:
            return multiple
    return 1


def _tell_assumptions(path: Path, network: FrozenNetwork) -> None:
    low, high = network.preparation.percentiles
    in_words = {
        "classes": f"classes {', '.join(network.classes)}",
        "value_range": f"percentiles {low:g} and {high:g} of an image as 0 and 1",
    }
    if network.assumed:
        logger.warning(
            "%s does not say all: assumed are %s; %s beside it can say otherwise",
            path.name,
            ", ".join(in_words[entry] for entry in network.assumed),
            sidecar(path).name,
        )
