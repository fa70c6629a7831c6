"""Refining: a method brings a scene's logits to agree with hints, step by step."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from napari_guideme.guidance.closer import look_of
from napari_guideme.guidance.energies import output_inertia, quadratic_inertia
from napari_guideme.guidance.hinted import HintTensors
from napari_guideme.guidance.kernel import Kernel
from napari_guideme.guidance.methods import Guiding, Method
from napari_guideme.guidance.outlining import outliner
from napari_guideme.guidance.residual import extended
from napari_guideme.guidance.scene import Scene, at_pixels, margins
from napari_guideme.guidance.solving import pinned
from napari_guideme.guidance.spreading import spread
from napari_guideme.guidance.support import Support
from napari_guideme.guidance.variables import Variable
from napari_guideme.guidance.zoom import Window, around, still_fits, unscaled
from napari_guideme.hints import HintPixels
from napari_guideme.networks import cancelling


@dataclass(frozen=True)
class Guidance:
    """What a refinement found; with it alone the logits can be had again.

    Attributes
    ----------
    values
        Of the variable, ``None`` if nothing was moved.
    support
        The hinted pixels that span the residual's field, ``None`` without hints.
    window
        Where in the image all this holds, ``None`` for everywhere; pixels of the
        support are counted from its start.
    """

    values: Tensor | None = None
    support: Support | None = None
    window: Window | None = None

    @property
    def placed_support(self) -> Support | None:
        """The support, its pixels counted from the start of the image."""
        if self.support is None or self.window is None:
            return self.support
        start = torch.tensor(self.window.start).to(self.support.positions)
        return replace(self.support, positions=self.support.positions + start)


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


def refine_near(
    scene: Scene,
    pixels: HintPixels,
    method: Method,
    side: int,
    warm: Guidance | None = None,
    shown: Tensor | None = None,
) -> Iterator[Step]:
    """Refine as :func:`refine` does, in a window around the hints.

    What a click costs does not grow with the image, and all beyond the window
    stays as it was.

    Parameters
    ----------
    scene, pixels, method, warm, shown
        See :func:`refine`.
    side
        Pixels of the window along each axis, more if the hints are further apart.
    """
    if not len(pixels):
        yield from refine(scene, pixels, method)
        return
    square = (1.0,) * len(scene.shape)
    window = unscaled(around(pixels.positions, scene.shape, square, side, 1, side))
    known = warm.window if warm else None
    if known is not None and still_fits(known, pixels.positions, window):
        window = known
    if warm is None or window != known:
        warm, shown = None, None
    start = np.array(window.start)
    inside = replace(pixels, positions=pixels.positions - start)
    base = None if shown is None else shown[(slice(None), *window.slices)]
    for step in refine(scene.zoomed(window), inside, method, warm, base):
        logits = step.logits if step.logits is None else _patched(scene.logits, window, step.logits)
        yield replace(step, guidance=replace(step.guidance, window=window), logits=logits)


def _patched(logits: Tensor, window: Window, near: Tensor) -> Tensor:
    """Logits of the whole image with those of a window in their place."""
    patched = logits.clone()
    patched[(slice(None), *window.slices)] = near
    return patched


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
    if guiding is None:
        best, base = Step(0, 1, float("inf")), scene.logits
    else:
        point, variable = guiding.place(scene)
        scene = scene.at(point)
        best, base = yield from _guide(scene, variable, hints, guiding, warm.values)
    values = best.guidance.values
    # A field completes the logits it was made for: guided ones differ every time.
    known = (warm.support, shown) if guiding is None else (None, None)
    support, logits = _completed(scene, base, hints, method, *known)
    yield Step(best.total, best.total, best.energy, Guidance(values, support), logits)


def apply(scene: Scene, method: Method, guidance: Guidance) -> Tensor:
    """Logits (K, *spatial) of guidance that was found before."""
    if guidance.window is not None:
        near = apply(scene.zoomed(guidance.window), method, replace(guidance, window=None))
        return _patched(scene.logits, guidance.window, near)
    logits = _guided(scene, method, guidance.values)
    if guidance.support is None:
        return logits
    return spread(logits, scene.features, guidance.support, method.kernel, scene.spacing)


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
    features, spacing = scene.features, scene.spacing
    look, draw = look_of(scene), outliner(scene)
    if known is None or not known.starts(hints.positions, hints.classes):
        known, shown = Support.empty(len(scene.shape), base.device), base
    support, moved = known, shown
    if moved is None:
        moved = spread(base, features, known, kernel, spacing)
    for owner in hints.owners[len(known) :].unique():
        cancelling.check()
        own = hints.owners == owner
        own[: len(known)] = False
        places, classes = hints.positions[own], hints.classes[own]
        given = support, base, moved, features, places, classes
        support, moved = extended(*given, kernel, spacing, look, draw)
    # Not the sum of what was added on the way: the last bits must be those of `apply`.
    logits = spread(base, features, support, kernel, spacing)
    met = pinned(support, logits)
    if met is support:
        return support, logits
    return met, spread(base, features, met, kernel, spacing)


def _guide(
    scene: Scene, variable: Variable, hints: HintTensors, guiding: Guiding, warm: Tensor | None
) -> Generator[Step, None, tuple[Step, Tensor]]:
    """Yield the best step so far until every hint is met with margin; return it and its logits."""
    energy = _Objective(scene, variable, hints, guiding)
    start = variable.initial(scene.network.device) if warm is None else warm
    best = Step(0, guiding.steps, float("inf"))
    scene.head  # noqa: B018  # One pass for the head and for the logits that follow.
    if warm is None and energy.meets(scene.logits):
        yield best
        return best, scene.logits
    logits = scene.logits
    for iterate in guiding.minimiser(energy, start, guiding.steps):
        improved = iterate.energy < best.energy
        if improved:
            found = Guidance(iterate.values)
            best = Step(iterate.step, guiding.steps, iterate.energy, found)
            logits = energy.logits
        yield Step(iterate.step, guiding.steps, best.energy, best.guidance)
        # A step that overshoots can meet every hint and wreck the image.
        if improved and energy.all_met:
            break
    return best, logits


class _Objective:
    """The energy of a variable's values; remembers the logits, and whether all hints were met."""

    logits: Tensor

    def __init__(
        self, scene: Scene, variable: Variable, hints: HintTensors, guiding: Guiding
    ) -> None:
        self.all_met = False
        self._scene, self._variable = scene, variable
        self._hints, self._guiding = hints, guiding

    def meets(self, logits: Tensor) -> bool:
        """Whether logits (K, *spatial) meet all hints with margin."""
        hinted = at_pixels(logits, self._hints.positions)
        return bool((margins(hinted, self._hints.classes) >= self._guiding.margin).all())

    def __call__(self, values: Tensor) -> Tensor:
        hints, guiding = self._hints, self._guiding
        logits = self._scene.guided(self._variable.apply(self._scene.head.activation, values))
        self.logits = logits.detach()
        self.all_met = self.meets(self.logits)
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
