"""Stopping a forward pass between two nodes of the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

_cancelled: ContextVar[Event | None] = ContextVar("cancelled", default=None)


class Cancelled(Exception):
    """The computation was stopped because its event was set."""


@contextmanager
def cancellable(event: Event) -> Iterator[None]:
    """Within this context, setting the event stops networks with `Cancelled`."""
    token = _cancelled.set(event)
    try:
        yield
    finally:
        _cancelled.reset(token)


def check() -> None:
    """Raise `Cancelled` if the event of the context is set."""
    event = _cancelled.get()
    if event is not None and event.is_set():
        raise Cancelled
