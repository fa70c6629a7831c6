"""What metadata, shapes and descriptions tell about a network."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.networks.card import NetworkCard

#: Axes up to this length can hold channels; spatial axes are longer.
_MOST_CHANNELS = 16

_CLASS_KEYS = ("classes", "class_names", "labels", "names")
_LICENCES = ("Apache-2.0", "BSD-3-Clause", "BSD-2-Clause", "MIT", "CC0-1.0", "CC-BY-4.0")

#: An input's shape as people write it: ``N x 3 x 513 x 513``.
_SHAPE = re.compile(
    r"\b[BN1] ?[x×] ?(\d+) ?[x×] ?(\d{2,4}) ?[x×] ?(\d{2,4})(?: ?[x×] ?(\d{2,4}))?\b"
)
#: What sides have to be: ``16k+1``, ``H, W = 16k``. There may be 10k images, too.
_SIDES = re.compile(
    r"\b(?:[DHW]\s*=\s*(\d{1,4})\s*\*?\s*[kn](?:\s*\+\s*(\d{1,4}))?"
    r"|(\d{1,4})\s*\*?\s*[kn]\s*\+\s*(1))\b"
)


@dataclass(frozen=True)
class Affine:
    """gain * x + offset, one number or one for each channel."""

    gain: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
    offset: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))

    def then(self, gain: Any, offset: Any) -> Affine:
        """Return this and another one after it."""
        gain, offset = np.atleast_1d(gain), np.atleast_1d(offset)
        return Affine(gain * self.gain, gain * self.offset + offset)

    def standardised(self, mean: Any, std: Any) -> Affine:
        """Return this and then (x - mean) / std."""
        mean, std = np.atleast_1d(mean), np.atleast_1d(std)
        return self.then(1 / std, -mean / std)

    def entries(self) -> dict[str, Any]:
        """Mean and std of a `Preparation` that do the same; nothing if nothing is done."""
        if (self.gain == 1).all() and (self.offset == 0).all():
            return {}
        mean = -self.offset / self.gain
        return {"mean": tuple(mean.tolist()), "std": tuple((1 / self.gain).tolist())}


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


def told(metadata: Mapping[str, str], description: str, shape: NetworkCard) -> NetworkCard:
    """Read a file's metadata and, where they and the input's shape are silent, its description.

    Parameters
    ----------
    metadata
        Texts by name.
    description
        What counts if there is none among the metadata.
    shape
        From :func:`shape_of`.
    """
    lower = {key.lower(): value for key, value in metadata.items()}
    description = lower.get("description", description)
    found = (_names(lower.get(key, "")) for key in _CLASS_KEYS)
    classes = next((names for names in found if names), ())
    licence = lower.get("licence", lower.get("license", ""))
    known = NetworkCard(description=description, licence=licence, classes=classes)
    return shape.completed(known).completed(described(description, shape.preparation))


def described(text: str, shape: Mapping[str, Any]) -> NetworkCard:
    """Read the customary phrases on preparation and licence in a description.

    ``x/127.5-1``, ``x/255``, ``x/65535``, ``2..98 percentiles``, ``BGR``,
    ``N x 3 x 513 x 513``, ``16k+1`` and names of licences. The two about sides only
    count for an input whose sides are free, and if its axes are these.
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
    if "size" not in shape:
        entries |= _sides(text, shape)
    licence = next((name for name in _LICENCES if re.search(rf"\b{name}\b", text)), "")
    return NetworkCard(licence=licence, preparation=entries)


def _sides(text: str, shape: Mapping[str, Any]) -> dict[str, Any]:
    """Size that a description tells, and of what sides are multiples."""
    entries: dict[str, Any] = {}
    if found := _SHAPE.search(text):
        channels, *sides = (int(length) for length in found.groups() if length)
        axes = {"ndim": len(sides), "channels": channels}
        if all(shape.get(key, length) == length for key, length in axes.items()):
            entries["size"] = tuple(sides)
    if found := _SIDES.search(text):
        entries |= {"multiple": int(found[1] or found[3]), "offset": int(found[2] or found[4] or 0)}
    return entries


def _names(text: str) -> tuple[str, ...]:
    """Class names from a list or table, as JSON or Python write it, or separated by commas.

    A number of classes and the like are no names.
    """
    values = _value(text)
    if values is None:
        values = text.strip("[](){}")
    if isinstance(values, str):
        values = values.split(",") if values.strip() else []
    if isinstance(values, dict):
        by_index = all(str(key).isdecimal() for key in values)
        values = [values[key] for key in (sorted(values, key=int) if by_index else values)]
    if not isinstance(values, list | tuple):
        return ()
    return tuple(str(value).strip(" '\"") for value in values)


def _value(text: str) -> Any:
    """What JSON or a literal of Python holds; ``None`` if it is neither."""
    try:
        # What JSON calls null is no text either.
        return json.loads(text, parse_constant=str) or ()
    except (ValueError, RecursionError):
        pass
    try:
        value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    # The order of a set is none.
    return None if isinstance(value, set) else value


def _may_be_channels(length: int | None) -> bool:
    return length is not None and length <= _MOST_CHANNELS
