"""A simulated user clicks objects one at a time: the number of clicks until they are outlined."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.noc_results import Clicked, NocResult, summed
from napari_guideme.evaluation.scores import confusion, foreground_iou
from napari_guideme.evaluation.user import Answer, object_click
from napari_guideme.guidance.methods import method_named
from napari_guideme.hints import Click
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.object_session import ObjectSession

#: An object is finished when its IoU reaches this.
GOAL = 0.9

#: From one more click to what is found of the object now, 1, and all else, 0.
Outlining = Callable[[Answer], NDArray[np.integer]]


def evaluate_objects(
    items: Iterable[Item],
    network: FrozenNetwork,
    method: str,
    n_clicks: int = 20,
    *,
    least_pixels: int = 100,
    per_image: int | None = None,
    seed: int = 0,
) -> NocResult:
    """Let a simulated user outline every object, each from nothing.

    The next click is :func:`~napari_guideme.evaluation.user.object_click`. An
    object is clicked until its IoU is 0.9 or the clicks are used up, also after
    it reached 0.85. One that does not reach an IoU counts with all clicks
    that it might have had.

    Parameters
    ----------
    items
        From :func:`~napari_guideme.evaluation.datasets.open_objects`; wrap them
        in ``tqdm`` to see progress.
    network
        One that takes clicks.
    method
        Name of a method, see `ObjectSession`.
    n_clicks
        Clicks per object at most.
    least_pixels
        Smaller objects are left out.
    per_image
        Only that many objects of an image, drawn by the seed.
    seed
        For that; the items were chosen with it, too.

    Raises
    ------
    InputError
        If the network takes no clicks, there is no object, a number makes no
        sense, the method is unknown, or the network cannot take an image.
    """
    if network.interaction is None:
        raise InputError(
            f"{network.name} takes no clicks, so the protocol noc cannot evaluate it; "
            "choose a network that takes them, such as click, or errors or questions"
        )
    if n_clicks < 1 or (per_image is not None and per_image < 1):
        raise InputError("at least one click and one object per image are needed")
    method_named(method)
    courses: list[Clicked] = []
    for item in items:
        try:
            for truth in objects_of(item, least_pixels, per_image, seed):
                outlining = in_session(item, network, method)
                courses.append(outlined(outlining, truth, n_clicks, item))
        except InputError as error:
            raise InputError(f"{item.name}: {error}") from error
    about = {
        "network": network.name,
        "method": method,
        "hints": n_clicks,
        "least_pixels": least_pixels,
        "objects_per_image": per_image,
        "seed": seed,
    }
    return summed(courses, about)


def objects_of(
    item: Item, least_pixels: int = 1, per_image: int | None = None, seed: int = 0
) -> Iterator[NDArray[np.int8]]:
    """Yield the truth of one object after the other: 1, elsewhere 0, -1 where nothing counts.

    Parameters
    ----------
    item
        With ids of objects as truth.
    least_pixels
        Smaller objects are left out.
    per_image, seed
        Only that many, drawn by the seed.
    """
    ids, sizes = np.unique(item.truth[item.truth > 0], return_counts=True)
    chosen = ids[sizes >= least_pixels].tolist()
    if per_image is not None and len(chosen) > per_image:
        chosen = sorted(random.Random(f"{seed} {item.name}").sample(chosen, per_image))
    for number in chosen:
        truth = (item.truth == number).astype(np.int8)
        truth[item.truth < 0] = -1
        yield truth


def in_session(item: Item, network: FrozenNetwork, method: str) -> Outlining:
    """Outline an object of an image by clicks in a session of its own."""
    session = ObjectSession(item.image, network, method=method, channel_axis=item.channel_axis)

    def outline(answer: Answer) -> NDArray[np.integer]:
        position, index = answer
        session.add(Click(position, network.classes[index]))
        for _ in session.refine():
            pass
        return session.labels()

    return outline


def outlined(
    outlining: Outlining, truth: NDArray[np.integer], n_clicks: int, item: Item
) -> Clicked:
    """Click an object until it is outlined.

    Parameters
    ----------
    outlining
        What turns clicks into an object.
    truth
        From :func:`objects_of`.
    n_clicks
        At most.
    item
        Where the object is.
    """
    labels: NDArray[np.integer] = np.zeros(truth.shape, dtype=np.uint8)
    given: dict[tuple[int, ...], int] = {}
    ious: list[float] = []
    seconds: list[float] = []
    unmet: list[int] = []
    while len(ious) < n_clicks and (answer := object_click(labels, truth, given)):
        given[answer[0]] = answer[1]
        start = time.perf_counter()
        labels = outlining(answer)
        seconds.append(time.perf_counter() - start)
        ious.append(foreground_iou(confusion(truth, labels, 2)))
        unmet.append(_unmet(labels, given.items()))
        if ious[-1] >= GOAL:
            break
    return Clicked(item.name, item.kind, tuple(ious), tuple(seconds), tuple(unmet))


def _unmet(labels: NDArray[np.integer], given: Iterable[Answer]) -> int:
    """How many clicked pixels do not have the label that was given."""
    return sum(int(labels[position]) != index for position, index in given)
