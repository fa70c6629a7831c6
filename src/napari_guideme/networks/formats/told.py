"""What metadata, shapes and descriptions tell about a network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from napari_guideme.networks.card import NetworkCard

#: Axes up to this length can hold channels; spatial axes are longer.
_MOST_CHANNELS = 16

_CLASS_KEYS = ("classes", "class_names", "labels", "names")
_LICENCES = ("Apache-2.0", "BSD-3-Clause", "BSD-2-Clause", "MIT", "CC0-1.0", "CC-BY-4.0")


def shape_of(dimensions: Sequence[int | None]) -> NetworkCard:
    """Read the shape of an input, `None` for axes that are free: layout, channels, size."""
    if not dimensions:
        return NetworkCard()
    first, last = dimensions[1], dimensions[-1]
    channels_last = not _may_be_channels(first) and _may_be_channels(last)
    channels = last if channels_last else first
    spatial = dimensions[1:-1] if channels_last else dimensions[2:]
    entries: dict[str, Any] = {"ndim": len(spatial)}
    if channels is not None:
        entries["channels"] = channels
    if None not in spatial:
        entries["size"] = tuple(spatial)
    return NetworkCard(channels_last=channels_last, preparation=entries)


def told(metadata: Mapping[str, str], description: str) -> NetworkCard:
    """Read a file's metadata and, where they are silent, its description."""
    lower = {key.lower(): value for key, value in metadata.items()}
    description = lower.get("description", description)
    classes = next((_names(lower[key]) for key in _CLASS_KEYS if key in lower), ())
    licence = lower.get("licence", lower.get("license", ""))
    known = NetworkCard(description=description, licence=licence, classes=classes)
    return known.completed(described(description))


def described(text: str) -> NetworkCard:
    """Read the customary phrases on preparation and licence in a description.

    ``x/127.5-1``, ``x/255``, ``x/65535``, ``2..98 percentiles``, ``BGR``,
    ``513 x 513``, ``16k+1`` and names of licences.
    """
    entries: dict[str, Any] = {}
    if re.search(r"/\s*127\.5\s*-\s*1\b", text):
        entries |= {"value_range": "dtype", "mean": (0.5,), "std": (0.5,)}
    elif re.search(r"/\s*(255|65535)\b", text):
        entries |= {"value_range": "dtype"}
    elif found := re.search(r"([\d.]*\d)\s*(?:\.\.|-|to|and)\s*([\d.]*\d)\s*percentile", text):
        entries |= {"value_range": "percentile"}
        entries |= {"percentiles": (float(found[1]), float(found[2]))}
    if re.search(r"\bBGR\b", text):
        entries["bgr"] = True
    if found := re.search(r"\b(\d{2,4}) ?[x×] ?(\d{2,4})(?: ?[x×] ?(\d{2,4}))?\b", text):
        entries["size"] = tuple(int(length) for length in found.groups() if length)
    if found := re.search(r"\b(\d+)\s*\*?\s*[kn](?:\s*\+\s*(\d+))?\b", text):
        entries |= {"multiple": int(found[1]), "offset": int(found[2] or 0)}
    licence = next((name for name in _LICENCES if re.search(rf"\b{name}\b", text)), "")
    return NetworkCard(licence=licence, preparation=entries)


def _names(text: str) -> tuple[str, ...]:
    """Class names from a JSON list or table, or separated by commas."""
    try:
        values = json.loads(text)
    except ValueError:
        values = text.strip("[](){}").split(",")
    if isinstance(values, dict):
        values = values.values()
    if not isinstance(values, str):
        return tuple(str(value).strip(" '\"") for value in values)
    return tuple(values.split(","))


def _may_be_channels(length: int | None) -> bool:
    return length is not None and length <= _MOST_CHANNELS
