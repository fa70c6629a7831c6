"""Sessions as files: what was corrected, by what, and in which order; saved and replayed."""

from napari_guideme.session_file.contents import (
    SUFFIX,
    FileReference,
    ImageReference,
    NetworkReference,
    Part,
    SessionFile,
    Setup,
    digest,
)
from napari_guideme.session_file.labels import labels_of, with_part
from napari_guideme.session_file.reading import read_session
from napari_guideme.session_file.replaying import (
    load_text_guide,
    open_session,
    reopened,
    saved_part,
)
from napari_guideme.session_file.writing import check_name, save_session

__all__ = [
    "SUFFIX",
    "FileReference",
    "ImageReference",
    "NetworkReference",
    "Part",
    "SessionFile",
    "Setup",
    "check_name",
    "digest",
    "labels_of",
    "load_text_guide",
    "open_session",
    "read_session",
    "reopened",
    "save_session",
    "saved_part",
    "with_part",
]
