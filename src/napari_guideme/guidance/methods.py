"""Methods: named combinations of variable, energy, minimiser and completion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from napari_guideme.errors import InputError
from napari_guideme.guidance.energies import (
    corrective,
    cross_entropy,
    squared_errors,
)
from napari_guideme.guidance.kernel import Kernel
from napari_guideme.guidance.minimisers import Minimiser, lbfgs, momentum_descent
from napari_guideme.guidance.scene import Scene
from napari_guideme.guidance.variables import (
    DistanceOffset,
    EnteringMaps,
    GuidingBlock,
    Offset,
    Variable,
)
from napari_guideme.networks.interaction import MAPS

Energy = Callable[[Tensor, Tensor, Tensor], Tensor]


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


def saliency_offset(scene: Scene) -> Placed:
    """An offset of the maps of saliency; the encoder, which they do not reach, is not run."""
    interaction = scene.network.interaction
    if interaction is None or interaction.are_drawn:
        raise InputError(
            f"{scene.network.name} takes no maps of saliency, so saliency-brs cannot move them; "
            "brs gives it maps of its own"
        )
    return MAPS, Offset(0, interaction.count, scene.input_shape)


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
_LOCAL = Kernel(
    nearest=0.02,
    growth=0.0,
    curvature=0.0,
    outer=1.0,
    lead=0.5,
    lead_growth=0.0,
    confirmed=0.5,
    middle=2.0,
    likely=2.0,
    outlines=False,
)


def _brs(place: Callable[[Scene], Placed], margin: float = 1.0) -> Guiding:
    """Energies and minimiser of BRS (equations 2-4)."""
    return Guiding(place, squared_errors, lbfgs, steps=6, inertia=1e-3, margin=margin)


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
        Method("brs", _brs(maps_offset), "unmet", _LOCAL),
        Method("rgb-brs", _brs(image_offset), "unmet", _LOCAL),
        Method("distmap-brs", _brs(distance_offset), "unmet", _LOCAL),
        Method("saliency-brs", _brs(saliency_offset, margin=0.5)),
        Method("f-brs-a", _brs(scale_and_bias("a")), "unmet", _LOCAL),
        Method("f-brs-b", _brs(scale_and_bias("b")), "unmet", _LOCAL),
        Method("f-brs-c", _brs(scale_and_bias("c")), "unmet", _LOCAL),
    )
}


def method_named(name: str) -> Method:
    """Look up a method; the error lists those there are."""
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}; choose {', '.join(METHODS)}")
    return METHODS[name]
