"""Labels of a DICOM series as a DICOM segmentation, by highdicom.

The standard wants a segmentation to name its patient, study and series: it is as
private as the images themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.files.dicom import library as pydicom_library
from napari_guideme.files.picture import Picture
from napari_guideme.files.whole import optional, unwarned, write_whole

DICOM_SEG = (".dcm",)

#: What a segmentation says of its patient and study; it may be empty, but must be there.
_NAMED = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)


def check_seg(like: Picture | None) -> None:
    """Raise `InputError` if labels of an image cannot be written as a segmentation."""
    library()
    if like is None or "sources" not in like.kept:
        raise InputError(
            "a DICOM segmentation (.dcm) belongs to a DICOM series; "
            "for other images write .nii.gz, .nrrd or .tif"
        )
    if like.channel_axis is not None or like.geometry is None or not like.geometry.patient:
        raise InputError(
            "a DICOM segmentation needs grey slices that tell where they lie in the patient; "
            "write .nrrd or .tif"
        )


def write_dicom_seg(
    path: Path, labels: NDArray[np.integer], like: Picture, names: Sequence[str] = ()
) -> None:
    """Write labels; each one but 0 is a segment, called by `names` if there is one for it."""
    check_seg(like)
    with unwarned():
        segmentation = _segmentation(labels, like, names)
        write_whole(path, segmentation.save_as)


def library() -> Any:
    """Import highdicom, and the part of it that makes segmentations."""
    optional("highdicom.seg", "medical", "DICOM segmentations")
    return optional("highdicom", "medical", "DICOM segmentations")


def _segmentation(labels: NDArray[np.integer], like: Picture, names: Sequence[str]) -> Any:
    highdicom = library()
    try:
        sources = [pydicom_library().dcmread(file) for file in like.kept["sources"]]
        _clean(sources[0])
        stored = _in_file_order(labels, like)
        segments, numbered = _segments(highdicom, stored, names)
        return highdicom.seg.Segmentation(
            source_images=sources,
            pixel_array=numbered,
            segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=segments,
            series_instance_uid=highdicom.UID(),
            series_number=int(sources[0].get("SeriesNumber") or 0) + 1000,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="napari-guideme developers",
            manufacturer_model_name="napari-guideme",
            software_versions=version("napari-guideme"),
            device_serial_number="0",
            content_label="LABELS",
            omit_empty_frames=bool(numbered.any()),
        )
    except Exception as error:
        # What the library says may hold what is written in the images.
        raise InputError(
            f"a DICOM segmentation cannot be made of this series ({type(error).__name__}); "
            "write .nii.gz or .nrrd"
        ) from None


def _clean(source: Any) -> None:
    """Leave empty what a segmentation must name, where its series lacks it or it is malformed."""
    kinds = pydicom_library().valuerep
    for keyword in _NAMED:
        if keyword not in source:
            setattr(source, keyword, "")
    if source.PatientSex not in ("M", "F", "O"):
        source.PatientSex = ""
    for keyword, kind in (
        ("PatientBirthDate", kinds.DA),
        ("StudyDate", kinds.DA),
        ("StudyTime", kinds.TM),
    ):
        try:
            kind(source.get(keyword))
        except ValueError:
            setattr(source, keyword, "")


def _in_file_order(labels: NDArray[np.integer], like: Picture) -> NDArray[np.integer]:
    """Labels as (frame, row, column), frames as in the file or the list of files."""
    planes = labels.reshape(-1, *labels.shape[-2:])
    stored = np.empty_like(planes)
    stored[like.kept["order"]] = planes
    return stored


def _segments(
    highdicom: Any, labels: NDArray[np.integer], names: Sequence[str]
) -> tuple[list[Any], NDArray[np.uint16]]:
    """Describe the segments, and number labels as segments are: from 1, without gaps."""
    code = highdicom.sr.coding.CodedConcept("85756007", "SCT", "Tissue")
    made_by = highdicom.AlgorithmIdentificationSequence(
        name="napari-guideme",
        version=version("napari-guideme"),
        family=highdicom.sr.coding.CodedConcept("123110", "DCM", "Artificial Intelligence"),
    )
    found = [int(label) for label in np.unique(labels) if label]
    values = sorted({*range(1, len(names)), *found}) or [1]
    segments = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=names[value] if value < len(names) else f"label {value}",
            segmented_property_category=code,
            segmented_property_type=code,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
            algorithm_identification=made_by,
        )
        for number, value in enumerate(values, start=1)
    ]
    numbers = np.searchsorted([0, *values], labels)
    return segments, numbers.astype(np.uint16)
