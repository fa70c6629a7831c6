"""Reading an image of any format, and a file of hints."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import ImageWarning, InputError
from napari_guideme.files.dicom import DICOM, read_dicom
from napari_guideme.files.flat import PICTURES, read_indices, read_picture
from napari_guideme.files.json_files import read_json
from napari_guideme.files.nifti import NIFTI, read_nifti
from napari_guideme.files.nrrd import NRRD, read_nrrd
from napari_guideme.files.ome_zarr import is_private, is_zarr, read_ome_zarr
from napari_guideme.files.picture import Picture
from napari_guideme.files.tiff import TIFF, read_tiff, read_tiff_numbers
from napari_guideme.files.whole import first_line, unwarned
from napari_guideme.hints import Hints
from napari_guideme.hints_json import hints_from_json

_READERS: dict[tuple[str, ...], Callable[[Path], Picture]] = {
    TIFF: read_tiff,
    PICTURES: read_picture,
    NIFTI: read_nifti,
    NRRD: read_nrrd,
    DICOM: read_dicom,
}

#: Readers of labels where those of images would read colours.
_OF_LABELS: dict[Callable[[Path], Picture], Callable[[Path], Picture]] = {
    read_tiff: read_tiff_numbers,
    read_picture: read_indices,
}

#: Endings of files with images.
IMAGE_FILES = tuple(suffix for suffixes in _READERS for suffix in suffixes)

#: Endings of those that hold volumes.
VOLUME_FILES = (*NIFTI, *NRRD)


def open_image(path: Path | str, *, series: str | None = None) -> Picture:
    """Open an image of any format that is known.

    Parameters
    ----------
    path
        A TIFF, PNG, JPEG, BMP, NIfTI, NRRD or DICOM file, a folder with a DICOM
        series, or an OME-Zarr image.
    series
        Which DICOM series of the folder, by its number or its UID.

    Returns
    -------
    What is in it. The pixels of an OME-Zarr are a lazy dask array.

    Raises
    ------
    InputError
        If it is missing, of another format, or broken, or a library that
        the format needs is not installed.

    Warns
    -----
    ImageWarning
        If its pixels are not stored upright: they are taken as they are stored.
    """
    path = Path(path)
    return _opened(path, _reader(path, series))


def _opened(path: Path, read: Callable[[Path], Picture]) -> Picture:
    """Open an image with a reader, and say what is wrong with it in one line."""
    # Folders and files of DICOM are often called as the patient is.
    dicom = path.name.lower().endswith(DICOM) or (path.is_dir() and not is_zarr(path))
    name = "the DICOM series" if dicom else path.name
    try:
        with unwarned():
            picture = read(path)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except Exception as error:
        # Decoders raise whatever a broken file makes them stumble over.
        told = first_line(error).replace(str(path), name)
        raise InputError(f"{name} is not a readable image: {told}") from error
    if picture.note:
        warnings.warn(f"{name}: {picture.note}", ImageWarning, stacklevel=3)
    return picture


def may_name_a_patient(path: Path) -> bool:
    """Whether a path may be that of an image of medicine, whose names are often those of patients.

    DICOM files often have no ending, and others than those that are read here hold patients too.
    """
    if is_zarr(path):
        return is_private(path)
    return path.is_dir() or not path.name.lower().endswith((*TIFF, *PICTURES))


def read_image(path: Path | str) -> tuple[NDArray[Any], int | None]:
    """Read an image and say which of its axes holds channels, see :func:`open_image`."""
    picture = open_image(path)
    return np.asarray(picture.pixels), picture.channel_axis


def open_labels(path: Path | str) -> Picture:
    """Open a file of labels, see :func:`open_image`; the numbers of a palette are the labels."""
    path = Path(path)
    read = _reader(path, None)
    return _opened(path, _OF_LABELS.get(read, read))


def read_labels(path: Path | str) -> NDArray[Any]:
    """Read the numbers of a file of labels, see :func:`open_labels`."""
    return np.asarray(open_labels(path).pixels)


def read_hints(path: Path | str) -> Hints:
    """Read ``HINTS.json``, see :func:`~napari_guideme.hints_json.hints_from_json`."""
    return read_json(Path(path), "hints file", hints_from_json)


def _reader(path: Path, series: str | None) -> Callable[[Path], Picture]:
    if is_zarr(path):
        return read_ome_zarr
    if path.is_dir():
        return lambda folder: read_dicom(folder, series)
    if not path.is_file():
        raise InputError(f"there is no image {path}")
    for suffixes, read in _READERS.items():
        if path.name.lower().endswith(suffixes):
            return read
    raise InputError(
        f"{path.name}: images are read from {', '.join(IMAGE_FILES)}, a folder of DICOM files, "
        "or an OME-Zarr image"
    )
