"""A simulated user corrects a network on many images; what that brings, hint by hint."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.results import Course, Result, Tally
from napari_guideme.evaluation.scores import Confusion, confusion
from napari_guideme.evaluation.user import Answer, Position, largest_error_click
from napari_guideme.guidance import DEFAULT_QUESTION
from napari_guideme.guidance.methods import method_named
from napari_guideme.guidance.questions import question_named
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
    ask: str = DEFAULT_QUESTION,
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
        ``"questions"``: the user answers what the session asks, and is not sure
        where the truth is not known; that is no hint.
    n_hints
        Hints per image at most.
    ask
        Name of the rule that chooses the questions, see `GuideSession.question`.
    seed
        With which the items were chosen. It is only noted: everything here is
        deterministic.

    Raises
    ------
    InputError
        If there are no items, the protocol, the method or the rule of
        asking is unknown, the network cannot take an image, or takes clicks.
    """
    users = simulated_users(ask)
    if protocol not in users:
        raise InputError(f"unknown protocol {protocol!r}; choose {', '.join(users)}")
    if n_hints < 0:
        raise InputError(f"{n_hints} hints cannot be given; choose 0 or more")
    if network.interaction is not None:
        raise InputError(
            f"{network.name} outlines one object by clicks, so the protocol {protocol} cannot "
            "evaluate it; choose noc"
        )
    method_named(method)
    question_named(ask)
    tally = Tally(n_hints, len(network.classes))
    for item in items:
        try:
            tally.add(correct(item, network, method, users[protocol], n_hints), item.kind)
        except InputError as error:
            raise InputError(f"{item.name}: {error}") from error
    return tally.result(
        {
            "network": network.name,
            "method": method,
            "protocol": protocol,
            "ask": ask if protocol == "questions" else None,
            "seed": seed,
        }
    )


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


def simulated_users(ask: str = DEFAULT_QUESTION) -> dict[str, User]:
    """Return the user of each protocol; `ask` is the rule that chooses the questions."""
    return {"errors": _clicks_errors, "questions": partial(_answers_questions, rule=ask)}


def _clicks_errors(session: GuideSession, item: Item, asked: set[Position]) -> Answer | None:
    return largest_error_click(item.merged[session.labels()], item.truth, asked)


def _answers_questions(
    session: GuideSession, item: Item, asked: set[Position], rule: str
) -> Answer | None:
    """Answer the first question whose truth is known; of others the user is not sure."""
    while True:
        unsure = sorted(position for position in asked if item.truth[position] < 0)
        question = session.question(rule, skip=unsure, counts_as=item.merged.tolist())
        if question is None:
            return None
        position, truth = question.position, int(item.truth[question.position])
        if truth >= 0:
            return position, truth
        asked.add(position)


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
