"""PNG, JPEG and BMP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from imageio import v3 as imageio
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.files.picture import Picture, note_on_orientation, plain_axes
from napari_guideme.files.whole import write_whole

PICTURES = (".png", ".jpg", ".jpeg", ".bmp")

#: Colours for printing are read as those of a screen, by their modes.
_SHOWN = {"CMYK": "RGB"}


def read_picture(path: Path) -> Picture:
    """Read PNG, JPEG or BMP, whose colours come last; transparency of a grey one is left out."""
    return _picture(path, _SHOWN)


def read_indices(path: Path) -> Picture:
    """Read PNG, JPEG or BMP with labels: of a palette the indices, not its colours."""
    return _picture(path, {**_SHOWN, "P": "P"})


def _picture(path: Path, read_as: Mapping[str, str]) -> Picture:
    with imageio.imopen(path, "r", plugin="pillow") as file:
        count = file.properties().n_images or 1
        if count > 1:
            raise InputError(f"it holds {count} pictures that follow each other; take them apart")
        told = file.metadata(exclude_applied=False)
    if _is_deep(path):
        pixels = imagecodecs.png_decode(path.read_bytes())
    else:
        mode = read_as.get(told["mode"])
        pixels = imageio.imread(path, plugin="pillow", index=0, mode=mode)
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = np.ascontiguousarray(pixels[..., 0])
    axes = plain_axes(pixels.ndim, 2 if pixels.ndim == 3 else None)
    return Picture(pixels, axes, note=note_on_orientation(told.get("Orientation", 1)))


def _is_deep(path: Path) -> bool:
    """Whether it is a PNG of 16 bits, of whose colours pillow keeps 8."""
    with path.open("rb") as file:
        start = file.read(25)
    return start.startswith(b"\x89PNG") and start[24:] == b"\x10"


def check_png(path: Path, shape: tuple[int, ...]) -> None:
    """Raise `InputError` if PNG does not hold labels of a shape."""
    if len(shape) != 2:
        raise InputError(
            f"{path.name}: PNG holds labels of two axes; these have shape {shape}, write .tif"
        )


def write_png(path: Path, labels: NDArray[np.integer]) -> None:
    """Write labels as PNG, which holds two axes and 16 bits."""
    check_png(path, labels.shape)
    largest = labels.max(initial=0)
    if largest > np.iinfo(np.uint16).max:
        raise InputError(
            f"{path.name}: PNG holds labels up to 65535; these go up to {largest}, write .tif"
        )
    fitting = np.uint8 if largest < 256 else np.uint16
    write_picture(path, labels.astype(fitting))


def write_picture(path: Path, pixels: NDArray[Any]) -> None:
    """Write a picture, whole or not at all."""
    # Of what a full disk refuses, imageio would complain again in its own way.
    encoded: bytes = imageio.imwrite("<bytes>", pixels, extension=path.suffix.lower())
    write_whole(path, lambda new: new.write_bytes(encoded))
