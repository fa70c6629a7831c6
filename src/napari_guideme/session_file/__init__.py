"""Sessions as files: what was corrected, by what, and in which order; saved and replayed."""

from napari_guideme.session_file.contents import (
    SUFFIX,
    FileReference,
    ImageReference,
    NetworkReference,
    Part,
    SessionFile,
    Setup,
    Volume,
    digest,
)
from napari_guideme.session_file.finding import (
    ByLabels,
    BySentence,
    found_again,
    open_finding,
    with_channels,
)
from napari_guideme.session_file.labels import labels_of, with_part
from napari_guideme.session_file.reading import read_session
from napari_guideme.session_file.replaying import (
    load_text_guide,
    open_session,
    reopened,
    saved_part,
)
from napari_guideme.session_file.searches import NameSearch, Search, SentenceSearch, source_of
from napari_guideme.session_file.through import carry_again, kept_in
from napari_guideme.session_file.volumes import (
    open_volume,
    parts_of,
    replay_volume,
)
from napari_guideme.session_file.writing import check_name, save_session

__all__ = [
    "SUFFIX",
    "ByLabels",
    "BySentence",
    "FileReference",
    "ImageReference",
    "NameSearch",
    "NetworkReference",
    "Part",
    "Search",
    "SentenceSearch",
    "SessionFile",
    "Setup",
    "Volume",
    "carry_again",
    "check_name",
    "digest",
    "found_again",
    "kept_in",
    "labels_of",
    "load_text_guide",
    "open_finding",
    "open_session",
    "open_volume",
    "parts_of",
    "read_session",
    "reopened",
    "replay_volume",
    "save_session",
    "saved_part",
    "source_of",
    "with_channels",
    "with_part",
]
