"""Which images there are, and where the labels of each go."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_guideme.errors import InputError
from napari_guideme.files import (
    IMAGE_FILES,
    LABEL_FILES,
    PICTURES,
    first_line,
    may_name_a_patient,
)
from napari_guideme.files.dicom import DICOM
from napari_guideme.files.dicom_seg import DICOM_SEG
from napari_guideme.files.ome_zarr import ZARR, is_zarr
from napari_guideme.files.whole import stamp

_SUFFIXES = sorted({*IMAGE_FILES, *LABEL_FILES, ".ome.zarr"}, key=len, reverse=True)


@dataclass(frozen=True)
class Target:
    """An image, and where its labels go.

    Attributes
    ----------
    number
        Which of the images it is, from 1: all that is told of a patient's.
    image, labels
        Paths.
    """

    number: int
    image: Path
    labels: Path

    @property
    def is_store(self) -> bool:
        """Whether it is read and written chunk by chunk."""
        return is_zarr(self.image) and self.labels.name.lower().endswith(ZARR)

    def name(self) -> str:
        """What a report calls the image: nothing that may name a patient."""
        return "a medical image" if may_name_a_patient(self.image) else str(self.image)

    def told(self, error: Exception) -> str:
        """What a report says of an error, without the name of a patient's file."""
        text = first_line(error)
        if not isinstance(error, InputError):
            text = f"{type(error).__name__}: {text}"
        name = self.name()
        if name == str(self.image):
            return text
        return self._names().sub(name, text)

    def _names(self) -> re.Pattern[str]:
        """Find paths and names of files; a short name may also be a word, or part of one."""
        paths = "|".join(re.escape(str(path)) for path in (self.image, self.labels))
        name = re.escape(stem(self.image))
        # What is no ending to us, such as .mha, belongs to the stem.
        endings = r"(\.\w+)*" if "." in name else r"(\.\w+)+"
        file, folder = rf"(?<!\w){name}{endings}", rf"(?<!\w){name}(?=[\\/])"
        quoted = rf"(?<=['\"\\/]){name}(?!\w)"
        return re.compile(rf"({paths})(?!\w)|{file}|{folder}|{quoted}")

    def key(self, digest: str, image: str) -> str:
        """SHA-256 of a recipe, an image as it is, and the name of its labels."""
        return hashlib.sha256(f"{digest} {image} {self.labels.name}".encode()).hexdigest()

    def stamp(self) -> str:
        """SHA-256 of names, sizes and dates of the image's files: whether it changed."""
        return stamp(self.image)


def targets(images: Sequence[Path], folder: Path, ending: str | None = None) -> list[Target]:
    """Say where the labels of images go.

    Parameters
    ----------
    images
        Paths of images; whether there are any is found later.
    folder
        Where labels go, each with the name of its image.
    ending
        Tells the format; by default the image's own, or the nearest that holds labels.

    Raises
    ------
    InputError
        If there is no such format, or labels would replace an image or each other.
    """
    if ending is not None and ending not in LABEL_FILES:
        raise InputError(f"labels are written as {', '.join(LABEL_FILES)}, not as {ending}")
    found = [
        Target(i, image.absolute(), folder.absolute() / _called(image.absolute(), ending))
        for i, image in enumerate(images, 1)
    ]
    sources = {target.image.resolve() for target in found}
    taken: dict[Path, Target] = {}
    for target in found:
        place = target.labels.resolve()
        if place in sources:
            raise InputError(f"{target.labels} would replace an image; choose another folder")
        if place in taken:
            raise InputError(
                f"labels of two images would be called {target.labels.name}; "
                "give them apart, into different folders"
            )
        taken[place] = target
    return found


def stem(path: Path) -> str:
    """Name without what tells the format."""
    lower = path.name.lower()
    cut = next((s for s in _SUFFIXES if lower.endswith(s) and lower != s), "")
    return path.name[: len(path.name) - len(cut)]


def _called(image: Path, ending: str | None) -> str:
    name = image.name
    if ending is None:
        if name.lower().endswith(LABEL_FILES):
            return name
        ending = _nearest(image)
    return f"{stem(image)}{ending}"


def _nearest(image: Path) -> str:
    if is_zarr(image):
        return ZARR[0]
    if image.is_dir() or image.name.lower().endswith(DICOM):
        return DICOM_SEG[0]
    return ".png" if image.name.lower().endswith(PICTURES) else ".tif"
