"""A command that is told to end: it cleans up, and says so in one line, as by Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: By which clusters and closed terminals end a command; Windows knows fewer.
_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def ended_like_cancelled() -> Iterator[None]:
    """Raise `KeyboardInterrupt` inside where a signal would end the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What is ignored, as nohup asks for, stays ignored.
    heard = [number for number in _ENDING if signal.getsignal(number) == signal.SIG_DFL]
    try:
        for number in heard:
            signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)
