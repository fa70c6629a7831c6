"""Where something is saved: the dialog, and a name that names no patient."""

from __future__ import annotations

from pathlib import Path

from napari.layers import Image
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_guideme.errors import InputError
from napari_guideme.files import may_name_a_patient
from napari_guideme.widgets.rearranged import origin

#: What a file of an image of medicine is called at first, as its own name may be that of a patient.
NEUTRAL = "untitled"


def save_dialog(
    parent: QWidget, title: str, image: Image, suffix: str, kinds: str, folder: str = ""
) -> QFileDialog:
    """Return a dialog that asks for a file to save what was done to an image."""
    dialog = QFileDialog(parent, title, folder, kinds)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(suffix)
    dialog.selectFile(f"{proposed_name(image)}{suffix}")
    return dialog


def with_suffix(path: Path, suffix: str) -> Path:
    """Return a path with its whole ending, which Qt leaves out where there is another one.

    Raises
    ------
    InputError
        If there is such a file: nobody was asked whether it may be replaced.
    """
    if path.name.endswith(suffix):
        return path
    whole = path.with_name(f"{path.name.removesuffix(Path(suffix).suffix)}{suffix}")
    if whole.exists():
        raise InputError(
            f"{whole.name} is there already; choose it by its whole name to replace it"
        )
    return whole


def proposed_name(image: Image) -> str:
    """Name of an image's file, or of the layer if it has none, unless it may name a patient."""
    source = origin(image)[0].source.path
    if not source:
        return str(image.name)
    path = Path(source)
    return NEUTRAL if may_name_a_patient(path) else path.stem
