"""Methods: named combinations of variable, energy, minimiser and completion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from napari_guideme.errors import InputError
from napari_guideme.guidance.energies import (
    corrective,
    cross_entropy,
    output_inertia,
    quadratic_inertia,
)
from napari_guideme.guidance.minimisers import Minimiser, lbfgs, momentum_descent
from napari_guideme.guidance.residual import Kernel, Support, extended, spread
from napari_guideme.guidance.scene import Scene, at_pixels, margins
from napari_guideme.guidance.variables import GuidingBlock
from napari_guideme.hints import HintPixels
from napari_guideme.networks import cancelling

Energy = Callable[[Tensor, Tensor, Tensor], Tensor]

#: Pixels of one scribble that take part; they are spread evenly over it.
_PIXELS_PER_HINT = 48


@dataclass(frozen=True)
class Guiding:
    """Minimise an energy over a guiding block.

    Parameters
    ----------
    energy
        Of logits (n, K), classes (n,) and weights (n,).
    minimiser
        How it is brought down.
    cells
        Attention values along each axis; 0 for scale and bias alone.
    steps
        Steps at most.
    inertia, output_inertia
        Weights of the two inertial energies.
    margin
        By how many logits a hint shall be met before minimising stops.
    """

    energy: Energy
    minimiser: Minimiser
    cells: int
    steps: int
    inertia: float
    output_inertia: float
    margin: float = 0.5

    def block(self, scene: Scene) -> GuidingBlock:
        """Return the variable for the scene's guide point."""
        channels = scene.network.guide_point(scene.point).channels
        cells = (self.cells,) * len(scene.shape) if self.cells else ()
        return GuidingBlock(channels, cells)


@dataclass(frozen=True)
class Method:
    """What moves, what it should reach, and how it gets there."""

    name: str
    guiding: Guiding | None
    kernel: Kernel = field(default_factory=Kernel)


METHODS = {
    "residual": Method("residual", None),
    "f-brs": Method(
        "f-brs",
        Guiding(corrective, lbfgs, cells=0, steps=4, inertia=1e-3, output_inertia=100.0),
    ),
    "guide-me": Method(
        "guide-me",
        Guiding(
            cross_entropy, momentum_descent, cells=8, steps=4, inertia=1e-3, output_inertia=100.0
        ),
    ),
}


def method_named(name: str) -> Method:
    """Look up a method; the error lists those there are."""
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}; choose {', '.join(METHODS)}")
    return METHODS[name]


@dataclass(frozen=True)
class HintTensors:
    """Hinted pixels that take part in an energy.

    Attributes
    ----------
    positions
        (n, ndim) pixels of the image.
    classes
        (n,) class index.
    weights
        (n,), the same sum for every hint and 1 in total.
    owners
        (n,) index of the hint that each pixel belongs to, ascending.
    """

    positions: Tensor
    classes: Tensor
    weights: Tensor
    owners: Tensor

    @classmethod
    def sampled(cls, pixels: HintPixels, device: torch.device) -> HintTensors:
        """Take all clicks and pixels spread evenly over each scribble."""
        chosen = []
        for owner in np.unique(pixels.owners):
            own = np.flatnonzero(pixels.owners == owner)
            chosen.append(
                own[np.linspace(0, len(own) - 1, min(len(own), _PIXELS_PER_HINT)).astype(int)]
            )
        weights = np.concatenate(
            [np.full(len(own), 1 / (len(own) * len(chosen))) for own in chosen]
        )
        index = np.concatenate(chosen)
        return cls(
            torch.from_numpy(pixels.positions[index]).to(device),
            torch.from_numpy(pixels.classes[index]).to(device),
            torch.from_numpy(weights).to(device, torch.float32),
            torch.from_numpy(pixels.owners[index]).to(device),
        )


@dataclass(frozen=True)
class Guidance:
    """What a refinement found; with it alone the logits can be had again.

    Attributes
    ----------
    values
        Of the guiding block, ``None`` if nothing was guided.
    support
        The hinted pixels that span the residual's field, ``None`` without hints.
    """

    values: Tensor | None = None
    support: Support | None = None


@dataclass(frozen=True)
class Step:
    """Where a refinement stands.

    Attributes
    ----------
    index, total
        Steps done and steps at most.
    energy
        Energy of the best step so far.
    guidance
        What was found so far.
    logits
        (K, *spatial) of the finished refinement, ``None`` on the way.
    """

    index: int
    total: int
    energy: float
    guidance: Guidance = Guidance()
    logits: Tensor | None = None


def refine(
    scene: Scene,
    pixels: HintPixels,
    method: Method,
    warm: Guidance | None = None,
    shown: Tensor | None = None,
) -> Iterator[Step]:
    """Refine the logits of a scene by hints, one step after the other.

    The generator can be dropped after any step; the network is untouched at all
    times. The last step holds the logits of the best step seen.

    Parameters
    ----------
    scene
        Network and image.
    pixels
        The hints.
    method
        What moves and how.
    warm
        What was found for the first of the hints.
    shown
        The logits of that, (K, *spatial), if they are at hand.
    """
    if not len(pixels):
        yield Step(1, 1, 0.0, Guidance(), scene.logits)
        return
    warm = warm or Guidance()
    hints = HintTensors.sampled(pixels, scene.network.device)
    guiding = method.guiding
    best = Step(0, guiding.steps if guiding else 1, float("inf"))
    if guiding is not None:
        for best in _guide(scene, hints, guiding, warm.values):
            yield best
    values = best.guidance.values
    base = _guided(scene, method, values)
    # A field completes the logits it was made for: guided ones differ every time.
    known = (warm.support, shown) if guiding is None else (None, None)
    support, logits = _completed(scene, base, hints, method.kernel, *known)
    yield Step(best.total, best.total, best.energy, Guidance(values, support), logits)


def apply(scene: Scene, method: Method, guidance: Guidance) -> Tensor:
    """Logits (K, *spatial) of guidance that was found before."""
    logits = _guided(scene, method, guidance.values)
    if guidance.support is None:
        return logits
    return spread(logits, scene.features, guidance.support, method.kernel)


def guided_logits(scene: Scene, hints: HintTensors, method: Method) -> Tensor:
    """Logits (K, *spatial) of guiding alone, not completed by the residual."""
    if method.guiding is None:
        return scene.logits
    *_, best = _guide(scene, hints, method.guiding, None)
    return _guided(scene, method, best.guidance.values)


@torch.no_grad()
def _guided(scene: Scene, method: Method, values: Tensor | None) -> Tensor:
    """Logits of values of the guiding block, the network's own without any."""
    if values is None or method.guiding is None:
        return scene.logits
    block = method.guiding.block(scene)
    return scene.guided(block.apply(scene.head.activation, values))


def _completed(
    scene: Scene,
    base: Tensor,
    hints: HintTensors,
    kernel: Kernel,
    known: Support | None,
    shown: Tensor | None,
) -> tuple[Support, Tensor]:
    """Complete logits by the residual, one hint after the other."""
    features = scene.features
    if known is None or not known.starts(hints.positions, hints.classes):
        known, shown = Support.empty(len(scene.shape), base.device), base
    support, moved = known, spread(base, features, known, kernel) if shown is None else shown
    for owner in hints.owners[len(known) :].unique():
        cancelling.check()
        own = hints.owners == owner
        own[: len(known)] = False
        support, moved = extended(
            support, base, moved, features, hints.positions[own], hints.classes[own], kernel
        )
    # Not the sum of what was added on the way: the last bits must be those of `apply`.
    return support, spread(base, features, support, kernel)


def _guide(
    scene: Scene, hints: HintTensors, guiding: Guiding, warm: Tensor | None
) -> Iterator[Step]:
    """Yield the best step so far until every hint is met with margin."""
    energy = _GuidingEnergy(scene, hints, guiding)
    start = energy.block.initial(scene.network.device) if warm is None else warm
    best = Step(0, guiding.steps, float("inf"))
    for iterate in guiding.minimiser(energy, start, guiding.steps):
        improved = iterate.energy < best.energy
        if improved:
            found = Guidance(iterate.values)
            best = Step(iterate.step, guiding.steps, iterate.energy, found)
        yield Step(iterate.step, guiding.steps, best.energy, best.guidance)
        # A step that overshoots can meet every hint and wreck the image.
        if improved and energy.all_met:
            return


class _GuidingEnergy:
    """The energy of a guiding block's values; remembers whether all hints were met."""

    def __init__(self, scene: Scene, hints: HintTensors, guiding: Guiding) -> None:
        self.block = guiding.block(scene)
        self.all_met = False
        self._scene, self._hints, self._guiding = scene, hints, guiding
        self._log_before = scene.logits.log_softmax(0)[None]
        self._similarity = scene.features.likeness(hints.positions)

    def __call__(self, values: Tensor) -> Tensor:
        hints, guiding = self._hints, self._guiding
        logits = self._scene.guided(self.block.apply(self._scene.head.activation, values))
        hinted = at_pixels(logits, hints.positions)
        self.all_met = bool((margins(hinted.detach(), hints.classes) >= guiding.margin).all())
        inertia = output_inertia(self._log_before, logits.log_softmax(0)[None], self._similarity)
        return (
            guiding.energy(hinted, hints.classes, hints.weights)
            + guiding.inertia * quadratic_inertia(values)
            + guiding.output_inertia * inertia
        )
