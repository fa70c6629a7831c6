"""The scripts here as commands: the numbers that they take, and how they fail."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_guideme.errors import InputError
from napari_guideme.files import first_line


def positive(text: str) -> int:
    """Read a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def told(a: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return what was told of some options, by what they are called."""
    return {f"--{name.replace('_', '-')}": getattr(a, name) for name in names}


def run(main: Callable[[], None]) -> None:
    """Run a script; what is wrong with its input is one line and exit code 2."""
    try:
        main()
    except InputError as error:
        wrong = str(error)
    except OSError as error:
        place = "" if error.filename is None else f"{error.filename}: "
        wrong = f"{place}{error.strerror or first_line(error)}"
    else:
        return
    print(f"{Path(sys.argv[0]).name}: {wrong}", file=sys.stderr)
    raise SystemExit(2)
