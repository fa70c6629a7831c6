"""Writing whole or not at all, and saying in one line what went wrong."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_guideme.errors import InputError


def write_json(path: Path, entries: dict[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(entries, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    write_whole(path, lambda new: new.write_text(text, encoding="utf-8"))


def check_writable(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raise `InputError` before a long computation whose result has nowhere to go."""
    if not path.name.lower().endswith(suffixes):
        raise InputError(f"{path.name}: the output must end in {', '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file to write")
    with output_errors(path), tempfile.TemporaryFile(dir=path.parent):
        pass


def make_folder(path: Path) -> None:
    """Make a folder for output, if it is not there."""
    with output_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass


def write_whole(path: Path, save: Callable[[Path], Any]) -> None:
    """Save beside the target, a file or a new folder, and move into place."""
    new = path.with_name(f".{os.getpid()}-{path.name}")
    with output_errors(path):
        try:
            save(new)
            new.replace(path)
        finally:
            if new.is_dir():
                shutil.rmtree(new)
            new.unlink(missing_ok=True)


def stamp(path: Path) -> str:
    """SHA-256 of names, sizes and dates of a file, or of all files of a folder."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            about, name = file.stat(), file.relative_to(path).as_posix()
            digest.update(repr((name, about.st_size, about.st_mtime_ns)).encode())
    return digest.hexdigest()


@contextmanager
def unwarned() -> Iterator[None]:
    """Drop what libraries warn of: it may hold what is written in a file, such as a name."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn what a disk or a folder refuses into one line."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def optional(module: str, extra: str, needed_for: str) -> Any:
    """Import a library that only some files need.

    Raises
    ------
    InputError
        If it is not installed; names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(
            f"{needed_for} need {module.partition('.')[0]}; "
            f'install it by: pip install "napari-guideme[{extra}]"'
        ) from None


def named(path: Path) -> Path:
    """Return a path that ends in a name; that of the folder where one works is ``.``."""
    return path if path.name else path.resolve()


def first_line(error: Exception) -> str:
    """What an exception says, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0]
