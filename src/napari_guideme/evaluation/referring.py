"""Sentences on images with truth: does a network find what they refer to, and what clicks add."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.evaluation.named_objects import NamedItem, NamedObjects
from napari_guideme.evaluation.referring_baselines import LARGEST, TEXT_HINT, TextHints, largest
from napari_guideme.evaluation.referring_results import (
    ClickedAfter,
    Referred,
    ReferringResult,
    Summary,
    compared,
)
from napari_guideme.evaluation.user import object_click
from napari_guideme.guidance import DEFAULT_FOLLOWED_METHOD, FOLLOWED_METHODS
from napari_guideme.hints import Click
from napari_guideme.networks.lite0 import Encoder
from napari_guideme.referring.expression_files import read_expressions
from napari_guideme.referring.expressions import LEAST, Expression, expressions
from napari_guideme.referring.following import follow, scene_of
from napari_guideme.referring.opening import imagenet_encoder, preparation
from napari_guideme.referring.outline import Clicker, outlined
from napari_guideme.referring.see_through_text import SeeThroughText, pooled
from napari_guideme.session import GuideSession

#: Sentences per object that are made, where nobody wrote any.
MOST = 3

#: Sentences that are followed together.
_TOGETHER = 16

Mask = NDArray[np.bool_]

#: From an image to what is said of it.
Said = Callable[[NamedItem], list[Expression]]


@dataclass(frozen=True)
class Clicks:
    """Clicks of a simulated user after each sentence: how many, and what follows them."""

    number: int = 0
    method: str = DEFAULT_FOLLOWED_METHOD
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.method not in FOLLOWED_METHODS:
            raise InputError(
                f"{self.method} corrects no sentence; choose {', '.join(FOLLOWED_METHODS)}"
            )


def said_of(data: NamedObjects, per_image: int | None = None, seed: int = 0) -> tuple[Said, str]:
    """What is said of images: by people, else by the generator; and in a word which.

    Parameters
    ----------
    data
        ``expressions.jsonl`` in its folder counts, if there is one.
    per_image
        Only of that many objects of an image, drawn by the seed.
    seed
        For that, and for what the generator says.

    Raises
    ------
    InputError
        If the file cannot be read, or is about an image that is not there.
    """
    path = data.folder / "expressions.jsonl"
    written = read_expressions(path) if path.exists() else None
    if written is not None:
        there = {image.stem for image in (data.folder / "images").iterdir()}
        if missing := [stem for stem in written if stem not in there]:
            raise InputError(f"{path.name} is about the image {missing[0]}, which is not there")

    def said(item: NamedItem) -> list[Expression]:
        random = _random(seed, item.name)
        found = _generated(item, random) if written is None else _written(item, written, path.name)
        objects = sorted({expression.object_id for expression in found})
        if per_image is not None and len(objects) > per_image:
            objects = random.choice(objects, per_image, replace=False).tolist()
        return [expression for expression in found if expression.object_id in objects]

    return said, "generated" if written is None else path.name


def evaluate_referring(
    items: Iterable[NamedItem],
    said: Said,
    network: SeeThroughText,
    *,
    follows_image: bool = True,
    baselines: Sequence[str] = (LARGEST,),
    clicks: Clicks | None = None,
    about: Mapping[str, object] | None = None,
) -> ReferringResult:
    """Follow sentences on images, and compare with the objects that they refer to.

    Parameters
    ----------
    items
        From :func:`~napari_guideme.evaluation.named_objects.open_named_objects`; wrap
        them in ``tqdm`` to see progress.
    said
        From :func:`said_of`.
    network
        From :func:`~napari_guideme.referring.opening.open_referring`.
    follows_image
        Whether the bundled click network draws the outlines; else they are the heat map's.
    baselines
        What else is told the same, see `evaluation.referring_baselines`.
    clicks
        What follows after each sentence.
    about
        What the result tells besides.

    Raises
    ------
    InputError
        If nothing is said, an expression fits no object, or an image cannot be used.
    """
    clicks = clicks or Clicks()
    encoder, hinting = imagenet_encoder().to(network.device), TextHints(clicks.device)
    ways = {LARGEST: largest, TEXT_HINT: hinting.find}
    tally = _Tally({name: [] for name in baselines})
    for item in items:
        try:
            told = said(item)
            found = masks(told, item, network, encoder, follows_image)
            for expression, mask in zip(told, found, strict=True):
                tally.own.append(_referred(item, expression, mask))
                for name, rows in tally.others.items():
                    other = ways[name](item, expression)
                    rows.append(None if other is None else _referred(item, expression, other))
                if clicks.number:
                    tally.courses.append(clicked(item, expression, network, clicks, follows_image))
        except InputError as error:
            raise InputError(f"{item.name}: {error}") from error
    if not tally.own:
        raise InputError("nothing is said of any object of the images")
    told_besides = {**(about or {}), "folds": network.design.folds, "follows_image": follows_image}
    return tally.result(told_besides, clicks.method)


@dataclass(frozen=True)
class _Tally:
    """What was found so far.

    Attributes
    ----------
    others
        By baselines, by their names; ``None`` for sentences that tell them nothing.
    own
        By the network, one for each sentence.
    courses
        IoU after a sentence and after each click that followed.
    """

    others: dict[str, list[Referred | None]]
    own: list[Referred] = field(default_factory=list)
    courses: list[list[float]] = field(default_factory=list)

    def result(self, about: Mapping[str, object], method: str) -> ReferringResult:
        """Sum up; the clicks were followed by a method."""
        course = tuple(np.mean(self.courses, 0).tolist()) if self.courses else ()
        return ReferringResult(
            dict(about),
            Summary.of(self.own),
            {name: Summary.of([one for one in rows if one]) for name, rows in self.others.items()},
            {name: rows.count(None) for name, rows in self.others.items()},
            ClickedAfter(method, course, len(self.courses)) if self.courses else None,
        )


@torch.no_grad()
def masks(
    said: Sequence[Expression],
    item: NamedItem,
    network: SeeThroughText,
    encoder: Encoder,
    follows_image: bool = True,
) -> Iterator[Mask]:
    """Follow sentences about one image, which is looked at once."""
    if not said:
        return
    prepared = preparation(network.design)
    x, placement = prepared.prepare(item.image, channel_axis=item.channel_axis)
    levels = pooled(encoder(x.to(network.device)), network.design)
    clicker = Clicker(item.image, item.channel_axis, str(network.device)) if follows_image else None
    for start in range(0, len(said), _TOGETHER):
        sentences = [expression.sentence for expression in said[start : start + _TOGETHER]]
        heats = prepared.restore(network(levels, sentences), placement)[:, 0].cpu().numpy()
        yield from (outlined(heat, clicker) for heat in heats)


def clicked(
    item: NamedItem,
    expression: Expression,
    network: SeeThroughText,
    clicks: Clicks,
    follows_image: bool = True,
) -> list[float]:
    """IoU after a sentence, and after each click that follows."""
    axis = item.channel_axis
    followed = follow(
        expression.sentence, item.image, network, channel_axis=axis, follows_image=follows_image
    )
    scene = scene_of(followed, item.image, network, axis, clicks.device)
    session = GuideSession.on(scene, method=clicks.method)
    truth = (item.ids == expression.object_id).astype(np.int8)
    given: set[tuple[int, ...]] = set()
    ious: list[float] = []
    while True:
        labels = session.labels()
        ious.append(compared(labels == 1, item.ids, expression.object_id).iou)
        answer = object_click(labels, truth, given)
        if len(ious) > clicks.number or answer is None:
            break
        given.add(answer[0])
        session.add(Click(answer[0], scene.network.classes[answer[1]]))
        for _ in session.refine():
            pass
    return ious + ious[-1:] * (clicks.number + 1 - len(ious))


def _referred(item: NamedItem, expression: Expression, mask: Mask) -> Referred:
    name, sizes = item.name_of(expression.object_id), np.bincount(item.ids.ravel())
    shown = [i for i in np.flatnonzero(sizes >= LEAST * item.ids.size).tolist() if i]
    alike = {i for i in shown if item.name_of(i) == name} | {expression.object_id}
    outcome = compared(mask, item.ids, expression.object_id)
    return Referred(item.name, expression.kinds, len(alike), outcome)


def _generated(item: NamedItem, random: np.random.Generator) -> list[Expression]:
    return expressions(
        item.image, item.ids, item.names, random, channel_axis=item.channel_axis, most=MOST
    )


def _written(
    item: NamedItem, written: Mapping[str, Sequence[Expression]], file: str
) -> list[Expression]:
    found = list(written.get(item.name, ()))
    there = {*np.unique(item.ids).tolist()}
    if missing := [e.object_id for e in found if e.object_id not in there]:
        raise InputError(f"{file} refers to the object {missing[0]}, which the mask lacks")
    return found


def _random(seed: int, name: str) -> np.random.Generator:
    """Each image has chances of its own."""
    return np.random.default_rng(list(hashlib.sha256(f"{seed} {name}".encode()).digest()))
