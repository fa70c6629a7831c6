"""How pixels look, in words: eleven colours, and how bright they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2lab

from napari_guideme.errors import InputError

#: The basic colour terms of English (Berlin and Kay).
COLOURS = (
    "black",
    "grey",
    "white",
    "red",
    "orange",
    "brown",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
)
#: Of a pixel between colours, such as skin or turquoise.
NAMELESS = len(COLOURS)

#: Percentiles of an image that count as black and white.
_BLACK, _WHITE = 1, 99.8
#: Channels that differ by less, of 1, show no colour.
_GREY = 0.02


def light(image: NDArray[Any], channel_axis: int | None = None) -> NDArray[np.float64]:
    """Bring an image to values from 0 to 1, channels last, (rows, columns[, channels]).

    Numbers of eight bits keep their meaning, all others are stretched.

    Raises
    ------
    InputError
        If the image does not have two axes besides that of its channels.
    """
    pixels = np.asarray(image)
    if channel_axis is not None:
        if not -pixels.ndim <= channel_axis < pixels.ndim:
            raise InputError(f"there is no channel axis {channel_axis} in shape {pixels.shape}")
        pixels = np.moveaxis(pixels, channel_axis, -1)
    if pixels.ndim != 2 + (channel_axis is not None):
        raise InputError(
            f"the image has shape {np.shape(image)}; expressions are about rows and columns, "
            "with one more axis for channels if channel_axis says which"
        )
    if not np.isfinite(pixels).all():
        raise InputError("the image holds values that are not finite")
    return pixels / 255 if pixels.dtype == np.uint8 else _stretched(pixels.astype(float))


def brightness(lit: NDArray[np.float64]) -> NDArray[np.float64]:
    """How bright each pixel is for an eye that got used to the image, (rows, columns), 0 to 1."""
    grey = lit if lit.ndim == 2 else lit[..., :3].mean(-1)
    shown = np.repeat(_stretched(grey)[..., None], 3, -1)
    return np.asarray(rgb2lab(shown)[..., 0] / 100)


def named_colours(lit: NDArray[np.float64]) -> NDArray[np.intp] | None:
    """Which of `COLOURS` each pixel has, or `NAMELESS`, (rows, columns).

    ``None`` if the image shows no colours: it is grey, or its channels are not red,
    green and blue.
    """
    if lit.ndim == 2 or lit.shape[-1] not in (3, 4):
        return None
    rgb = lit[..., :3]
    if np.percentile(np.ptp(rgb, axis=-1), 99) < _GREY:
        return None
    lightness, a, b = np.moveaxis(rgb2lab(rgb), -1, 0)
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    reddish = (hue >= 340) | (hue < 50)
    earthen = (hue >= 35) & (hue < 85)
    pale = lightness >= 62
    named = {
        "black": (lightness < 22) & (chroma < 25),
        "white": (lightness > 80) & (chroma < 10),
        "grey": chroma < 9,
        "pink": ((hue >= 325) | (hue < 25)) & pale & (chroma > 18)
        | ((hue >= 335) | (hue < 15)) & (lightness > 45) & (chroma > 45),
        "red": reddish & (chroma > 38) & ~pale,
        "orange": earthen & (chroma > 52) & (lightness > 52),
        "brown": earthen & (chroma > 14) & (lightness < 52),
        "yellow": (hue >= 80) & (hue < 112) & (chroma > 40) & (lightness > 58),
        "green": (hue >= 108) & (hue < 190) & (chroma > 14),
        "blue": (hue >= 230) & (hue < 308) & (chroma > 12),
        "purple": (hue >= 308) & (hue < 342) & (chroma > 16) & ~pale,
    }
    return np.select(list(named.values()), [COLOURS.index(name) for name in named], NAMELESS)


def _stretched(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.percentile(pixels, (_BLACK, _WHITE))
    return np.asarray(np.clip((pixels - low) / max(high - low, 1e-9), 0, 1))
