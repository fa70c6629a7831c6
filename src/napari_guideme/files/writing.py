"""Writing labels in the format that a path tells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.files import dicom_seg, nifti, nrrd
from napari_guideme.files.flat import check_png, write_png
from napari_guideme.files.label_store import check_store, is_store, write_store
from napari_guideme.files.ome_zarr import ZARR
from napari_guideme.files.picture import Picture, plain_axes
from napari_guideme.files.tiff import TIFF, write_tiff
from napari_guideme.files.whole import check_writable

_PNG = ".png"

#: Endings of files that hold labels.
LABEL_FILES = (*TIFF, _PNG, *nifti.NIFTI, *nrrd.NRRD, *dicom_seg.DICOM_SEG, *ZARR)


def check_labels_writable(path: Path, like: Picture | None = None) -> None:
    """Raise `InputError` before a long computation whose labels cannot be written.

    Parameters
    ----------
    path
        Where they shall go.
    like
        The image they belong to, once it is known.
    """
    name = path.name.lower()
    if like is not None and path.resolve() in {f.resolve() for f in like.kept.get("sources", ())}:
        raise InputError("the output is a slice of the image; choose another name")
    if is_store(path):
        check_store(path)
        return
    check_writable(path, LABEL_FILES)
    if name.endswith(nifti.NIFTI):
        nifti.library()
    elif name.endswith(nrrd.NRRD):
        nrrd.library()
    elif name.endswith(dicom_seg.DICOM_SEG):
        dicom_seg.library()
        if like is not None:
            dicom_seg.check_seg(like)


def check_labels_fit(path: Path, shape: tuple[int, ...]) -> None:
    """Raise `InputError` before a long computation if a format does not hold labels of a shape."""
    if path.name.lower().endswith(_PNG):
        check_png(path, shape)


def write_labels(
    path: Path | str,
    labels: NDArray[np.integer],
    like: Picture | None = None,
    names: Sequence[str] = (),
) -> None:
    """Write labels, whole or not at all.

    Parameters
    ----------
    path
        Its ending tells the format: TIFF, PNG, NIfTI, NRRD, DICOM SEG (``.dcm``) or
        OME-Zarr (``.zarr``, or ``IMAGE.zarr/labels/NAME``).
    labels
        Shape of the image without its channels.
    like
        The image, whose affine, spacing and unit are kept where the format holds them.
    names
        Names of the labels from 0 on, for formats that hold them.

    Raises
    ------
    InputError
        If the format does not hold such labels, or nothing can be written there.
    """
    path = Path(path)
    if like is not None and labels.shape != like.label_shape:
        raise InputError(f"the labels have shape {labels.shape}, the image {like.label_shape}")
    check_labels_writable(path, like)
    name = path.name.lower()
    grid = like or Picture(labels, plain_axes(labels.ndim, None))
    if is_store(path):
        write_store(path, labels, grid)
    elif name.endswith(TIFF):
        write_tiff(path, labels)
    elif name.endswith(nifti.NIFTI):
        nifti.write_nifti(path, labels, grid)
    elif name.endswith(nrrd.NRRD):
        nrrd.write_nrrd(path, labels, grid)
    elif name.endswith(dicom_seg.DICOM_SEG):
        check_writable(path, LABEL_FILES)
        dicom_seg.write_dicom_seg(path, labels, grid, names)
    else:
        write_png(path, labels)
