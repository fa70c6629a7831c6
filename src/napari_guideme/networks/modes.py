"""Modes of torch in which a script may call, and which do not hold for what is computed here.

Scripts often begin with `torch.no_grad` or `torch.inference_mode`, and some with
`torch.autocast`. Guiding needs gradients, and labels must not hang on who asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def precise() -> Iterator[None]:
    """Within this context, numbers keep their precision: nothing is cast."""
    with ExitStack() as stack:
        for kind in ("cpu", "cuda", "mps"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


@contextmanager
def own_modes() -> Iterator[None]:
    """Within this context, gradients can be had and nothing is cast, whatever mode the caller set.

    It decorates a function, too.
    """
    with torch.inference_mode(False), torch.enable_grad(), precise():
        yield


def stepwise(steps: Callable[P, Iterator[T]]) -> Callable[P, Generator[T, None, None]]:
    """Let every step of a generator run in :func:`own_modes`; between them the caller's hold."""

    @wraps(steps)
    def stepping(*args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        with own_modes():
            running = iter(steps(*args, **kwargs))
        try:
            while True:
                with own_modes():
                    step = next(running, _END)
                if step is _END:
                    return
                yield step  # type: ignore[misc]
        finally:
            if isinstance(running, Generator):
                running.close()

    return stepping


_END = object()
