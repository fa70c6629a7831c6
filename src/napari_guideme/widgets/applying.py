"""A correction is applied to other image layers: each gets a labels layer of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari import Viewer
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.widgets.carry_words import Fit, fitted
from napari_guideme.widgets.colours import class_colormap, class_colours
from napari_guideme.widgets.geometry import geometry
from napari_guideme.widgets.slices import Slice, spatial_shape
from napari_guideme.widgets.sought import channel_axis
from napari_guideme.widgets.stacks import Stack

if TYPE_CHECKING:
    from napari_guideme.guidance.saved import SavedGuidance
    from napari_guideme.guidance.scene import Scene
    from napari_guideme.networks.frozen import FrozenNetwork


@dataclass(frozen=True)
class AppliedSlice:
    """One slice more of an image is labelled; the first one of its kind tells the classes."""

    index: int
    total: int
    part: Slice
    labels: NDArray[np.integer]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """What became of an image, in words; an image that was refused has no labels."""

    index: int
    total: int
    image: Image
    words: str


def apply_to(
    parts: Sequence[Slice],
    guidance: Callable[[], SavedGuidance],
    network: Callable[[], FrozenNetwork],
) -> Generator[AppliedSlice | Told, None, None]:
    """Apply a correction to images, each given by one of its slices, in the background.

    Raises
    ------
    InputError
        If it was made for another network.
    """
    from napari_guideme.guidance.applying import applied
    from napari_guideme.guidance.scene import winning

    used, saved = network(), guidance()
    saved.check(used)
    for part in parts:
        total, results = _count(part), list[Fit]()
        try:
            for number, (at, scene) in enumerate(_scenes(part, used), start=1):
                found = applied(saved, scene)
                labels = winning(found.logits).cpu().numpy()
                results.append((found.state, found.agreement, found.why))
                yield AppliedSlice(number, total, at, labels, used.classes)
            words = fitted(part.layer.name, results)
        except InputError as error:
            words = f"{part.layer.name}: {error}"
        yield Told(total, total, part.layer, words)


class Results:
    """Labels layers that corrections were applied to; unfinished ones can be dropped."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._open: dict[Image, Labels] = {}

    def write(self, step: AppliedSlice) -> None:
        """Write a slice; the layer is made with the first one."""
        image = step.part.layer
        layer = self._open.get(image)
        if layer is None:
            # napari lets Qt deliver the next slices while it adds a layer.
            layer = self._open[image] = self._make(image, step.classes)
            self._add(layer, image)
        layer.data[step.part.slices] = step.labels
        layer.refresh()

    def finish(self, image: Image) -> None:
        """Keep the layer of an image."""
        self._open.pop(image, None)

    def drop(self) -> None:
        """Remove what is not finished."""
        for layer in self._open.values():
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._open.clear()

    def _make(self, image: Image, classes: Sequence[str]) -> Labels:
        kind = np.uint8 if len(classes) <= 256 else np.uint16
        return Labels(
            np.zeros(spatial_shape(image), kind),
            name=f"applied correction ({image.name})",
            opacity=0.5,
            visible=image.visible,
            colormap=class_colormap(class_colours(len(classes))),
            **geometry(image),
        )

    def _add(self, layer: Labels, image: Image) -> None:
        """Add a layer above its image; the tool stays in the user's hand."""
        active = self._viewer.layers.selection.active
        self._viewer.layers.insert(self._viewer.layers.index(image) + 1, layer)
        self._viewer.layers.selection.active = active


def _scenes(part: Slice, network: FrozenNetwork) -> Iterator[tuple[Slice, Scene]]:
    """All slices parallel to one, as the network sees them, one after the other."""
    from napari_guideme.guidance.scene import Scene
    from napari_guideme.planes import Planes

    colours = channel_axis(part)
    if Stack.of(part) is None:
        yield part, Scene(network, part.pixels(), channel_axis=colours)
        return
    for stack in _stacks(part):
        planes = Planes(
            stack.volume,
            network,
            axis=stack.axes.index(stack.axis),
            channel_axis=colours,
            spacing=stack.spacing,
        )
        for index in range(len(stack)):
            yield stack.slice(index), planes.scene(index)


def _stacks(part: Slice) -> Iterator[Stack]:
    """The stack of a slice at every position of the other axes, such as time."""
    first = Stack.of(part)
    assert first is not None
    shape: tuple[Any, ...] = spatial_shape(part.layer)
    for place in np.ndindex(*(1 if a in first.axes else n for a, n in enumerate(shape))):
        yield Stack(Slice(part.layer, part.axes, place), first.axis)


def _count(part: Slice) -> int:
    shape = spatial_shape(part.layer)
    return int(np.prod([n for a, n in enumerate(shape) if a not in part.axes], dtype=int))
