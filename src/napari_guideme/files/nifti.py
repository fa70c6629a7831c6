"""NIfTI, by nibabel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.files.geometry import REVERSED, Geometry
from napari_guideme.files.picture import Picture
from napari_guideme.files.whole import optional, write_whole

NIFTI = (".nii", ".nii.gz")

#: Names of the units of NIfTI.
_UNITS = {"mm": "millimeter", "micron": "micrometer", "meter": "meter"}

#: ``sform_code`` of coordinates of a scanner, and of those that were aligned to something.
_SCANNER, _ALIGNED = 1, 2


def read_nifti(path: Path) -> Picture:
    """Read a NIfTI file; volumes that follow each other and channels come first."""
    nib = library()
    with nib.imageglobals.LoggingOutputSuppressor():
        image = nib.load(path)
        if not isinstance(image, nib.Nifti1Image):
            raise InputError("it is of another format than its name tells")
        _check_sizes(image)
        pixels = _plain(np.asanyarray(image.dataobj))
    axes = ("c", "t", "z", "y", "x")[-pixels.ndim :] if pixels.ndim <= 5 else ()
    if image.get_data_dtype().fields:
        axes = ("c", *("t", "z", "y", "x")[1 - pixels.ndim :])
    if not 2 <= len(axes) == pixels.ndim:
        raise InputError(f"it has {pixels.ndim} axes; images have 2 to 5")
    if axes[:2] == ("c", "t") and pixels.shape[1] == 1:
        pixels, axes = pixels[:, 0], ("c", "z", "y", "x")
    header = image.header
    (_, sform), (_, qform) = header.get_sform(coded=True), header.get_qform(coded=True)
    return Picture(
        pixels,
        axes,
        Geometry(
            np.asarray(image.affine, float) @ REVERSED,
            _UNITS.get(header.get_xyzt_units()[0], ""),
            patient=bool(sform or qform),
        ),
        kind="a NIfTI file",
        private=True,
        kept={"forms": _forms(header)},
    )


def write_nifti(path: Path, labels: NDArray[np.integer], like: Picture) -> None:
    """Write labels with the affine of their image, its sform and qform as they are."""
    nib = library()
    geometry = like.geometry or Geometry.scaled((1.0, 1.0, 1.0))
    image = nib.Nifti1Image(_storable(labels).T, geometry.affine @ REVERSED)
    if forms := like.kept.get("forms"):
        image.set_qform(*forms["qform"], strip_shears=True)
        image.set_sform(*forms["sform"])
        image.header["pixdim"][1:4] = forms["sizes"]
    else:
        code = _SCANNER if geometry.patient else _ALIGNED
        image.set_sform(geometry.affine @ REVERSED, code)
        image.set_qform(geometry.affine @ REVERSED, code)
        if not np.allclose(image.get_qform(), image.get_sform(), rtol=1e-5, atol=1e-4):
            image.set_qform(None, 0)  # A qform cannot shear.
    unit = {name: short for short, name in _UNITS.items()}.get(geometry.unit, "unknown")
    image.header.set_xyzt_units(unit)
    # The whole name ends in .nii or .nii.gz, which tells nibabel whether to compress.
    write_whole(path, lambda new: nib.save(image, new))


def library() -> Any:
    """Import nibabel."""
    return optional("nibabel", "medical", "NIfTI files")


def _forms(header: Any) -> dict[str, Any]:
    qform, qcode = header.get_qform(coded=True)
    sform, scode = header.get_sform(coded=True)
    return {
        "qform": (qform, int(qcode)),
        "sform": (sform, int(scode)),
        "sizes": header["pixdim"][1:4].copy(),
    }


def _check_sizes(image: Any) -> None:
    """Refuse what nibabel would mend in silence: voxels of no size."""
    with image.file_map["image"].get_prepare_fileobj("rb") as file:
        header = type(image.header).from_fileobj(file, check=False)
    sizes = header["pixdim"][1 : 1 + min(3, len(image.shape))]
    if not np.isfinite(sizes).all():
        raise InputError("its voxel size is not finite")
    if any(n > 1 and size == 0 for n, size in zip(image.shape, sizes, strict=False)):
        raise InputError("its spacing is zero along an axis; voxels need a size")


def _plain(stored: NDArray[Any]) -> NDArray[Any]:
    """Reverse the axes, and bring colours to an axis of their own, the first."""
    if stored.dtype.fields:
        stored = np.stack([stored[name] for name in stored.dtype.fields], axis=-1)
    pixels = stored.T
    return pixels.astype(np.float32) if pixels.dtype == np.float64 else pixels


def _storable(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Labels in the smallest type that every reader of NIfTI knows."""
    largest = labels.max(initial=0)
    for fitting in (np.uint8, np.int16, np.int32):
        if largest <= np.iinfo(fitting).max:
            return labels.astype(fitting)
    raise InputError(f"NIfTI holds labels up to {np.iinfo(np.int32).max}; these go to {largest}")
