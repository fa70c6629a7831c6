"""What the frozen network finds when it looks at parts of an image more closely.

A network that sees every image at one size often finds in a window, which is shrunk less, what it
missed in the whole image. Who clicks a thing knows its class: the closer look tells how
far it goes, and where in the window there is more of it. And where a closer look at all of the
image disagrees with the labels, there is something to ask.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from napari_guideme.guidance.scene import Scene, winning
from napari_guideme.guidance.zoom import Window, around, unscaled
from napari_guideme.networks import cancelling

#: Sides of the windows around a click, and of those that cover an image, as shares of the
#: image's longest side.
AT_CLICKS, COVERING = (0.7, 0.5), 0.6


@dataclass(frozen=True)
class Seen:
    """What is seen of a class around a click, more closely.

    Attributes
    ----------
    here
        Pixels (*spatial) that belong to the clicked one, in any of the windows.
    likely
        Mean probability (*spatial) of the class over all views of a pixel.
    """

    here: Tensor
    likely: Tensor


#: From a pixel (ndim,) and the index of a class to what is seen of it.
Look = Callable[[Tensor, int], Seen]


def look_of(scene: Scene) -> Look | None:
    """Return how a network looks closer at clicks; ``None`` if it would not see more.

    It costs a forward pass for each of two windows.
    """
    if not scene.shows_more_in_windows:
        return None

    def look(position: Tensor, index: int) -> Seen:
        likely = scene.logits.softmax(0)[index]
        here, views = torch.zeros_like(likely, dtype=torch.bool), torch.ones_like(likely)
        windows = (_window(scene, position.tolist(), share) for share in AT_CLICKS)
        for window, logits in _views(scene, windows):
            place = np.subtract(position.tolist(), window.start)
            here[window.slices] |= part_at(winning(logits) == index, place.tolist())
            likely[window.slices] += logits.softmax(0)[index]
            views[window.slices] += 1
        return Seen(here, likely / views)

    return look


def reconsidered(scene: Scene) -> Tensor | None:
    """Mean log-probabilities (K, *spatial) of an image over the whole and over closer looks.

    Five windows cover it, a forward pass each. ``None`` if the network would not see more.
    """
    if not scene.shows_more_in_windows:
        return None
    total = scene.logits.log_softmax(0)
    views = torch.ones_like(total[0])
    corners = itertools.product(*((0, length - 1) for length in scene.shape))
    middle = tuple(length // 2 for length in scene.shape)
    windows = (_window(scene, place, COVERING) for place in (*corners, middle))
    for window, logits in _views(scene, windows):
        total[(slice(None), *window.slices)] += logits.log_softmax(0)
        views[window.slices] += 1
    return total / views


def part_at(mask: Tensor, place: Iterable[int]) -> Tensor:
    """Return the connected part of a mask (*spatial) that holds a pixel; empty if none does."""
    parts, _ = ndimage.label(mask.cpu().numpy())
    number = int(parts[tuple(place)])
    return torch.from_numpy((parts == number) & (number > 0)).to(mask.device)


def _views(scene: Scene, windows: Iterable[Window]) -> Iterator[tuple[Window, Tensor]]:
    """Yield windows and the logits (K, *window) that the network finds in them."""
    for window in windows:
        cancelling.check()
        yield window, scene.zoomed(window).logits


def _window(scene: Scene, place: Iterable[int], share: float) -> Window:
    """Return the window around a pixel, moved into the image, of a share of its longest side."""
    longest, position = max(scene.shape), np.array([[*place]])
    least = max(1, round(share * longest))
    return unscaled(around(position, scene.shape, scene.spacing, longest, 1, least))
