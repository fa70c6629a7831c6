"""What people would use instead: each turns clicks into labels, with or without a prediction.

All get clicks as small discs of their class: (rows, columns), -1 elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import random_walker
from sklearn.ensemble import RandomForestClassifier

from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.user import Answer
from napari_guideme.guidance.questions import merged
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.preparation import Preparation

Labels = NDArray[np.intp]

#: Chosen in favour of these tools, see docs/evidence.md: the probability from
#: which a prediction is trusted, and how many trusted pixels the forest learns from.
CONFIDENT = 0.9
FOREST_PIXELS = 2000


@dataclass(frozen=True)
class Given:
    """What a tool has of an image, besides the clicks.

    Attributes
    ----------
    picture
        (rows, columns, 3), 8 bits.
    features
        The network's, (rows, columns, C).
    said
        The network's class of every pixel, ``None`` if there are only clicks.
    sure
        The same where the network is confident, -1 elsewhere.
    """

    picture: NDArray[np.uint8]
    features: NDArray[np.float32]
    said: Labels | None
    sure: Labels

    @classmethod
    def of(cls, item: Item, network: FrozenNetwork) -> Given:
        """Run the network once over an image."""
        preparation = network.preparation
        x, placement = preparation.prepare(item.image, channel_axis=item.channel_axis)
        logits, activations = network.observe(x, network.feature_points)
        levels = [preparation.restore(a, placement)[0].cpu() for a in activations.values()]
        features = np.ascontiguousarray(torch.cat(levels).permute(1, 2, 0).numpy())
        probabilities = preparation.restore(logits, placement)[0].softmax(0).cpu()
        said = item.merged[probabilities.argmax(0).numpy()]
        confident = merged(probabilities, item.merged).amax(0).numpy() > CONFIDENT
        return cls(_picture(item), features, said, np.where(confident, said, -1))

    @classmethod
    def picture_only(cls, item: Item, shape: tuple[int, int]) -> Given:
        """Shrink the image to (rows, columns), for tools that need no network."""
        picture = cv2.resize(_picture(item), shape[::-1], interpolation=cv2.INTER_AREA)
        return cls(picture, np.empty((*shape, 0), np.float32), None, np.full(shape, -1))

    def without_prediction(self) -> Given:
        """Return what is left if only clicks count."""
        return replace(self, said=None, sure=np.full_like(self.sure, -1))


def discs(clicks: Iterable[Answer], shape: tuple[int, ...], radius: int) -> Labels:
    """Draw a disc around each click, the newest on top."""
    clicked = np.full(shape, -1)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for (row, column), index in clicks:
        clicked[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = index
    return clicked


def random_walk(given: Given, clicked: Labels) -> Labels:
    """Spread seeds along paths without edges: the clicks, and confident pixels."""
    seeds = np.where(clicked < 0, given.sure, clicked)
    classes = np.unique(seeds[seeds >= 0])
    if len(classes) == 1 or (seeds >= 0).all():
        return np.where(seeds < 0, classes[0], seeds)
    numbered = np.where(seeds < 0, 0, np.searchsorted(classes, seeds) + 1)
    walked = random_walker(given.picture / 255, numbered, mode="cg_j", tol=1e-4, channel_axis=-1)
    found: Labels = classes[walked - 1]
    return found


def grab_cut(given: Given, clicked: Labels) -> Labels:
    """Cut every class out of the picture; of two that claim a pixel, the first guess wins.

    The first guess is the network's prediction, or the class of the nearest click.
    Clicks and confident pixels are sure, the rest is probable.
    """
    nearest = ndimage.distance_transform_edt(
        clicked < 0, return_distances=False, return_indices=True
    )
    sure = np.where(clicked < 0, given.sure, clicked)
    guess = clicked[tuple(nearest)] if given.said is None else given.said
    guess = np.where(sure < 0, guess, sure)
    found = np.zeros_like(guess)
    objects = [int(index) for index in np.unique(guess) if index]
    claims = [_cut(given.picture, guess == index, sure >= 0) for index in objects]
    for index, claimed in zip(objects, claims, strict=True):
        found[claimed & ((found == 0) | (guess == index))] = index
    return found


def _cut(
    picture: NDArray[np.uint8], inside: NDArray[np.bool_], sure: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """GrabCut of one class against all others, starting from a guess."""
    if inside.all():
        return inside
    probable = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    mask = np.where(sure, np.where(inside, cv2.GC_FGD, cv2.GC_BGD), probable).astype(np.uint8)
    cv2.setRNGSeed(0)
    cv2.grabCut(picture, mask, None, None, None, 5, cv2.GC_INIT_WITH_MASK)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD))


def forest(given: Given, clicked: Labels) -> Labels:
    """Classify pixels by the network's features, at the clicks and at some confident pixels."""
    classes = clicked.copy()
    trusted = np.flatnonzero((given.sure >= 0) & (clicked < 0))
    chosen = np.random.default_rng(0).permutation(trusted)[:FOREST_PIXELS]
    classes.flat[chosen] = given.sure.flat[chosen]
    # Both groups count alike, however many clicks there are.
    weights = np.where(clicked >= 0, len(chosen) / max((clicked >= 0).sum(), 1) or 1.0, 1.0)
    known = classes >= 0
    trees = RandomForestClassifier(100, random_state=0)
    trees.fit(given.features[known], classes[known], weights[known])
    # In strips, as the probabilities of every tree take memory.
    strips = np.array_split(given.features, len(clicked) // 64 + 1)
    found = [trees.predict(strip.reshape(-1, strip.shape[-1])) for strip in strips]
    return np.concatenate(found).reshape(clicked.shape)


def _picture(item: Item) -> NDArray[np.uint8]:
    """Return the image in colours of 8 bits, its contrast stretched."""
    stretched = Preparation(channels=3, value_range="percentile", percentiles=(1.0, 99.8))
    x, _ = stretched.prepare(item.image, channel_axis=item.channel_axis)
    return np.ascontiguousarray((x[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))


@dataclass(frozen=True)
class Tool:
    """Something that corrects by clicks, and the radius in pixels of discs that serves it best."""

    labels: Callable[[Given, Labels], Labels]
    radius: int


TOOLS = {
    "random walker": Tool(random_walk, 3),
    "GrabCut": Tool(grab_cut, 3),
    "random forest": Tool(forest, 0),
}
