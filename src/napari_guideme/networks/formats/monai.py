"""MONAI bundles: a folder with ``configs`` and ``models``.

The configuration of a bundle is a program: its ``_target_`` and ``$`` entries are
calls and expressions. None of that is run. Only a network of
`monai.networks.nets` with plain arguments is built from it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_guideme.errors import InputError
from napari_guideme.files import first_line
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.formats import scripted, weights

if TYPE_CHECKING:
    from torch import nn

METADATA = "configs/metadata.json"
_CONFIGS = ("configs/inference.json", "configs/train.json", "configs/evaluate.json")
_NETWORK_KEYS = ("network_def", "network")
_NETS = "monai.networks.nets"


def guess(path: Path) -> NetworkCard:
    """What the metadata say of axes, channels and classes."""
    metadata = _table(path / METADATA)
    network = metadata.get("network_data_format", {})
    image: Any = next(iter(network.get("inputs", {}).values()), {})
    output: Any = next(iter(network.get("outputs", {}).values()), {})
    classes = output.get("channel_def") or {}
    if not all(isinstance(table, dict) for table in (network, image, output, classes)):
        raise InputError(f"{METADATA} of {path.name} is not what MONAI describes")
    shape = image.get("spatial_shape", ())
    entries: dict[str, Any] = {}
    if shape:
        entries |= {"ndim": len(shape), "multiple": math.gcd(*map(_multiple, shape))}
    if "num_channels" in image:
        entries["channels"] = image["num_channels"]
    return NetworkCard(
        name=str(metadata.get("name", path.name)),
        description=str(metadata.get("description", "")),
        licence=str(metadata.get("license", "")),
        classes=tuple(str(classes[key]) for key in sorted(classes, key=int)),
        preparation=entries,
    )


def load(path: Path, card: NetworkCard) -> nn.Module:
    """Build the network and read its weights, or load it as TorchScript."""
    state, script = path / "models/model.pt", path / "models/model.ts"
    config = next((path / name for name in _CONFIGS if (path / name).is_file()), None)
    if state.is_file() and config is not None:
        return weights.filled(_built(path, _table(config)), state)
    if script.is_file():
        return scripted.load(script, card)
    raise InputError(f"{path.name} has neither models/model.ts nor models/model.pt with a config")


def _built(path: Path, config: Mapping[str, Any]) -> nn.Module:
    """Build the network that the configuration names, and nothing else."""
    table = next((config[key] for key in _NETWORK_KEYS if isinstance(config.get(key), dict)), None)
    if table is None:
        raise InputError(f"{path.name} defines no network_def")
    arguments = {key: _plain(value, config) for key, value in table.items()}
    target = str(arguments.pop("_target_", ""))
    found = re.fullmatch(rf"(?:{re.escape(_NETS)}\.(?:\w+\.)?)?([A-Za-z]\w*)", target)
    try:
        from monai.networks import nets
    except ImportError:
        raise InputError("MONAI bundles need `pip install napari-guideme[monai]`") from None
    from torch import nn

    kind = getattr(nets, found[1], None) if found else None
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise InputError(f"{path.name} names {target}; built are networks of {_NETS}")
    try:
        return kind(**arguments)
    except Exception as error:
        raise InputError(f"{target} cannot be built: {first_line(error)}") from error


def _plain(value: Any, config: Mapping[str, Any]) -> Any:
    """A plain value, or the plain value that ``@name`` refers to."""
    if isinstance(value, str) and value.startswith("@"):
        value = config.get(value[1:])
        if not isinstance(value, int | float | bool | list):
            raise InputError("a reference in the configuration is not to a plain value")
    if isinstance(value, str) and value.startswith(("$", "%")):
        raise InputError(f"the configuration holds code, which is never run: {value[:60]}")
    if isinstance(value, dict):
        raise InputError(
            "an argument of the network is an object of its own; plain values are read"
        )
    if isinstance(value, list):
        return [_plain(entry, config) for entry in value]
    return value


def _table(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot read {path.name} of the bundle: {first_line(error)}") from error
    if not isinstance(table, dict):
        raise InputError(f"{path.name} of the bundle is not a table")
    return table


def _multiple(length: Any) -> int:
    """Of what a side is a multiple: ``96``, ``"16*n"`` or ``"2**5*n"``; at most 32."""
    if isinstance(length, int):
        return math.gcd(length, 32) if length > 0 else 32
    power = re.match(r"\s*(\d+)\s*(?:\*\*\s*(\d+))?", str(length))
    return math.gcd(int(power[1]) ** min(int(power[2] or 1), 8), 32) if power else 1
