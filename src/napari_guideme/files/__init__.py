"""Images in, labels out: one clear message when it fails.

Libraries that only some formats need are loaded when such a file is met.
"""

from napari_guideme.files.flat import PICTURES, write_picture
from napari_guideme.files.geometry import Geometry
from napari_guideme.files.json_files import entries_of, read_json
from napari_guideme.files.label_store import LabelStore, OtherLabelsError
from napari_guideme.files.picture import Picture
from napari_guideme.files.reading import (
    IMAGE_FILES,
    VOLUME_FILES,
    may_name_a_patient,
    open_image,
    open_labels,
    read_hints,
    read_image,
    read_labels,
)
from napari_guideme.files.tiff import TIFF
from napari_guideme.files.whole import (
    check_writable,
    first_line,
    make_folder,
    named,
    write_json,
    write_text,
)
from napari_guideme.files.writing import (
    LABEL_FILES,
    check_labels_fit,
    check_labels_writable,
    write_labels,
)

__all__ = [
    "IMAGE_FILES",
    "LABEL_FILES",
    "PICTURES",
    "TIFF",
    "VOLUME_FILES",
    "Geometry",
    "LabelStore",
    "OtherLabelsError",
    "Picture",
    "check_labels_fit",
    "check_labels_writable",
    "check_writable",
    "entries_of",
    "first_line",
    "make_folder",
    "may_name_a_patient",
    "named",
    "open_image",
    "open_labels",
    "read_hints",
    "read_image",
    "read_json",
    "read_labels",
    "write_json",
    "write_labels",
    "write_picture",
    "write_text",
]
