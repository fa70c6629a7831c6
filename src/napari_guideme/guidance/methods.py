"""Methods: named combinations of variable, energy, minimiser and completion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from napari_guideme.errors import InputError
from napari_guideme.guidance.energies import (
    corrective,
    cross_entropy,
    output_inertia,
    quadratic_inertia,
    squared_errors,
)
from napari_guideme.guidance.minimisers import Minimiser, lbfgs, momentum_descent
from napari_guideme.guidance.residual import Kernel, Support, extended, spread
from napari_guideme.guidance.scene import Scene, at_pixels, margins
from napari_guideme.guidance.variables import (
    DistanceOffset,
    EnteringMaps,
    GuidingBlock,
    Offset,
    Variable,
)
from napari_guideme.hints import HintPixels
from napari_guideme.networks import cancelling

Energy = Callable[[Tensor, Tensor, Tensor], Tensor]

#: Pixels of one scribble that take part; they are spread evenly over it.
_PIXELS_PER_HINT = 48


Placed = tuple[str, Variable]


@dataclass(frozen=True)
class Guiding:
    """Minimise an energy over a variable.

    Parameters
    ----------
    place
        From a scene to the place in the network that is moved and the variable
        that moves it.
    energy
        Of logits (n, K), classes (n,) and weights (n,).
    minimiser
        How it is brought down.
    steps
        Steps at most.
    inertia
        Weight of the squared norm of the variable.
    output_inertia
        Weight of the output inertia.
    margin
        By how many logits a hint shall be met before minimising stops.
    """

    place: Callable[[Scene], Placed]
    energy: Energy
    minimiser: Minimiser
    steps: int
    inertia: float
    output_inertia: float = 0.0
    margin: float = 0.5


@dataclass(frozen=True)
class Method:
    """What moves, what it should reach, and how it gets there.

    Parameters
    ----------
    name
        As the user knows it.
    guiding
        What is minimised, if anything is.
    completes
        Which hints the residual completes afterwards: ``"all"`` get its lead,
        ``"unmet"`` are met at least, ``None`` are left as they are.
    kernel
        Of the residual.
    needs_place
        Whether the place to guide is chosen by calibration.
    """

    name: str
    guiding: Guiding | None
    completes: Literal["all", "unmet"] | None = "all"
    kernel: Kernel = field(default_factory=Kernel)
    needs_place: bool = False


def guiding_block(cells: int) -> Callable[[Scene], Placed]:
    """Scale and bias, and attention of some cells along each axis, at the scene's guide point."""

    def place(scene: Scene) -> Placed:
        along = (cells,) * len(scene.shape) if cells else ()
        return scene.point, GuidingBlock(scene.network.guide_point(scene.point).channels, along)

    return place


def scale_and_bias(depth: Literal["a", "b", "c"]) -> Callable[[Scene], Placed]:
    """Scale and bias at one of the three depths of f-BRS."""

    def place(scene: Scene) -> Placed:
        point = scene.network.depth_point(depth)
        return point.name, GuidingBlock(point.channels)

    return place


def image_offset(scene: Scene) -> Placed:
    """An offset of the image."""
    return "input", Offset(0, scene.network.preparation.channels, scene.input_shape)


def maps_offset(scene: Scene) -> Placed:
    """An offset of the interaction maps; a network without any is given some."""
    network = scene.network
    if network.interaction is None:
        entry = network.entry
        maps = EnteringMaps(
            len(network.classes), entry.channels, entry.kernel, entry.stride, scene.input_shape
        )
        return entry.name, maps
    return "input", Offset(network.preparation.channels, 2, scene.input_shape)


def distance_offset(scene: Scene) -> Placed:
    """An offset of the distances behind the interaction maps."""
    network = scene.network
    if network.interaction is None or network.interaction.kind != "distance":
        raise InputError(
            f"{network.name} takes no maps of distances, so distmap-brs cannot move them; "
            "brs gives it maps of its own"
        )
    return "input", DistanceOffset(network.preparation.channels, 2, scene.input_shape)


#: Only meets a hint: BRS itself has spread what there is to spread.
_LOCAL = Kernel(nearest=0.02, growth=0.0, curvature=0.0, lead=0.5, lead_growth=0.0, confirmed=0.5)


def _brs(place: Callable[[Scene], Placed], steps: int, inertia: float = 1e-3) -> Guiding:
    """Energies and minimiser of BRS (equations 2-4)."""
    return Guiding(place, squared_errors, lbfgs, steps, inertia)


METHODS = {
    method.name: method
    for method in (
        Method("residual", None),
        Method(
            "f-brs",
            Guiding(guiding_block(0), corrective, lbfgs, 4, inertia=1e-3, output_inertia=100.0),
            needs_place=True,
        ),
        Method(
            "guide-me",
            Guiding(
                guiding_block(8),
                cross_entropy,
                momentum_descent,
                4,
                inertia=1e-3,
                output_inertia=100.0,
            ),
            needs_place=True,
        ),
        Method("none", None, completes=None),
        Method("brs", _brs(maps_offset, steps=6), "unmet", _LOCAL),
        Method("rgb-brs", _brs(image_offset, steps=6), "unmet", _LOCAL),
        Method("distmap-brs", _brs(distance_offset, steps=6), "unmet", _LOCAL),
        Method("f-brs-a", _brs(scale_and_bias("a"), steps=6), "unmet", _LOCAL),
        Method("f-brs-b", _brs(scale_and_bias("b"), steps=6), "unmet", _LOCAL),
        Method("f-brs-c", _brs(scale_and_bias("c"), steps=6), "unmet", _LOCAL),
    )
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
        (n, ndim) pixels of the scene, or places between them.
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

    def chosen(self, which: Tensor) -> HintTensors:
        """Return some of the pixels."""
        return HintTensors(
            self.positions[which], self.classes[which], self.weights[which], self.owners[which]
        )

    def to(self, device: torch.device) -> HintTensors:
        """Return the same on another device."""
        return HintTensors(
            self.positions.to(device),
            self.classes.to(device),
            self.weights.to(device),
            self.owners.to(device),
        )

    def rounded(self) -> HintTensors:
        """Return the pixels that are nearest to these places."""
        if not self.positions.is_floating_point():
            return self
        return replace(self, positions=(self.positions + 0.5).floor().long())

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
        Of the variable, ``None`` if nothing was moved.
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
    hints = HintTensors.sampled(pixels, scene.network.device)
    yield from refine_by(scene, hints, method, warm, shown)


def refine_by(
    scene: Scene,
    hints: HintTensors,
    method: Method,
    warm: Guidance | None = None,
    shown: Tensor | None = None,
) -> Iterator[Step]:
    """Refine the logits of a scene as :func:`refine` does, by hints that lie anywhere in it."""
    warm = warm or Guidance()
    guiding = method.guiding
    best = Step(0, guiding.steps if guiding else 1, float("inf"))
    if guiding is not None:
        point, variable = guiding.place(scene)
        scene = scene.at(point)
        for best in _guide(scene, variable, hints, guiding, warm.values):
            yield best
    values = best.guidance.values
    base = _guided(scene, method, values)
    # A field completes the logits it was made for: guided ones differ every time.
    known = (warm.support, shown) if guiding is None else (None, None)
    support, logits = _completed(scene, base, hints, method, *known)
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
    point, variable = method.guiding.place(scene)
    *_, best = _guide(scene.at(point), variable, hints, method.guiding, None)
    return _guided(scene, method, best.guidance.values)


@torch.no_grad()
def _guided(scene: Scene, method: Method, values: Tensor | None) -> Tensor:
    """Logits of values of the variable, the network's own without any."""
    if values is None or method.guiding is None:
        return scene.logits
    point, variable = method.guiding.place(scene)
    scene = scene.at(point)
    return scene.guided(variable.apply(scene.head.activation, values))


def _completed(
    scene: Scene,
    base: Tensor,
    hints: HintTensors,
    method: Method,
    known: Support | None,
    shown: Tensor | None,
) -> tuple[Support | None, Tensor]:
    """Complete logits by the residual, as far as the method wants it."""
    if method.completes == "all":
        return _spread_on(scene, base, hints.rounded(), method.kernel, known, shown)
    needy = torch.zeros_like(hints.classes, dtype=torch.bool)
    support, logits = None, base
    while method.completes == "unmet":
        # What is met at one place can be lost at the next one.
        unmet = margins(at_pixels(logits, hints.positions), hints.classes) <= 0
        if not (unmet & ~needy).any():
            break
        needy |= unmet
        chosen = hints.chosen(needy).rounded()
        support, logits = _spread_on(scene, base, chosen, method.kernel, None, None)
    return support, logits


def _spread_on(
    scene: Scene,
    base: Tensor,
    hints: HintTensors,
    kernel: Kernel,
    known: Support | None,
    shown: Tensor | None,
) -> tuple[Support, Tensor]:
    """Spread hints one after the other, from what is known of the first of them."""
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
    scene: Scene, variable: Variable, hints: HintTensors, guiding: Guiding, warm: Tensor | None
) -> Iterator[Step]:
    """Yield the best step so far until every hint is met with margin."""
    energy = _Objective(scene, variable, hints, guiding)
    start = variable.initial(scene.network.device) if warm is None else warm
    best = Step(0, guiding.steps, float("inf"))
    scene.head  # noqa: B018  # One pass for the head and for the logits that follow.
    if warm is None and energy.meets(scene.logits):
        yield best
        return
    for iterate in guiding.minimiser(energy, start, guiding.steps):
        improved = iterate.energy < best.energy
        if improved:
            found = Guidance(iterate.values)
            best = Step(iterate.step, guiding.steps, iterate.energy, found)
        yield Step(iterate.step, guiding.steps, best.energy, best.guidance)
        # A step that overshoots can meet every hint and wreck the image.
        if improved and energy.all_met:
            return


class _Objective:
    """The energy of a variable's values; remembers whether all hints were met."""

    def __init__(
        self, scene: Scene, variable: Variable, hints: HintTensors, guiding: Guiding
    ) -> None:
        self.all_met = False
        self._scene, self._variable = scene, variable
        self._hints, self._guiding = hints, guiding

    def meets(self, logits: Tensor) -> bool:
        """Whether logits (K, *spatial) meet all hints with margin."""
        hinted = at_pixels(logits.detach(), self._hints.positions)
        return bool((margins(hinted, self._hints.classes) >= self._guiding.margin).all())

    def __call__(self, values: Tensor) -> Tensor:
        hints, guiding = self._hints, self._guiding
        logits = self._scene.guided(self._variable.apply(self._scene.head.activation, values))
        self.all_met = self.meets(logits)
        hinted = at_pixels(logits, hints.positions)
        energy = guiding.energy(hinted, hints.classes, hints.weights)
        energy = energy + guiding.inertia * quadratic_inertia(values)
        if guiding.output_inertia:
            inertia = output_inertia(self._before, logits.log_softmax(0)[None], self._likeness)
            energy = energy + guiding.output_inertia * inertia
        return energy

    @cached_property
    def _before(self) -> Tensor:
        return self._scene.logits.log_softmax(0)[None]

    @cached_property
    def _likeness(self) -> Tensor:
        return self._scene.features.likeness(self._hints.positions)
