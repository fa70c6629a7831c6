"""Outlines of what a click changed, drawn anew by the bundled click network.

A network that sees every image at one size draws coarse outlines, and a field that spreads from a
click knows none at all. The click network was trained to improve masks: it gets what the click
made of a thing, with the hints in it and beside it, and what it is sure of near the outline is
followed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_guideme.guidance.closer import part_at
from napari_guideme.guidance.kernel import HELD
from napari_guideme.guidance.regions import BACKGROUND, Region
from napari_guideme.guidance.scene import Scene, winning
from napari_guideme.guidance.zoom import LARGEST, around
from napari_guideme.networks import cancelling
from napari_guideme.networks.catalogue import open_network
from napari_guideme.networks.frozen import FrozenNetwork

#: So far from its outline a thing is drawn anew, as a share of its depth.
BAND = 0.25

#: What belongs to a thing by this probability is added to it, or kept.
LIKELY = 0.5

#: What belongs to it by less is not turned by a click into it, and turned by one that ends it.
UNLIKELY = 0.2

#: Smaller things, in pixels, are left as they are.
LEAST = 30

Mask = NDArray[np.bool_]

#: From a mask (*spatial) and pixels (n, ndim) in and beside the thing to its probability.
Draw = Callable[[Mask, Tensor, Tensor], NDArray[np.float32]]


def outliner(scene: Scene) -> Draw | None:
    """Return what draws things in a scene; ``None`` if its network's outlines are fine enough.

    It costs a forward pass of the click network.
    """
    if not scene.shows_more_in_windows or scene.network.preparation.channels not in (1, 3):
        return None

    def draw(mask: Mask, inside: Tensor, outside: Tensor) -> NDArray[np.float32]:
        cancelling.check()
        network = click_network(str(scene.network.device))
        assert network.interaction is not None
        side, multiple = network.interaction.side, network.preparation.multiple
        box = ndimage.find_objects(mask.astype(np.uint8))[0]
        corners = np.array([[along.start for along in box], [along.stop - 1 for along in box]])
        window = around(corners, scene.shape, scene.spacing, side, multiple, side // LARGEST)
        hinted = torch.cat([inside, outside]).cpu()
        on_thing = torch.arange(len(hinted)) < len(inside)
        near = (hinted >= torch.tensor(window.start)) & (hinted < torch.tensor(window.stop))
        near = near.all(1)
        previous = torch.from_numpy(window.seen(mask, range(mask.ndim)))
        seen = scene.shown_to(network, window).clicked(
            window.places(hinted[near]),
            on_thing[near].long(),
            previous,
            window.spacing(scene.spacing),
        )
        drawn = np.zeros(mask.shape, dtype=np.float32)
        lead = seen.logits[1] - seen.logits[0]
        drawn[window.slices] = window.stretched(lead).sigmoid().numpy()
        return drawn

    return draw


def outlined(
    before: Tensor,
    after: Tensor,
    positions: Tensor,
    classes: Tensor,
    weight: Tensor,
    draw: Draw,
) -> list[Region]:
    """Draw the outline of what a click changed, the last of some hinted pixels.

    Parameters
    ----------
    before, after
        Logits (K, *spatial) without it and with it.
    positions, classes
        Hinted pixels (n, ndim) and their classes (n,).
    weight
        Of the click, above 0.
    draw
        From :func:`outliner`.

    Returns
    -------
    What shall follow the click though it did not, and what shall not though it did; pixels that
    were hinted stay as they were told.
    """
    index = int(classes[-1])
    own, thing, turned = _thing(winning(before), winning(after), positions[-1], index)
    if own == BACKGROUND or thing.sum() < LEAST:
        return []
    in_it = torch.from_numpy(thing)[tuple(positions.cpu().T)].to(classes.device)
    probability = draw(thing, positions[in_it & (classes == own)], positions[classes != own])
    near = _near_outline(thing)
    likely, unlikely = near & (probability > LIKELY), near & (probability < UNLIKELY)
    if index == own:
        gained, spared = likely & ~thing, unlikely & turned
    else:
        gained, spared = unlikely & thing, likely & turned
    gained[tuple(positions[classes != index].cpu().T)] = False
    spared[tuple(positions[classes == index].cpu().T)] = False
    needed = (before.amax(0) - before[index] + HELD) / weight
    shares = ((gained, needed.clamp_min(1)), (spared, torch.zeros_like(needed)))
    owner = len(positions) - 1
    return [Region.of(mask, owner, before.device, share) for mask, share in shares if mask.any()]


def _thing(old: Tensor, new: Tensor, place: Tensor, index: int) -> tuple[int, Mask, Mask]:
    """Return the class of the thing that a click is about, the thing now, and what it turned.

    A click with the background's class is about the thing that it lies in, of which something
    is left.
    """
    if index != BACKGROUND:
        thing = part_at(new == index, place.tolist())
        own, turned = index, thing & (old != index)
    else:
        own = int(old[tuple(place)])
        whole = part_at(old == own, place.tolist())
        thing = whole & (new == own)
        turned = whole & ~thing
    return own, thing.cpu().numpy(), turned.cpu().numpy()


def _near_outline(thing: Mask) -> Mask:
    """Pixels within the band on both sides of the outline of a thing."""
    depth = ndimage.distance_transform_edt(np.pad(thing, 1))[1:-1, 1:-1]
    away = ndimage.distance_transform_edt(~thing)
    near: Mask = np.maximum(depth, away) <= BAND * depth.max()
    return near


@lru_cache(maxsize=2)
def click_network(device: str) -> FrozenNetwork:
    """Return the bundled click network, opened once."""
    return open_network("click", device)
