"""Telling how far a network is that goes through an image tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Called with tiles done and tiles in all.
Progress = Callable[[int, int], None]

_progress: ContextVar[Progress | None] = ContextVar("progress", default=None)


@contextmanager
def watching(progress: Progress) -> Iterator[None]:
    """Within this context, networks tell after every tile how many are done."""
    token = _progress.set(progress)
    try:
        yield
    finally:
        _progress.reset(token)


def tell(done: int, total: int) -> None:
    """Tell whoever watches in this context."""
    progress = _progress.get()
    if progress is not None:
        progress(done, total)
