"""Which pixel's answer would tell most: rules that choose a question.

An answer is one click. How far it reaches is known beforehand: the residual's
kernel says which pixels would follow, and which have followed earlier answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from napari_guideme.errors import InputError
from napari_guideme.guidance.distances import away_from, depth_map
from napari_guideme.guidance.doubt import doubted, lead
from napari_guideme.guidance.features import Features
from napari_guideme.guidance.grids import condensed, peaks
from napari_guideme.guidance.kernel import Kernel
from napari_guideme.guidance.regions import BACKGROUND, centrality, least_depth, numbered
from napari_guideme.guidance.scene import Scene, at_pixels, winning
from napari_guideme.guidance.support import Support
from napari_guideme.hints import HintPixels
from napari_guideme.spacing import longest

Position = tuple[int, ...]

#: Pixels whose label leads by more are not asked for.
CERTAIN = 0.99

#: No question is asked nearer than this share of the image's longest side to a
#: pixel of which the user was not sure.
NOT_SURE = 0.03

#: What a hinted pixel that has the label it was told leaves of the doubt about all of its region.
CONFIRMED = 0.6

#: Candidates of either kind, and places where a settled doubt is counted: about so many.
_CANDIDATES, _PLACES = 256, 2500

#: Classes that are offered as answers: all of a network with few, else the likeliest.
_ALL, _LIKELIEST = 9, 5


@dataclass(frozen=True)
class Question:
    """What to ask the user.

    Attributes
    ----------
    position
        Pixel of the image.
    classes
        Candidates, the most probable first: all classes of the network up to
        nine, else the five likeliest.
    """

    position: Position
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Belief:
    """What is believed before a question.

    Attributes
    ----------
    probabilities
        Of every class, (K, *spatial) with K at least 2.
    labels
        (*spatial) class index, as a hint would find them.
    doubt
        That the label of a pixel is right, (*spatial): 1 less its lead over the likeliest other
        class, so that it is above 1 where another class is likelier.
    open
        Pixels that may be asked for, (*spatial), at least one.
    features
        Of the same image.
    support
        Hinted pixels that span the field so far.
    kernel
        How far an answer reaches.
    spacing
        Size of a pixel along each axis, in typical pixels.
    """

    probabilities: Tensor
    labels: Tensor
    doubt: Tensor
    open: Tensor
    features: Features
    support: Support
    kernel: Kernel
    spacing: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape of the image."""
        return tuple(self.open.shape)

    @cached_property
    def depth(self) -> Tensor:
        """How deep each pixel lies in what has its label, in typical pixels, (*spatial)."""
        return depth_map(self.labels, self.spacing).to(self.doubt)

    @cached_property
    def regions(self) -> Tensor:
        """Number of the region of each pixel, (*spatial); the background is 0."""
        return numbered(self.labels)


Rule = Callable[[Belief], Position]


@torch.no_grad()
def ask(
    scene: Scene,
    logits: Tensor,
    pixels: HintPixels,
    support: Support | None,
    kernel: Kernel,
    rule: str,
    *,
    skip: Sequence[Position] = (),
    counts_as: Sequence[int] | None = None,
    second: Tensor | None = None,
) -> Question | None:
    """Choose a question; hinted and certain pixels are not asked for.

    Parameters
    ----------
    scene
        Network and image.
    logits
        As they are after the hints, (K, *spatial).
    pixels
        The hints.
    support
        Those of their pixels that span the residual's field, ``None`` without any.
    kernel
        How far an answer reaches.
    rule
        Name of a rule.
    skip
        Pixels of which the user was not sure.
    counts_as
        As what each class counts, (K,), if some count as one.
    second
        What the network thinks on looking closer, before any hint, (K, *spatial); see
        :func:`~napari_guideme.guidance.closer.reconsidered`.

    Returns
    -------
    The question, or ``None`` if there is nothing left to ask.
    """
    choose = question_named(rule)
    labels = winning(logits)
    own = (logits if second is None else second + logits - scene.own_logits).softmax(0)
    as_one = range(len(own)) if counts_as is None else counts_as
    probabilities = merged(own, as_one)
    doubt = doubted(probabilities, torch.as_tensor(as_one, device=labels.device)[labels])
    distance = NOT_SURE * longest(scene.shape, scene.spacing)
    asked_for = doubt > 1 - CERTAIN
    asked_for &= away_from(skip, scene.shape, distance, scene.spacing).to(logits.device)
    asked_for[tuple(pixels.positions.T)] = False
    if not asked_for.any():
        return None
    if support is None:
        support = Support.empty(len(scene.shape), logits.device)
    belief = Belief(
        probabilities, labels, doubt, asked_for, scene.features, support, kernel, scene.spacing
    )
    position = choose(belief)
    order = likeliest(at_pixels(own, torch.tensor([position]))[0])
    return Question(position, tuple(scene.network.classes[k] for k in order))


def smallest_margin(belief: Belief) -> Position:
    """Pixel where the gap between the two likeliest classes is smallest; of several the first.

    References
    ----------
    Rupprecht et al., *Guide Me*, CVPR 2018, section 4.1.
    """
    gap = torch.where(belief.open, lead(belief.probabilities), torch.inf)
    return _pixel(int(gap.argmin()), belief.shape)


def most_settling(belief: Belief) -> Position:
    """Pixel whose answer would settle the most doubt in the whole image.

    An answer at p would reach k_p(x), which grows with the depth of p in its
    region. Doubt is one less the lead of the label over the likeliest other class, on looking
    closer if the network can, times what the answers so far have left open. The score of p
    is its own doubt, because an answer that is expected moves nothing, times the sum of
    k_p(x) w(x) doubt(x). The weight w(x) is larger for a class of which there is little, see
    :func:`rarity`.
    In the middle of a region an answer is about all of it: there k_p(x) is 1, and its
    mean doubt counts. Candidates are the deepest and the most doubtful pixels of the cells
    of a grid.
    """
    doubt = belief.doubt
    kinds = [
        peaks(torch.where(belief.open, values, -1.0), _CANDIDATES, belief.spacing)
        for values in (belief.depth, doubt)
    ]
    candidates = torch.cat(kinds)
    places, weights = condensed(doubt * rarity(belief.labels), _PLACES, belief.spacing)
    central = centrality(belief.labels, candidates, belief.spacing).to(doubt)
    reaches = _reaches(belief, candidates) * belief.kernel.left(central)
    reached = _reached(belief, candidates, places, reaches)
    own = doubt[tuple(candidates.T)]
    meant = _meant(belief, candidates, central)
    whole = meant > 0
    follows = meant[whole, None] == belief.regions[tuple(places.T)]
    reached[whole] = reached[whole].masked_fill(follows, 1.0)
    own[whole] = _means(doubt, belief.regions)[meant[whole]]
    settled = reached @ (weights * left_open(belief, places))
    score = own * left_open(belief, candidates) * settled
    best: list[int] = candidates[int(score.argmax())].tolist()
    return tuple(best)


#: Rules for which the network looks at all of the image more closely, once.
RECONSIDERING = ("settle",)

QUESTIONS: dict[str, Rule] = {"settle": most_settling, "margin": smallest_margin}


def question_named(name: str) -> Rule:
    """Look up a rule; the error lists those there are."""
    if name not in QUESTIONS:
        raise InputError(f"unknown rule of asking {name!r}; choose {', '.join(QUESTIONS)}")
    return QUESTIONS[name]


def left_open(belief: Belief, pixels: Tensor) -> Tensor:
    """Share of the doubt at pixels (n, ndim) that earlier answers have left, (n,).

    Π (1 - k_h(x)) over all of them, times :data:`CONFIRMED` for each hinted pixel in the region
    that has the label it was told; of a scribble there are many, which settle it. Answers reach
    as far as they lie deep in what has their label now: one that only confirmed it may span
    nothing of the field.
    """
    hinted = belief.support.positions
    if not len(hinted):
        return torch.ones(len(pixels), dtype=torch.float32, device=pixels.device)
    reached = _reached(belief, hinted, pixels, _reaches(belief, hinted))
    confirmed = torch.bincount(_said_right(belief), minlength=int(belief.regions.max()) + 1)
    confirmed[BACKGROUND] = 0
    left = (1 - reached).clamp_min(0).prod(0)
    return left * CONFIRMED ** confirmed[belief.regions[tuple(pixels.T)]].float()


def rarity(labels: Tensor) -> Tensor:
    """What a pixel's doubt weighs, (*spatial): one over the root of its class's share of the image.

    Between counting pixels, for which a large background is all that matters, and counting
    classes, for which a speck is worth as much as all of it.
    """
    shares = torch.bincount(labels.flatten()).float() / labels.numel()
    return shares.rsqrt()[labels]


def _meant(belief: Belief, pixels: Tensor, central: Tensor) -> Tensor:
    """Number of the region that an answer at each pixel (n, ndim) is about, 0 for a part, (n,)."""
    meant = belief.regions[tuple(pixels.T)] * (central >= belief.kernel.middle)
    large = torch.bincount(belief.regions.flatten())[meant]
    meant[belief.depth[tuple(pixels.T)] < least_depth(large, belief.spacing)] = 0
    meant[torch.isin(meant, _said_right(belief))] = 0
    return meant


def _said_right(belief: Belief) -> Tensor:
    """Number of the region of each hinted pixel that has the label that it was told, (n,)."""
    at, support = tuple(belief.support.positions.T), belief.support
    return belief.regions[at][belief.labels[at] == support.classes]


def _means(values: Tensor, regions: Tensor) -> Tensor:
    """Mean of values (*spatial) over each region, by its number."""
    flat = regions.flatten()
    sums = torch.zeros(int(flat.max()) + 1).to(values).index_add(0, flat, values.flatten())
    return sums / torch.bincount(flat).clamp_min(1)


def merged(probabilities: Tensor, counts_as: Sequence[int]) -> Tensor:
    """Add up the probabilities (K, *spatial) of classes that count as one."""
    index = torch.as_tensor(counts_as, device=probabilities.device)
    return torch.zeros_like(probabilities).index_add(0, index, probabilities)


def likeliest(probabilities: Tensor) -> list[int]:
    """Indices of the classes to offer, of the probabilities (K,) at one pixel."""
    order: list[int] = probabilities.argsort(descending=True, stable=True).tolist()
    return order if len(order) <= _ALL else order[:_LIKELIEST]


def _reaches(belief: Belief, pixels: Tensor) -> Tensor:
    """How far answers at pixels (n, ndim) reach, as deep as they lie, in typical pixels, (n,)."""
    size = longest(belief.shape, belief.spacing)
    return belief.kernel.reach(belief.depth[tuple(pixels.T)] / size) * size


def _reached(belief: Belief, hints: Tensor, pixels: Tensor, reaches: Tensor) -> Tensor:
    """Kernel values of hints (m, ndim), of reaches (m,), at pixels (n, ndim), (m, n)."""
    levels = zip(belief.features.at(hints), belief.features.at(pixels), strict=True)
    similarity = torch.stack([a @ b.T for a, b in levels]).mean(0)
    sizes = torch.tensor(belief.spacing, dtype=torch.float32, device=hints.device)
    distance = torch.cdist(hints * sizes, pixels * sizes)
    return belief.kernel(similarity, distance.square(), reaches[:, None])


def _pixel(index: int, shape: Sequence[int]) -> Position:
    return tuple(int(i) for i in torch.unravel_index(torch.tensor(index), tuple(shape)))
