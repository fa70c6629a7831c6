"""Files that a command reads and writes: what it writes replaces none of the others."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from napari_guideme.errors import InputError


def _flags(*names: str) -> dict[str, str]:
    return {name: f"--{name.replace('_', '-')}" for name in names}


#: Options that name what is read and what is written, as a user knows them.
_READ = {"image": "IMAGE", "images": "IMAGE", "guidance": "FILE", "session": "FILE"} | _flags(
    "hints", "mask", "network", "card", "classifier", "vectors", "text_guide", "class_map", "only"
)
_WRITTEN = {"output": "-o"} | _flags("json", "save_session", "save_guidance")

#: How files with maps of `segment` are called, whoever answered.
_MAP = re.compile(r".+-(positive|negative|likelihood|step-\d+-(heat|refined))\.tif", re.IGNORECASE)


def check_apart(options: argparse.Namespace) -> None:
    """Raise `InputError` if what a command would write is something it reads, or writes besides."""
    read, written = list(_told(options, _READ)), list(_told(options, _WRITTEN))
    for number, (option, path) in enumerate(written):
        for other, there in [*read, *written[:number]]:
            if _is_same(path, there):
                raise InputError(f"{option} is the same file as {other}; choose another name")
        _check_data(options, option, path)
    for option, path in [*read, *written]:
        _check_maps(options, option, path)


def _told(options: argparse.Namespace, names: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    for name, option in names.items():
        told = getattr(options, name, None)
        for path in told if isinstance(told, list) else [told]:
            # A name may mean something else in another command, such as a number of hints.
            if isinstance(path, str | Path):
                yield option, Path(path)


def _is_same(path: Path, other: Path) -> bool:
    both_there = path.exists() and other.exists()
    return path.resolve() == other.resolve() or (both_there and path.samefile(other))


def _check_data(options: argparse.Namespace, option: str, path: Path) -> None:
    """Nothing is written among images and labels that are evaluated."""
    data = getattr(options, "folder", None)
    if data is not None and data.resolve() in path.resolve().parent.parents:
        raise InputError(f"{option} lies among the data in DIR; choose another place")


def _check_maps(options: argparse.Namespace, option: str, path: Path) -> None:
    """No map has the name of something else."""
    maps = getattr(options, "show_maps", None)
    if maps is None or not _MAP.fullmatch(path.name):
        return
    if path.resolve().parent == maps.resolve():
        raise InputError(f"a map of --show-maps would replace {option}; choose another folder")
