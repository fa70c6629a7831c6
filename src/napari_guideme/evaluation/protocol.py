"""A simulated user corrects a network on many images; what that brings, hint by hint."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.results import Course, Result, Tally
from napari_guideme.evaluation.scores import Confusion, confusion
from napari_guideme.evaluation.user import Answer, Position, largest_error_click
from napari_guideme.guidance import DEFAULT_QUESTION
from napari_guideme.guidance.methods import method_named
from napari_guideme.guidance.questions import question_named
from napari_guideme.hints import Click, Hint
from napari_guideme.language import DEFAULT_TELLING
from napari_guideme.language.queries import Asked, draw_query
from napari_guideme.language.text_guide import TextGuide
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.session import GuideSession

User = Callable[[GuideSession, Item, set[Position]], Hint | None]


@dataclass(frozen=True)
class Talk:
    """How a user talks who gives no clicks, and how that is followed.

    Attributes
    ----------
    operation
        What sentences are about: ``"find"``, ``"remove"``, ``"replace"``, or
        ``"either"`` of the first two.
    telling
        Name of the way they are followed, see `GuideSession`.
    guide
        The trained guide that some of the ways need.
    """

    operation: Asked
    telling: str
    guide: TextGuide | None = None


def evaluate(
    items: Iterable[Item],
    network: FrozenNetwork,
    method: str,
    protocol: str,
    n_hints: int,
    *,
    ask: str = DEFAULT_QUESTION,
    talk: Talk | None = None,
    seed: int = 0,
) -> Result:
    """Let a simulated user correct every image.

    An image without a mistake left (``errors``), a pixel left to ask for
    (``questions``) or anything worth saying (``text``) gets no more hints; its
    last labels count on.

    Parameters
    ----------
    items
        From :func:`~napari_guideme.evaluation.datasets.open_dataset`, or, of a volume,
        :func:`~napari_guideme.evaluation.volumes.items_of`; wrap them in ``tqdm`` to see
        progress.
    network
        The network that the items were opened for.
    method
        Name of a method, see `GuideSession`.
    protocol
        ``"errors"``: the user clicks the centre of the largest error.
        ``"questions"``: the user answers what the session asks, and is not sure
        where the truth is not known; that is no hint.
        ``"text"``: the user says in words what is wrong, by chance.
    n_hints
        Hints per image at most.
    ask
        Name of the rule that chooses the questions, see `GuideSession.question`.
    talk
        How the user talks, with ``"text"``.
    seed
        With which the items were chosen, and what is said. All else is
        deterministic.

    Raises
    ------
    InputError
        If there are no items, the protocol, the method or the rule of
        asking is unknown, the network cannot take an image, takes clicks, or volumes
        where the user talks.
    """
    users = simulated_users(ask, talk.operation if talk else "either", seed)
    if protocol not in users:
        raise InputError(f"unknown protocol {protocol!r}; choose {', '.join(users)}")
    if n_hints < 0:
        raise InputError(f"{n_hints} hints cannot be given; choose 0 or more")
    if network.interaction is not None:
        raise InputError(
            f"{network.name} outlines one object by clicks, so the protocol {protocol} cannot "
            "evaluate it; choose noc"
        )
    if talk and network.preparation.ndim != 2:
        raise InputError(
            f"{network.name} takes volumes, and words are about images of rows and columns; "
            "choose errors or questions"
        )
    method_named(method)
    question_named(ask)
    tally = Tally(n_hints, len(network.classes))
    for item in items:
        try:
            tally.add(correct(item, network, method, users[protocol], n_hints, talk), item.kind)
        except InputError as error:
            raise InputError(f"{item.name}: {error}") from error
    return tally.result(
        {
            "network": network.name,
            "method": talk.telling if talk else method,
            "operation": talk.operation if talk else None,
            "protocol": protocol,
            "ask": ask if protocol == "questions" else None,
            "seed": seed,
        }
    )


def correct(
    item: Item,
    network: FrozenNetwork,
    method: str,
    user: User,
    n_hints: int,
    talk: Talk | None = None,
) -> Course:
    """Let a user give hints on one image until there is nothing to say."""
    session = GuideSession(
        item.image,
        network,
        method=method,
        channel_axis=item.channel_axis,
        spacing=item.spacing,
        telling=talk.telling if talk else DEFAULT_TELLING,
        text_guide=talk.guide if talk else None,
    )
    confusions = [_compared(session, item)]
    seconds: list[float] = []
    asked: set[Position] = set()
    while len(seconds) < n_hints and (hint := user(session, item, asked)):
        seconds.append(_hinted(session, hint))
        confusions.append(_compared(session, item))
    return Course(confusions, seconds, session.satisfied().count(False), _forward(network, item))


def simulated_users(
    ask: str = DEFAULT_QUESTION, operation: Asked = "either", seed: int = 0
) -> dict[str, User]:
    """Return the user of each protocol.

    Parameters
    ----------
    ask
        The rule that chooses the questions.
    operation, seed
        What is said in words, and what it is drawn by.
    """
    return {
        "errors": _clicks_errors,
        "questions": partial(_answers_questions, rule=ask),
        "text": partial(_says_mistakes, operation=operation, seed=seed),
    }


def _clicks_errors(session: GuideSession, item: Item, asked: set[Position]) -> Click | None:
    answer = largest_error_click(item.merged[session.labels()], item.truth, asked)
    return _clicked(answer, session, asked)


def _says_mistakes(
    session: GuideSession, item: Item, asked: set[Position], operation: Asked, seed: int
) -> Hint | None:
    """Say something that is wrong and was not said yet; every image has chances of its own."""
    told = f"{seed} {item.name} {len(session.hints)}"
    random = np.random.default_rng(list(hashlib.sha256(told.encode()).digest()))
    labels = item.merged[session.labels()]
    for _ in range(5):
        hint = draw_query(labels, item.truth, session.network.classes, random, operation)
        if hint not in session.hints.items:
            return hint
    return None


def _answers_questions(
    session: GuideSession, item: Item, asked: set[Position], rule: str
) -> Click | None:
    """Answer the first question whose truth is known; of others the user is not sure."""
    while True:
        unsure = sorted(position for position in asked if item.truth[position] < 0)
        question = session.question(rule, skip=unsure, counts_as=item.merged.tolist())
        if question is None:
            return None
        position, truth = question.position, int(item.truth[question.position])
        if truth >= 0:
            return _clicked((position, truth), session, asked)
        asked.add(position)


def _clicked(answer: Answer | None, session: GuideSession, asked: set[Position]) -> Click | None:
    if answer is None:
        return None
    position, index = answer
    asked.add(position)
    return Click(position, session.network.classes[index])


def _compared(session: GuideSession, item: Item) -> Confusion:
    return confusion(item.truth, item.merged[session.labels()], len(item.merged))


def _hinted(session: GuideSession, hint: Hint) -> float:
    """Give a hint; return the seconds until there are new labels."""
    start = time.perf_counter()
    session.add(hint)
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
