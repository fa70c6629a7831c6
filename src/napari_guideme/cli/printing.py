"""What commands print, and that nobody has to read it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


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
