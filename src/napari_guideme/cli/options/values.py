"""Values that options take, read from text."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_guideme.errors import InputError
from napari_guideme.files import named
from napari_guideme.networks.windows import window_limits


def path(text: str) -> Path:
    """Read a path, so that it has a name to be told by."""
    return named(Path(text))


def channels(text: str) -> list[int]:
    """Read numbers of channels, such as 0,2,1."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no channels such as 0,2,1") from None


def names(text: str) -> list[str]:
    """Read names, such as background,cell."""
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of names such as background,cell")
    return found


def named_objects(text: str) -> dict[int, str] | str:
    """Read the one name of all objects, or names of numbers, such as 1:cell,2:vessel."""
    if ":" not in text:
        return text
    pairs = [part.split(":") for part in text.split(",")]
    if not all(len(pair) == 2 and pair[0].strip().isdigit() and pair[1].strip() for pair in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is no name, nor names such as 1:cell,2:vessel")
    return {int(number): name.strip() for number, name in pairs}


def letters(text: str) -> tuple[str, ...]:
    """Read sides of the patient, such as P,L."""
    found = tuple(part.strip().upper() for part in text.split(","))
    if len(found) not in (2, 3) or not set(found) <= set("RLAPSI"):
        raise argparse.ArgumentTypeError(f"{text!r} is not letters such as P,L")
    return found


def window(text: str) -> tuple[float, float]:
    """Read a window of values, by its name or as centre and width."""
    try:
        return window_limits(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def numbers(text: str) -> tuple[float, ...]:
    """Read numbers, such as 2,1."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not numbers such as 2,1") from None


def whole(text: str) -> int:
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number such as 1") from None


def count(text: str) -> int:
    """Read a whole number from 0 on."""
    found = whole(text)
    if found < 0:
        raise argparse.ArgumentTypeError(f"{found} is negative; give a whole number from 0 on")
    return found
