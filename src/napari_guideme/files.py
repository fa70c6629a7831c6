"""Reading images and hints, writing labels: one clear message when it fails."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from imageio import v3 as imageio
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.hints import Hints
from napari_guideme.hints_json import hints_from_json

TIFF = (".tif", ".tiff")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp")


def read_image(path: Path) -> tuple[NDArray[Any], int | None]:
    """Read an image and say which of its axes holds channels.

    A TIFF file names its axes; in PNG, JPEG and BMP colours come last.

    Raises
    ------
    InputError
        If the file is missing, of another format, or broken.
    """
    if not path.is_file():
        raise InputError(f"there is no image {path}")
    suffix = path.suffix.lower()
    if suffix not in TIFF + PICTURES:
        raise InputError(f"{path.name}: images are read from {', '.join(TIFF + PICTURES)}")
    try:
        return _read_tiff(path) if suffix in TIFF else _read_picture(path)
    except Exception as error:
        # Decoders raise whatever a broken file makes them stumble over.
        raise InputError(f"{path.name} is not a readable image: {first_line(error)}") from error


def read_hints(path: Path) -> Hints:
    """Read ``HINTS.json``, see :func:`~napari_guideme.hints_json.hints_from_json`."""
    try:
        return hints_from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"there is no hints file {path}") from None
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path.name}: {first_line(error)}") from error


def write_labels(path: Path, labels: NDArray[np.integer]) -> None:
    """Write labels as TIFF or PNG, whole or not at all."""
    check_writable(path, (*TIFF, ".png"))
    if path.suffix.lower() in TIFF:
        _write(
            path,
            lambda new: tifffile.imwrite(new, labels, photometric="minisblack", compression="zlib"),
        )
    else:
        largest = labels.max(initial=0)
        if labels.ndim != 2 or largest > np.iinfo(np.uint16).max:
            raise InputError(
                f"{path.name}: PNG holds 2-D labels up to 65535; "
                f"these have shape {labels.shape} and go up to {largest}, write .tif"
            )
        fitting = np.uint8 if largest < 256 else np.uint16
        write_picture(path, labels.astype(fitting))


def write_picture(path: Path, pixels: NDArray[Any]) -> None:
    """Write a picture, whole or not at all."""
    _write(path, lambda new: imageio.imwrite(new, pixels))


def write_json(path: Path, entries: dict[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(entries, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    _write(path, lambda new: new.write_text(text, encoding="utf-8"))


def check_writable(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raise `InputError` before a long computation whose result has nowhere to go."""
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{path.name}: the output must end in {', '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file to write")
    with _output_errors(path), tempfile.TemporaryFile(dir=path.parent):
        pass


def make_folder(path: Path) -> None:
    """Make a folder for output, if it is not there."""
    with _output_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass


def _write(path: Path, save: Callable[[Path], Any]) -> None:
    """Save beside the target and move into place, so that no half file is left."""
    new = path.with_name(f".{os.getpid()}-{path.name}")
    with _output_errors(path):
        try:
            save(new)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


@contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def _read_tiff(path: Path) -> tuple[NDArray[Any], int | None]:
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        axes = series.axes
        channel_axis = next((axes.index(letter) for letter in "SC" if letter in axes), None)
        return series.asarray(), channel_axis


def _read_picture(path: Path) -> tuple[NDArray[Any], int | None]:
    pixels = imageio.imread(path, plugin="pillow")
    return pixels, (-1 if pixels.ndim == 3 else None)


def first_line(error: Exception) -> str:
    """What an exception says, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0]
