"""Libraries that take seconds to load: one thread loads them, in the background."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import Lock

#: With what comes with them: torch, nltk, and what napari needs for its first layer of points.
_OURS = ("napari_guideme.volumes", "napari_guideme.language.wordnet")
_NAPARIS = "pandas"

_turn = Lock()


def load() -> None:
    """Load them, or wait until another thread has.

    Modules of a library that import each other are not whole where two threads load it at once.
    """
    with _turn:
        for name in _OURS:
            import_module(name)
        with suppress(ImportError):
            import_module(_NAPARIS)
