"""A simulated user corrects a network on many images; what that brings, hint by hint."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.results import Course, Result, Tally
from napari_guideme.evaluation.scores import Confusion, confusion
from napari_guideme.evaluation.user import (
    Answer,
    Position,
    largest_error_click,
    most_uncertain_question,
)
from napari_guideme.guidance.methods import method_named
from napari_guideme.hints import Click
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.session import GuideSession

User = Callable[[GuideSession, Item, set[Position]], Answer | None]


def evaluate(
    items: Iterable[Item],
    network: FrozenNetwork,
    method: str,
    protocol: str,
    n_hints: int,
    *,
    seed: int = 0,
) -> Result:
    """Let a simulated user correct every image.

    An image without a mistake left (``errors``) or a pixel left to ask for
    (``questions``) gets no more hints; its last labels count on.

    Parameters
    ----------
    items
        From :func:`~napari_guideme.evaluation.datasets.open_dataset`; wrap them
        in ``tqdm`` to see progress.
    network
        The network that the items were opened for.
    method
        Name of a method, see `GuideSession`.
    protocol
        ``"errors"``: the user clicks the centre of the largest error.
        ``"questions"``: the user answers for the most uncertain pixel.
    n_hints
        Hints per image at most.
    seed
        With which the items were chosen. It is only noted: everything here is
        deterministic.

    Raises
    ------
    InputError
        If there are no items, the protocol or the method is unknown, or the
        network cannot take an image.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"unknown protocol {protocol!r}; choose {', '.join(PROTOCOLS)}")
    if n_hints < 0:
        raise InputError(f"{n_hints} hints cannot be given; choose 0 or more")
    method_named(method)
    tally = Tally(n_hints, len(network.classes))
    for item in items:
        try:
            tally.add(correct(item, network, method, PROTOCOLS[protocol], n_hints), item.kind)
        except InputError as error:
            raise InputError(f"{item.name}: {error}") from error
    about = {"network": network.name, "method": method, "protocol": protocol, "seed": seed}
    return tally.result(about)


def correct(item: Item, network: FrozenNetwork, method: str, user: User, n_hints: int) -> Course:
    """Let a user give hints on one image until there is nothing to say."""
    session = GuideSession(item.image, network, method=method, channel_axis=item.channel_axis)
    confusions = [_compared(session, item)]
    seconds: list[float] = []
    asked: set[Position] = set()
    while len(seconds) < n_hints and (answer := user(session, item, asked)):
        position, index = answer
        asked.add(position)
        seconds.append(_hinted(session, Click(position, network.classes[index])))
        confusions.append(_compared(session, item))
    return Course(confusions, seconds, session.satisfied().count(False), _forward(network, item))


def _errors(session: GuideSession, item: Item, asked: set[Position]) -> Answer | None:
    return largest_error_click(item.merged[session.labels()], item.truth, asked)


def _questions(session: GuideSession, item: Item, asked: set[Position]) -> Answer | None:
    merged = merged_probabilities(session.probabilities(), item.merged)
    return most_uncertain_question(merged, item.truth, asked)


PROTOCOLS: dict[str, User] = {"errors": _errors, "questions": _questions}


def merged_probabilities(
    probabilities: NDArray[np.float32], merged: Sequence[int] | NDArray[np.intp]
) -> NDArray[np.float32]:
    """Add up the probabilities (K, *spatial) of classes that count as one."""
    total = np.zeros_like(probabilities)
    for probability, index in zip(probabilities, merged, strict=True):
        total[index] += probability
    return total


def _compared(session: GuideSession, item: Item) -> Confusion:
    return confusion(item.truth, item.merged[session.labels()], len(item.merged))


def _hinted(session: GuideSession, click: Click) -> float:
    """Give a hint; return the seconds until there are new labels."""
    start = time.perf_counter()
    session.add(click)
    for _ in session.refine():
        pass
    session.labels()
    return time.perf_counter() - start


def _forward(network: FrozenNetwork, item: Item) -> float:
    """Return the seconds of one pass of the whole network over the prepared image."""
    x, _ = network.preparation.prepare(item.image, channel_axis=item.channel_axis)
    start = time.perf_counter()
    logits, _ = network.observe(x)
    logits.flatten()[0].item()  # Waits for a GPU.
    return time.perf_counter() - start
