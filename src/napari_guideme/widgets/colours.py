"""One colour per class, the same on buttons, points, scribbles and labels."""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hsv_to_rgb
from typing import Any

from napari.utils.colormaps import DirectLabelColormap

#: Okabe and Ito's palette, distinguishable with every kind of colour vision.
_PALETTE = ("#56b4e9", "#e69f00", "#cc79a7", "#009e73", "#f0e442", "#d55e00", "#0072b2")

#: Maps that a name was found by, with their colours, which are those of their chips.
MAPS = {"stands in": "#2fe06a", "distracts": "#ff5a6e"}

_GOLDEN_RATIO = 0.618034


def class_colours(count: int) -> list[str]:
    """Hexadecimal colours of `count` classes, the background's first."""
    return [_PALETTE[i] if i < len(_PALETTE) else _hue(i * _GOLDEN_RATIO % 1) for i in range(count)]


def class_colormap(colours: Sequence[str], offset: int = 0) -> DirectLabelColormap:
    """Colours of the classes, from `offset` on; the background itself is not tinted."""
    found: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    first = 0 if offset else 1
    found |= {k + offset: c for k, c in enumerate(colours) if k >= first}
    return DirectLabelColormap(color_dict=found)


def _hue(hue: float) -> str:
    red, green, blue = (round(255 * x) for x in hsv_to_rgb(hue, 0.65, 0.9))
    return f"#{red:02x}{green:02x}{blue:02x}"
