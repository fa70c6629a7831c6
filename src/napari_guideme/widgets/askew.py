"""Images that lie askew to the slices, as scans of a tilted patient do.

napari shows a slice of them without what turns it out of the plane of the screen, but places what
is drawn there with it. Here the slice is found that is seen, and where in it something was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.layers import Layer
from numpy.typing import NDArray

from napari_guideme.widgets.channels import are_first
from napari_guideme.widgets.geometry import to_world

Floats = NDArray[np.floating]


def is_askew(layer: Layer, hidden: Sequence[int]) -> bool:
    """Whether slices of a layer, of which these axes are not shown, lie askew."""
    linear, _ = _placing(layer)
    is_hidden = np.isin(np.arange(len(linear)), hidden)
    out_of_plane = np.abs(linear[is_hidden[:, None] != is_hidden])
    return bool((out_of_plane > 1e-6 * np.abs(linear).max()).any())


def shown_index(layer: Layer, hidden: Sequence[int], point: Floats) -> Floats:
    """Positions along the hidden axes of what is shown at a point of the world."""
    linear, origin = _placing(layer)
    inverse = np.linalg.inv(linear)
    index: Floats = inverse[np.ix_(hidden, hidden)] @ point[hidden] - (inverse @ origin)[hidden]
    return index


def point_of(layer: Layer, hidden: Sequence[int], index: Floats) -> Floats:
    """Point of the world, along the hidden axes alone, at which a slice is shown."""
    linear, origin = _placing(layer)
    inverse = np.linalg.inv(linear)
    offset = index + (inverse @ origin)[hidden]
    point: Floats = np.linalg.solve(inverse[np.ix_(hidden, hidden)], offset)
    return point


def seen_at(layer: Layer, shown: Sequence[int], place: Floats) -> Floats:
    """Where in the world, along the shown axes alone, a place of a slice is seen."""
    linear, origin = _placing(layer)
    seen: Floats = linear[np.ix_(shown, shown)] @ place[shown] + origin[shown]
    return seen


def meant(layer: Layer, shown: Sequence[int], index: Floats, drawn: Floats) -> Floats:
    """Places that the user saw under the pointer, by those where napari put it.

    Parameters
    ----------
    layer
        Which was drawn in.
    shown
        Its axes that are shown.
    index
        What is shown along all of its axes; those that are shown do not count.
    drawn
        Places in its axes, (n, ndim).
    """
    linear, _ = _placing(layer)
    seen = (drawn @ linear.T)[:, shown]
    places = np.tile(np.asarray(index, dtype=float), (len(drawn), 1))
    places[:, shown] = np.linalg.solve(linear[np.ix_(shown, shown)], seen.T).T
    return places


def _placing(layer: Layer) -> tuple[Floats, Floats]:
    """What takes a position in a layer to the world: a linear map and an offset."""
    ndim = layer.ndim - are_first(layer)
    origin = to_world(layer, np.zeros(ndim))
    linear = np.stack([to_world(layer, step) - origin for step in np.eye(ndim)], axis=1)
    return linear, origin
