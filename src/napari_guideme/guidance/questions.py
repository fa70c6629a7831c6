"""Which pixel's answer would tell most: rules that choose a question.

An answer is one click. How far it reaches is known beforehand: the residual's
Gaussian process says how much less is unknown at every pixel once one of them
was answered, whatever the answer is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_guideme.errors import InputError
from napari_guideme.guidance.features import Features
from napari_guideme.guidance.methods import HintTensors
from napari_guideme.guidance.residual import Kernel
from napari_guideme.guidance.scene import Scene, at_pixels
from napari_guideme.hints import HintPixels

Position = tuple[int, ...]

#: Pixels whose likeliest class leads by more are not asked for.
CERTAIN = 0.99

#: No question is asked nearer than this share of the image's longest side to a
#: pixel of which the user was not sure.
NOT_SURE = 0.03

#: Candidates, and places where a settled doubt is counted: about so many.
_MIDDLES, _PEAKS, _PLACES = 900, 256, 2500

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
    open
        Pixels that may be asked for, (*spatial), at least one.
    features
        Of the same image.
    hinted
        Pixels that are answered already, (n, ndim).
    kernel
        How far an answer reaches.
    """

    probabilities: Tensor
    open: Tensor
    features: Features
    hinted: Tensor
    kernel: Kernel

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape of the image."""
        return tuple(self.open.shape)


Rule = Callable[[Belief], Position]


@torch.no_grad()
def ask(
    scene: Scene,
    logits: Tensor,
    pixels: HintPixels,
    kernel: Kernel,
    rule: str,
    *,
    skip: Sequence[Position] = (),
    counts_as: Sequence[int] | None = None,
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
    kernel
        How far an answer reaches.
    rule
        Name of a rule.
    skip
        Pixels of which the user was not sure.
    counts_as
        As what each class counts, (K,), if some count as one.

    Returns
    -------
    The question, or ``None`` if there is nothing left to ask.
    """
    choose = question_named(rule)
    own = logits.softmax(0)
    probabilities = own if counts_as is None else merged(own, counts_as)
    distance = NOT_SURE * max(scene.shape)
    asked_for = lead(probabilities) < CERTAIN
    asked_for &= away_from(skip, scene.shape, distance).to(logits.device)
    asked_for[tuple(pixels.positions.T)] = False
    if not asked_for.any():
        return None
    hinted = torch.zeros(0, len(scene.shape), dtype=torch.long, device=logits.device)
    if len(pixels):
        hinted = HintTensors.sampled(pixels, logits.device).positions
    position = choose(Belief(probabilities, asked_for, scene.features, hinted, kernel))
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

    What it would settle counts with the square of the pixel's own doubt, one less
    the lead of its likeliest class: an answer that is expected moves nothing.
    Candidates are the middles of the cells of a grid and the most doubtful pixels
    of those of a coarser one.
    """
    doubt = entropy(belief.probabilities)
    middles, _ = condensed(doubt, _MIDDLES)
    middles = middles[belief.open[tuple(middles.T)]]
    candidates = torch.cat([middles, peaks(torch.where(belief.open, doubt, -1.0), _PEAKS)])
    own = 1 - lead(belief.probabilities[(slice(None), *candidates.T)])
    score = own.square() * settled(belief, candidates, *condensed(doubt, _PLACES))
    best: list[int] = candidates[int(score.argmax())].tolist()
    return tuple(best)


QUESTIONS: dict[str, Rule] = {"settle": most_settling, "margin": smallest_margin}


def question_named(name: str) -> Rule:
    """Look up a rule; the error lists those there are."""
    if name not in QUESTIONS:
        raise InputError(f"unknown rule of asking {name!r}; choose {', '.join(QUESTIONS)}")
    return QUESTIONS[name]


def settled(belief: Belief, candidates: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """How much doubt the answer at each candidate would settle, (c,).

    sum over x of w(x) cov(c, x)² / (cov(c, c) + σ²): the posterior variance of the
    Gaussian process that the answer removes, counted where there is doubt.

    Parameters
    ----------
    belief
        Covariances are those that remain after its hints.
    candidates, places
        Pixels (c, ndim) and (x, ndim).
    weights
        Doubt at the places, (x,).
    """
    hinted = belief.hinted
    cov = _covariance(belief, candidates, places)
    variance = _variance(belief, candidates)
    if len(hinted):
        gram = _covariance(belief, hinted, hinted).cpu().double()
        gram.diagonal().add_(0.005)
        root = torch.linalg.cholesky(gram)
        known, spread = (
            torch.linalg.solve_triangular(
                root, _covariance(belief, hinted, pixels).cpu().double(), upper=False
            ).to(cov)
            for pixels in (candidates, places)
        )
        cov = cov - known.T @ spread
        variance = variance - known.square().sum(0)
    removed: Tensor = (weights * cov.square()).sum(1) / (variance.clamp_min(0) + 0.005)
    return removed


def lead(probabilities: Tensor) -> Tensor:
    """How far the likeliest class leads the next one, (*spatial), of (K, *spatial)."""
    first, winner = probabilities.max(0, keepdim=True)
    return (first - probabilities.scatter(0, winner, -torch.inf).amax(0, keepdim=True))[0]


def entropy(probabilities: Tensor) -> Tensor:
    """Entropy of every pixel, (*spatial), in nats."""
    return -torch.xlogy(probabilities, probabilities).sum(0)


def merged(probabilities: Tensor, counts_as: Sequence[int]) -> Tensor:
    """Add up the probabilities (K, *spatial) of classes that count as one."""
    index = torch.as_tensor(counts_as, device=probabilities.device)
    return torch.zeros_like(probabilities).index_add(0, index, probabilities)


def peaks(values: Tensor, count: int) -> Tensor:
    """Pixels (n, ndim) of the highest value in each cell of a grid, of cells with any above 0.

    Where there is none, the pixel of the highest value at all.
    """
    # Not every device knows how to pool volumes; of equal values all take the first on the CPU.
    pool = {2: F.max_pool2d, 3: F.max_pool3d}[values.ndim]
    cell = _cell(values.shape, count)
    high, index = pool(values.cpu()[None, None], cell, ceil_mode=True, return_indices=True)
    chosen = index[high > 0]
    if not len(chosen):
        chosen = values.cpu().argmax()[None]
    return torch.stack(torch.unravel_index(chosen, values.shape), 1).to(values.device)


def condensed(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Middles (n, ndim) of the cells of a grid, and the mean value in each, (n,)."""
    cell = _cell(values.shape, count)
    pool = {2: F.avg_pool2d, 3: F.avg_pool3d}[values.ndim]
    means = pool(values.cpu()[None, None], cell, ceil_mode=True)
    axes = [
        ((torch.arange(cells) + 0.5) * side).long().clamp_max(length - 1)
        for cells, side, length in zip(means.shape[2:], cell, values.shape, strict=True)
    ]
    return torch.cartesian_prod(*axes).to(values.device), means.flatten().to(values.device)


def away_from(positions: Sequence[Position], shape: Sequence[int], distance: float) -> Tensor:
    """Pixels (*spatial) that are further than that from every position."""
    away = torch.ones(tuple(shape), dtype=torch.bool)
    for position in positions:
        squared = torch.zeros(())
        for axis, (length, at) in enumerate(zip(shape, position, strict=True)):
            along = [1] * len(shape)
            along[axis] = length
            squared = squared + (torch.arange(length) - at).square().view(along)
        away &= squared > distance**2
    return away


def likeliest(probabilities: Tensor) -> list[int]:
    """Indices of the classes to offer, of the probabilities (K,) at one pixel."""
    order: list[int] = probabilities.argsort(descending=True, stable=True).tolist()
    return order if len(order) <= _ALL else order[:_LIKELIEST]


def _covariance(belief: Belief, one: Tensor, other: Tensor) -> Tensor:
    """Kernel values between pixels (m, ndim) and (n, ndim), before any hint, (m, n)."""
    levels = zip(belief.features.at(one), belief.features.at(other), strict=True)
    similarity = torch.stack([a @ b.T for a, b in levels]).mean(0)
    distance = torch.cdist(one.float(), other.float())
    return belief.kernel(similarity, distance.square(), torch.tensor(0.1 * max(belief.shape)))


def _variance(belief: Belief, pixels: Tensor) -> Tensor:
    """Kernel value of each pixel with itself: features between coarse pixels are shorter than 1."""
    levels = belief.features.at(pixels)
    similarity = torch.stack([level.square().sum(1) for level in levels]).mean(0)
    return belief.kernel(similarity, torch.zeros_like(similarity), torch.tensor(1.0))


def _cell(shape: Sequence[int], count: int) -> tuple[int, ...]:
    """Sides of the cells that divide an image into about that many."""
    volume = torch.Size(shape).numel()
    side = max(1, round((volume / count) ** (1 / len(shape))))
    return tuple(min(side, length) for length in shape)


def _pixel(index: int, shape: Sequence[int]) -> Position:
    return tuple(int(i) for i in torch.unravel_index(torch.tensor(index), tuple(shape)))
