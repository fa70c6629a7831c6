"""A DICOM series of a patient who does not exist, tagged wherever a name can stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NAME, NUMBER, BIRTH = "Mustermann^Erika", "PAT-4711-XY", "19640812"
STUDY, SERIES, FRAME = "1.2.826.99.1", "1.2.826.99.2", "1.2.826.99.3"

#: What must never be seen outside the images.
SECRETS = ("mustermann", "erika", NUMBER.lower(), BIRTH, "1.2.826.99", "privately")


def write_series(
    folder: Path,
    values: NDArray[np.integer],
    *,
    spacing: tuple[float, float, float] = (2.5, 0.7, 0.6),
    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
    origin: tuple[float, float, float] = (-120.5, -80.25, 33.125),
    uid: str = SERIES,
    number: int = 1,
    modality: str = "CT",
    leave_out: tuple[int, ...] = (),
) -> None:
    """Write Hounsfield units, slices in files whose names are in no order."""
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset

    folder.mkdir(exist_ok=True)
    normal = np.cross(orientation[:3], orientation[3:])
    for index, plane in enumerate(values):
        if index in leave_out:
            continue
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        meta.MediaStorageSOPInstanceUID = f"{uid}.{index + 1}"
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        slice_ = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        slice_.SOPClassUID = meta.MediaStorageSOPClassUID
        slice_.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        slice_.StudyInstanceUID, slice_.SeriesInstanceUID = STUDY, uid
        slice_.FrameOfReferenceUID = FRAME
        slice_.PatientName, slice_.PatientID = NAME, NUMBER
        slice_.PatientBirthDate, slice_.PatientSex = BIRTH, "F"
        slice_.StudyDate, slice_.StudyTime = "20200101", "120000"
        slice_.AccessionNumber, slice_.StudyID = NUMBER, NUMBER
        slice_.ReferringPhysicianName = NAME
        slice_.SeriesDescription = f"CT of {NAME}"
        slice_.Modality, slice_.SeriesNumber = modality, number
        slice_.InstanceNumber = 100 - index
        slice_.add_new((0x0011, 0x0010), "LO", "PRIVATELY")
        slice_.add_new((0x0011, 0x1001), "LO", f"privately {NAME}")
        slice_.Rows, slice_.Columns = plane.shape
        slice_.ImageOrientationPatient = list(orientation)
        at = np.asarray(origin) + index * spacing[0] * normal
        slice_.ImagePositionPatient = [round(float(c), 6) for c in at]
        slice_.PixelSpacing, slice_.SliceThickness = list(spacing[1:]), spacing[0]
        slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
        slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit = 16, 16, 15
        slice_.PixelRepresentation = 0
        slice_.RescaleSlope, slice_.RescaleIntercept = 1, -1024
        slice_.PixelData = (plane + 1024).astype(np.uint16).tobytes()
        slice_.save_as(
            folder / f"{number}-{(index * 7) % 101:03d}-{NAME}.dcm", enforce_file_format=True
        )


def many_frames(path: Path, folder: Path) -> None:
    """Turn a series into one file of many frames."""
    import highdicom
    import pydicom

    slices = [pydicom.dcmread(file) for file in sorted(folder.iterdir())]
    legacy = highdicom.legacy.LegacyConvertedEnhancedCTImage(
        slices, f"{SERIES}.7", 5, f"{SERIES}.7.1", 1
    )
    legacy.save_as(path)
