"""What commands print, and that nobody has to read it."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from napari_guideme.errors import ImageWarning


@contextmanager
def printing() -> Iterator[None]:
    """Print all that is said inside; it is no error if nobody reads on.

    Raises
    ------
    OSError
        If it cannot be written, for example to a full disk.
    """
    try:
        yield
    except BrokenPipeError:
        pass
    finally:
        _flush()


@contextmanager
def warned_in_lines() -> Iterator[None]:
    """Show what is odd about an image in one line, and other warnings as ever."""
    show = warnings.showwarning

    def line(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, ImageWarning):
            print(f"napari-guideme: {message}", file=sys.stderr)
        else:
            show(message, category, *where, **more)

    with warnings.catch_warnings():
        warnings.showwarning = line
        yield


def _flush() -> None:
    # A process may be started without any output.
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python tries again when it ends, and would complain in its own way.
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise
