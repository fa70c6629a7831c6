"""TIFF, by tifffile: images as they are shown, labels as they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC

from napari_guideme.errors import InputError
from napari_guideme.files.picture import Picture, note_on_orientation, plain_axes
from napari_guideme.files.whole import write_whole

TIFF = (".tif", ".tiff")

#: Colours that are not those of a screen.
_OTHER_COLOURS = {
    PHOTOMETRIC.SEPARATED: "CMYK",
    PHOTOMETRIC.YCBCR: "YCbCr",
    PHOTOMETRIC.CIELAB: "L*a*b*",
    PHOTOMETRIC.ICCLAB: "L*a*b*",
    PHOTOMETRIC.ITULAB: "L*a*b*",
}

#: Compressions whose decoder turns YCbCr into RGB.
_TURNED = (COMPRESSION.OJPEG, COMPRESSION.JPEG, COMPRESSION.JPEG_LOSSY, COMPRESSION.ALT_JPEG)

#: Kinds of files whose series are images. Those of others, such as slide scanners, come with
#: pictures of the whole slide and its label.
_OF_IMAGES = ("generic", "shaped", "ome", "mmstack")

#: What images beside the one that was taken are called.
_BESIDE = ("label", "macro", "overview", "thumbnail")


def read_tiff(path: Path) -> Picture:
    """Read the image of a TIFF, which names its axes: palettes as colours, white as large."""
    return _read(path, shown=True)


def read_tiff_numbers(path: Path) -> Picture:
    """Read a TIFF with labels: the numbers that are stored."""
    return _read(path, shown=False)


def _read(path: Path, *, shown: bool) -> Picture:
    with tifffile.TiffFile(path) as file:
        series = _only_series(file)
        page = series.keyframe
        _check_colours(page)
        pixels, letters = series.asarray(), series.axes
        # A mask is what is shown: how its two values are stored depends on the program. Only
        # tifffile stores a mask of numpy as it is, and says of it that white is zero.
        turned = not file.is_shaped if pixels.dtype == bool else shown
        if turned and page.photometric == PHOTOMETRIC.MINISWHITE:
            pixels = _inverted(pixels, page)
        # Numbers that a microscope measured are often stored with the colours they were shown in.
        measured = file.is_imagej or file.is_ome
        if shown and page.photometric == PHOTOMETRIC.PALETTE and not measured:
            pixels, letters = _painted(pixels, page), f"{letters}S"
    channel_axis = next((letters.index(letter) for letter in "SC" if letter in letters), None)
    axes = list(plain_axes(pixels.ndim, channel_axis))
    if "T" in letters and "Z" in letters:
        axes[letters.index("T")] = "t"
    note = note_on_orientation(page.tags.valueof("Orientation", 1))
    return Picture(pixels, tuple(axes), note=note)


def _only_series(file: tifffile.TiffFile) -> Any:
    """Return the image; coarser levels and pictures beside it are left out."""
    first, *others = file.series
    further = [
        series
        for series in others
        if not series.keyframe.is_reduced
        and not any(word in series.name.lower() for word in _BESIDE)
    ]
    if first.kind in _OF_IMAGES and further:
        shapes = ", ".join(" x ".join(map(str, series.shape)) for series in (first, *further))
        raise InputError(
            f"it holds {1 + len(further)} images that are no stack ({shapes}); take them apart"
        )
    return first


def _check_colours(page: Any) -> None:
    """Refuse colours that would be taken for those of a screen."""
    name = _OTHER_COLOURS.get(page.photometric)
    if name and not (name == "YCbCr" and page.compression in _TURNED):
        raise InputError(f"its colours are stored as {name}; save it as RGB or grey")


def _inverted(pixels: NDArray[Any], page: Any) -> NDArray[Any]:
    """Turn grey values that count from white on into those that count from black on."""
    if pixels.dtype.kind not in "bui":
        raise InputError("white is zero in it, and its values are no integers; save it otherwise")
    inverted: NDArray[Any] = np.invert(pixels)
    if pixels.dtype.kind == "u":
        # Fewer bits than the type has, such as 12.
        inverted &= pixels.dtype.type(2**page.bitspersample - 1)
    return inverted


def _painted(numbers: NDArray[Any], page: Any) -> NDArray[np.uint8]:
    """Return the colours of a palette, which come last."""
    colours = np.asarray(page.colormap)
    # They have 16 bits, but some programs write 8.
    eight = colours >> 8 if colours.max() > 255 else colours
    painted: NDArray[np.uint8] = eight.astype(np.uint8).T[numbers]
    return painted


def write_tiff(path: Path, labels: NDArray[np.integer]) -> None:
    """Write labels as TIFF."""
    write_whole(
        path,
        lambda new: tifffile.imwrite(new, labels, photometric="minisblack", compression="zlib"),
    )
