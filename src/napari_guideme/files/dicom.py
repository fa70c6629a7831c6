"""DICOM: a series of slices or a file of many frames, by pydicom; labels as SEG, by highdicom.

No message here repeats what is written in a file, nor the names of files, which
often are those of patients.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.files.geometry import LPS, Geometry
from napari_guideme.files.picture import Picture
from napari_guideme.files.whole import optional

DICOM = (".dcm", ".dicom", ".ima")

#: How far apart slices may lie from even, as a share of their spacing.
_EVEN = 0.05

#: Kinds of DICOM files that hold no image, or what was made of one.
_NO_IMAGES = ("SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "SR", "PR", "KO")


@dataclass(frozen=True)
class Frame:
    """One slice: of which file, where it lies and what its values mean."""

    dataset: Any
    index: int

    def told(self, keyword: str, sequence: str = "") -> Any:
        """Return an entry of this frame, of all frames, or of the file; ``None`` if absent."""
        groups = [self.dataset]
        if shared := self.dataset.get("SharedFunctionalGroupsSequence"):
            groups.insert(0, shared[0])
        if own := self.dataset.get("PerFrameFunctionalGroupsSequence"):
            groups.insert(0, own[self.index])
        for group in groups:
            inner = group.get(sequence) if sequence else None
            for place in (inner[0] if inner else None, group if group is self.dataset else None):
                if place is not None and place.get(keyword) is not None:
                    return place.get(keyword)
        return None

    def numbers(self, keyword: str, sequence: str = "") -> NDArray[np.float64] | None:
        """Return an entry that holds numbers."""
        value = self.told(keyword, sequence)
        return None if value is None else np.asarray(value, dtype=float)

    @property
    def position(self) -> NDArray[np.float64] | None:
        """Middle of the first voxel, in DICOM's world, in millimetres."""
        return self.numbers("ImagePositionPatient", "PlanePositionSequence")

    @property
    def orientation(self) -> NDArray[np.float64] | None:
        """Direction of a row, then of a column."""
        return self.numbers("ImageOrientationPatient", "PlaneOrientationSequence")

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Distance between rows, and between columns."""
        for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
            told = self.numbers(keyword, "PixelMeasuresSequence")
            if told is not None:
                return told
        return np.ones(2)

    @property
    def thickness(self) -> float:
        """Distance to a next slice, where there is none."""
        for keyword in ("SpacingBetweenSlices", "SliceThickness"):
            told = self.told(keyword, "PixelMeasuresSequence")
            if told:
                return float(told)
        return 1.0

    @property
    def rescaling(self) -> tuple[float, float]:
        """Slope and intercept, which turn stored values into Hounsfield units."""
        slope, intercept = (
            self.told(keyword, "PixelValueTransformationSequence")
            for keyword in ("RescaleSlope", "RescaleIntercept")
        )
        return 1.0 if slope is None else float(slope), float(intercept or 0)


def read_dicom(path: Path, series: str | None = None) -> Picture:
    """Read one series of a folder, or a file with one frame or many.

    Parameters
    ----------
    path
        A folder or a file.
    series
        Which series, by the number that is told where there are several, or by its UID.

    Raises
    ------
    InputError
        If there are several series and none is chosen, or slices are missing
        or lie unevenly.
    """
    pydicom = library()
    try:
        headers = list(_headers(pydicom, path))
        number, chosen = _chosen(headers, series)
        # Pixels are only read of what was chosen.
        datasets = [pydicom.dcmread(file) for file, _ in chosen]
        frames = [
            Frame(dataset, index)
            for dataset in datasets
            for index in range(int(dataset.get("NumberOfFrames") or 1))
        ]
        order, geometry = _placed(frames)
        pixels = _pixels(frames)[order]
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            "its DICOM files are broken, or compressed in a way that pydicom needs "
            f"another plugin for ({type(error).__name__})"
        ) from None
    axes = ("z", "y", "x", "c")[: pixels.ndim]
    if len(frames) == 1:
        pixels, axes = pixels[0], axes[1:]
    kept = {"sources": tuple(file for file, _ in chosen), "order": order, "series": number}
    return Picture(pixels, axes, geometry, "a DICOM series", private=True, kept=kept)


def library() -> Any:
    """Import pydicom."""
    return optional("pydicom", "medical", "DICOM files")


def _headers(pydicom: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the files that hold pixels, and what is written in them."""
    for file in sorted(path.iterdir()) if path.is_dir() else (path,):
        if not file.is_file():
            continue
        try:
            dataset = pydicom.dcmread(file, stop_before_pixels=True)
        except pydicom.errors.InvalidDicomError:
            if file.name.lower().endswith(DICOM):
                raise InputError("a file that is named as DICOM is none") from None
            continue
        if "Rows" in dataset and dataset.get("Modality") not in _NO_IMAGES:
            yield file, dataset


def _chosen(
    headers: Sequence[tuple[Path, Any]], series: str | None
) -> tuple[int | None, list[tuple[Path, Any]]]:
    """Return the number of a series, ``None`` if there is only one, and its files."""
    groups: dict[tuple[Any, ...], list[tuple[Path, Any]]] = defaultdict(list)
    for file, dataset in headers:
        groups[_group(dataset)].append((file, dataset))
    if not groups:
        raise InputError(
            "there is no image in it: no DICOM file with pixels; of other images give the files"
        )
    found = [groups[key] for key in sorted(groups)]
    if series is None and len(found) == 1:
        return None, found[0]
    listed = ", ".join(f"{i} ({_described(group)})" for i, group in enumerate(found, start=1))
    if series is None:
        raise InputError(f"it holds {len(found)} series; choose one with --series N: {listed}")
    if series.isdecimal() and 1 <= int(series) <= len(found):
        return int(series), found[int(series) - 1]
    named = [
        (number, group)
        for number, group in enumerate(found, start=1)
        if group[0][1].get("SeriesInstanceUID") == series
    ]
    if len(named) != 1:
        raise InputError(f"--series does not name one of its series: {listed}")
    return named[0]


def _group(dataset: Any) -> tuple[Any, ...]:
    """What slices of one stack share; scouts often belong to the series of a scan."""
    orientation = dataset.get("ImageOrientationPatient") or ()
    return (
        int(dataset.get("SeriesNumber") or 0),
        str(dataset.get("SeriesInstanceUID", "")),
        tuple(round(float(cosine), 2) + 0.0 for cosine in orientation),
        (int(dataset.Rows), int(dataset.Columns)),
    )


def _described(group: Sequence[tuple[Path, Any]]) -> str:
    """What a series is, without what tells a patient: its description may hold a name."""
    dataset = group[0][1]
    modality = str(dataset.get("Modality", ""))
    slices = sum(int(header.get("NumberOfFrames") or 1) for _, header in group)
    kind = f"{modality}, " if modality.isalpha() and len(modality) <= 4 else ""
    return f"{kind}{slices} slices of {dataset.Rows} x {dataset.Columns}"


def _placed(frames: Sequence[Frame]) -> tuple[list[int], Geometry | None]:
    """Return the frames' order along their normal, and where they lie."""
    rows, columns = frames[0].spacing
    told = [(frame.position, frame.orientation) for frame in frames]
    known = [(at, along) for at, along in told if at is not None and along is not None]
    if not known:
        thickness = frames[0].thickness
        sized = Geometry.scaled((thickness, rows, columns), unit="millimeter")
        return _numbered(frames), sized
    if len(known) < len(frames):
        raise InputError(
            f"only {len(known)} of its {len(frames)} slices tell where they lie "
            "(ImagePositionPatient, ImageOrientationPatient)"
        )
    orientation = known[0][1]
    if any(np.abs(along - orientation).max() > 1e-3 for _, along in known):
        raise InputError("its slices look in different directions")
    if any(not np.allclose(frame.spacing, (rows, columns), rtol=1e-4) for frame in frames):
        raise InputError("its slices have pixels of different sizes")
    normal = np.cross(orientation[:3], orientation[3:])
    positions = np.array([at for at, _ in known])
    along_normal = positions @ normal
    order = np.argsort(along_normal, kind="stable")
    positions, along_normal = positions[order], along_normal[order]
    _check_even(along_normal)
    step = frames[0].thickness * normal
    if len(frames) > 1:
        step = (positions[-1] - positions[0]) / (len(frames) - 1)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([step, orientation[3:] * rows, orientation[:3] * columns], axis=1)
    affine[:3, 3] = positions[0]
    return [int(i) for i in order], Geometry(LPS @ affine, "millimeter", patient=True)


def _numbered(frames: Sequence[Frame]) -> list[int]:
    """Return the order of slices that tell no place: that of their numbers, not of file names."""
    files = {id(frame.dataset): frame.dataset.get("InstanceNumber") for frame in frames}
    numbers = list(files.values())
    if len(files) > 1 and (None in numbers or len(set(numbers)) < len(files)):
        raise InputError(
            "its slices tell neither where they lie (ImagePositionPatient) nor, each its own, "
            "a number (InstanceNumber): their order is unknown"
        )
    # The sort is stable, so that the frames of a file stay in order.
    return sorted(range(len(frames)), key=lambda i: files[id(frames[i].dataset)] or 0)


def _check_even(positions: NDArray[np.float64]) -> None:
    """Refuse slices that are missing, doubled, or lie unevenly."""
    steps = np.diff(positions)
    if not len(steps):
        return
    usual = float(np.median(steps))
    if (doubled := int((steps < 0.01 * max(usual, 1e-3)).sum())) or usual <= 0:
        raise InputError(
            f"{doubled} of its {len(positions)} slices lie where another one lies: "
            "several time points or echoes in one series, or copies"
        )
    uneven = np.flatnonzero(np.abs(steps - usual) > _EVEN * usual)
    if len(uneven):
        at = int(uneven[0])
        missing = steps[at] / usual - 1
        whole = round(missing) >= 1 and abs(missing - round(missing)) < 0.1
        raise InputError(
            f"its slices are not evenly spaced: {usual:.4g} mm apart, but {steps[at]:.4g} mm "
            f"after slice {at + 1} of {len(positions)}"
            + (f"; {round(missing)} missing there" if whole else "")
        )


def _pixels(frames: Sequence[Frame]) -> NDArray[Any]:
    """Stack the frames' values, in Hounsfield units where the file tells them."""
    stacks: dict[int, NDArray[Any]] = {}
    values = []
    for frame in frames:
        dataset = frame.dataset
        if id(dataset) not in stacks:
            stored = _coloured(dataset)
            stacks[id(dataset)] = (
                stored if int(dataset.get("NumberOfFrames") or 1) > 1 else stored[None]
            )
        stored = stacks[id(dataset)][frame.index]
        if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
            stored = _largest(dataset) - stored.astype(np.int64)
        slope, intercept = frame.rescaling
        values.append(stored if (slope, intercept) == (1, 0) else stored * slope + intercept)
    return _fitting(np.stack(values))


def _coloured(dataset: Any) -> NDArray[Any]:
    """Return the stored values, of a palette the colours instead of their numbers."""
    stored: NDArray[Any] = dataset.pixel_array
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        stored = apply_color_lut(stored, dataset)
    return stored


def _largest(dataset: Any) -> int:
    """Sum of the smallest and the largest value that may be stored."""
    return -1 if dataset.PixelRepresentation else 2 ** int(dataset.BitsStored) - 1


def _fitting(values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers in 16 bits where they fit, others as float32."""
    if values.dtype.itemsize <= 2:
        return values
    if values.dtype.kind == "f" and not (values == np.rint(values)).all():
        return values.astype(np.float32)
    low, high = values.min(), values.max()
    for fitting in (np.int16, np.int32):
        if np.iinfo(fitting).min <= low and high <= np.iinfo(fitting).max:
            return values.astype(fitting)
    return values.astype(np.float32)
