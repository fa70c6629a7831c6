"""From a heat map to the outline of the one thing that it is about.

The map is coarse, and may be hot on several things. The bundled click network outlines what lies at
each of its peaks; the thing that agrees best with the heat is meant, and is drawn once more by a
click in it that is told how likely each pixel is.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_guideme.guidance.closer import part_at
from napari_guideme.guidance.outlining import click_network
from napari_guideme.guidance.scene import Scene
from napari_guideme.guidance.zoom import whole
from napari_guideme.networks import cancelling

Mask = NDArray[np.bool_]
Heat = NDArray[np.float32]
Place = tuple[int, int]

#: Share of the highest heat that belongs to the thing.
_SHARE = 0.4

#: Peaks are looked for on so many cells along each side, as the network that is bundled has; they
#: are the hottest within two cells, once the map is smoothed by so much of one.
_CELLS, _SMOOTH, _WITHIN = 40, 0.8, 5

#: The most peaks that are clicked, and the share of the highest heat that they have.
_MOST, _LEAST = 5, 0.3


class Clicker:
    """Clicks in an image, each by itself, of which the click network makes things.

    Parameters
    ----------
    image
        (rows, columns), or with one more axis for channels.
    channel_axis
        The axis of `image` that holds channels, ``None`` for a grey image.
    device
        Where the click network runs.
    """

    def __init__(
        self, image: NDArray[Any], channel_axis: int | None = None, device: str = "cpu"
    ) -> None:
        network = click_network(device)
        assert network.interaction is not None
        scene = Scene(network, image, channel_axis=channel_axis)
        side, multiple = network.interaction.side, network.preparation.multiple
        self._window = whole(scene.shape, scene.spacing, side, multiple)
        self._spacing = self._window.spacing(scene.spacing)
        self._seen = scene.shown_to(network, self._window)
        self._known: dict[Place, Mask] = {}

    def thing_at(self, place: Place, likely: Heat | None = None) -> Mask:
        """Outline what lies at a pixel.

        Parameters
        ----------
        place
            Row and column.
        likely
            How likely each pixel belongs to it, as far as is known, (rows, columns).

        Returns
        -------
        (rows, columns); empty if the click is not followed.
        """
        if likely is not None:
            return self._drawn(place, torch.from_numpy(self._window.seen(likely, range(2))))
        if place not in self._known:
            self._known[place] = self._drawn(place)
        return self._known[place]

    def _drawn(self, place: Place, previous: Tensor | None = None) -> Mask:
        cancelling.check()
        at, on_thing = self._window.places(torch.tensor([place])), torch.ones(1, dtype=torch.long)
        logits = self._seen.clicked(at, on_thing, previous, self._spacing).logits
        lead = self._window.stretched(logits[1] - logits[0])
        found: Mask = part_at(lead > 0, place).cpu().numpy()
        return found


def outlined(heat: Heat, clicker: Clicker | None = None) -> Mask:
    """Outline the one connected thing that the heat is on.

    A network that learned from few images is seldom sure: what counts is where the heat is
    highest, not whether it is above one half, as in the paper.

    Parameters
    ----------
    heat
        (rows, columns) from 0 to 1.
    clicker
        Of the image; without it the outline does not follow what is seen, but is where the heat
        is 0.4 of the highest or more.

    Returns
    -------
    (rows, columns); empty if the heat is the same everywhere.
    """
    if clicker is None or heat.max() == heat.min():
        return _hottest_part(heat)
    likely = (heat - heat.min()) / (heat.max() - heat.min())
    things = {place: clicker.thing_at(place) for place in peaks(heat)}
    place = max(things, key=lambda place: agreement(things[place], likely))
    candidates = (things[place], clicker.thing_at(place, likely))
    found = max(candidates, key=lambda thing: agreement(thing, likely))
    return found if found.any() else _hottest_part(heat)


def agreement(mask: Mask, likely: Heat) -> float:
    """How much a mask and a map from 0 to 1 have in common, of what either of them has."""
    return float(np.minimum(mask, likely).sum() / np.maximum(mask, likely).sum())


def peaks(heat: Heat) -> list[Place]:
    """Return the pixels where the heat is highest within some cells, the hottest first."""
    # Between pixels: averages of cells that were stretched to an image would blur them.
    cells = cv2.resize(heat, (_CELLS, _CELLS), interpolation=cv2.INTER_LINEAR)
    smooth = ndimage.gaussian_filter(cells, _SMOOTH)
    is_peak = smooth == ndimage.maximum_filter(smooth, _WITHIN)
    found = np.argwhere(is_peak & (smooth >= _LEAST * smooth.max()))
    hottest = found[np.argsort(-smooth[tuple(found.T)], kind="stable")][:_MOST]
    middles = (hottest + 0.5) * np.array(heat.shape) / _CELLS
    return [(int(row), int(column)) for row, column in middles]


def _hottest_part(heat: Heat) -> Mask:
    """Return the connected part with most of the heat, of what is hot."""
    mask: Mask = heat > max(_SHARE * heat.max(), heat.min())
    parts, number = ndimage.label(mask)
    if number > 1:
        own = ndimage.sum(heat, parts, range(1, number + 1))
        mask = parts == 1 + int(np.argmax(own))
    return mask
