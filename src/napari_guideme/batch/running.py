"""Where pieces are worked on: dask's threads, or the workers of a cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event
from typing import Any

from napari_guideme.batch.pieces import Piece
from napari_guideme.batch.recipe import Recipe
from napari_guideme.batch.work import Outcome, correct
from napari_guideme.errors import InputError
from napari_guideme.files import first_line
from napari_guideme.files.whole import optional
from napari_guideme.networks.cancelling import cancellable

#: Seconds until a scheduler has to answer.
_PATIENCE = 20

#: States of a piece that nobody works on any more, without a word from a worker.
_LOST = ("cancelled", "lost")

#: Is called for every piece that ends, always by the thread that began.
Tell = Callable[[Outcome], None]


def on_threads(recipe: Recipe, pieces: Sequence[Piece], workers: int, tell: Tell) -> None:
    """Work on pieces in this process, by dask's threads.

    Parameters
    ----------
    recipe, pieces
        What is done, and to what.
    workers
        Threads.
    tell
        Is called for every piece that ends.
    """
    from dask.callbacks import Callback
    from dask.threaded import get

    def ended(_: Any, outcome: object, *__: Any) -> None:
        if isinstance(outcome, Outcome):
            tell(outcome)

    # A plain graph: `delayed` would look into every piece, and there can be many thousands.
    work = partial(correct, recipe)
    tasks = {number: (work, piece) for number, piece in enumerate(pieces)}
    # What is cancelled stops between two layers of the network, not at the end of a piece.
    stop = Event()
    with cancellable(stop), Callback(posttask=ended):
        try:
            get(tasks, list(tasks), num_workers=workers)
        except BaseException:
            stop.set()
            raise


def on_cluster(recipe: Recipe, pieces: Sequence[Piece], address: str, tell: Tell) -> None:
    """Work on pieces by the workers of a cluster; those of a worker that dies are done by others.

    Parameters
    ----------
    recipe, pieces
        What is done, and to what; workers have to see the files at the same paths.
    address
        Of the scheduler of dask.distributed, such as ``tcp://host:8786``.
    tell
        Is called for every piece that ends.

    Raises
    ------
    InputError
        If dask.distributed is not installed, or no scheduler answers any more.
    """
    distributed = optional("distributed", "distributed", "runs on a cluster")
    # Of what it tells, only what we say ourselves is for the user.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"no scheduler answers at {address}: {first_line(error)}") from error
    with client:
        futures = client.map(correct, [recipe] * len(pieces), pieces, pure=False)
        waiting = dict(zip((future.key for future in futures), pieces, strict=True))
        try:
            for future in distributed.as_completed(futures, loop=client.loop):
                piece = waiting[future.key]
                if future.status in _LOST:
                    raise InputError(
                        f"the scheduler at {address} is gone; what is finished stays, and the "
                        "same command goes on with another one"
                    )
                failed = future.exception()
                tell(Outcome(piece, error=piece.target.told(failed)) if failed else future.result())
        except BaseException:
            client.cancel(futures)
            raise
