"""Torch's zip archives, read without believing them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from napari_guideme.errors import InputError
from napari_guideme.files import first_line

#: Weights hardly shrink when they are packed; only code does.
_GROWTH = 20


def records(path: Path) -> dict[str, bytes]:
    """Read the records of an archive, without the folder that all of them are in."""
    with _archive(path) as archive:
        return {
            entry.filename.partition("/")[2] or entry.filename: archive.read(entry)
            for entry in _small(path, archive)
        }


def names(path: Path) -> list[str]:
    """Names of the records; none if the file is no archive."""
    if not zipfile.is_zipfile(path):
        return []
    with _archive(path) as archive:
        return [name.partition("/")[2] for name in archive.namelist()]


def unpack(path: Path, folder: Path) -> None:
    """Unpack a .zip, which may write into this folder alone."""
    with _archive(path) as archive:
        for entry in _small(path, archive):
            if not (folder / entry.filename).resolve().is_relative_to(folder.resolve()):
                raise InputError(f"{path.name} wants to write {entry.filename!r} elsewhere")
        archive.extractall(folder)


def rebuilt(contents: Mapping[str, bytes]) -> io.BytesIO:
    """Write an archive of exactly these records.

    What torch reads then is what was looked at: two readers can see different
    records in one crafted file.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            archive.writestr(f"network/{name}", content)
    buffer.seek(0)
    return buffer


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; whatever a broken one makes zipfile stumble over is told in one line."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path.name} is not a readable archive: {first_line(error)}") from error


def _small(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Entries of an archive that unpacks to no more than a network needs."""
    entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > _GROWTH * path.stat().st_size:
        raise InputError(f"{path.name} would unpack to more than a network needs")
    return entries
