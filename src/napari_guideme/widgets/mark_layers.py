"""Layers of clicks, scribbles and labels: how they are made, and the marks of a slice in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Points
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_guideme.hints import Click, Scribble
from napari_guideme.widgets.geometry import geometry
from napari_guideme.widgets.slices import Slice, spatial_ndim, spatial_shape

#: The feature of a click that names its class.
CLASS = "class"


def click_layer(image: Image, name: str, class_name: str, colour: str) -> Points:
    """Make the layer of clicks; new ones get this class."""
    layer = Points(
        np.empty((0, spatial_ndim(image))),
        name=name,
        features={CLASS: np.array([], dtype=object)},
        feature_defaults={CLASS: class_name},
        face_color=colour,
        border_color="white",
        border_width=0.15,
        size=_point_size(image),
        symbol="disc",
        **geometry(image),
    )
    layer.current_face_color = colour
    return layer


def ring_layer(image: Image, name: str) -> Points:
    """Make the layer of rings around hints that are not met."""
    return Points(
        np.empty((0, spatial_ndim(image))),
        name=name,
        face_color="transparent",
        border_color="#ff2d2d",
        border_width=0.15,
        size=2 * _point_size(image),
        symbol="ring",
        **geometry(image),
    )


def label_layer(
    image: Image, name: str, colormap: DirectLabelColormap | None = None, dtype: Any = np.uint8
) -> Labels:
    """Make a layer of labels, or of what is painted."""
    layer = Labels(np.zeros(spatial_shape(image), dtype), name=name, opacity=0.5, **geometry(image))
    if colormap is not None:
        layer.colormap = colormap
    return layer


def choose_click_class(layer: Points, class_name: str, colour: str) -> None:
    """Give new clicks this class."""
    # Selected points would take the new colour, and give their class to new ones.
    layer.selected_data = set()
    layer.feature_defaults = {CLASS: class_name}
    layer.current_face_color = colour


def rename_clicks(layer: Points, names: Mapping[str, str], chosen: str) -> None:
    """Call the classes of clicks otherwise; new ones get the `chosen` one."""
    known = [names.get(name, name) for name in layer.features[CLASS]]
    layer.selected_data = set()
    layer.features = {CLASS: np.array(known, dtype=object)}
    layer.feature_defaults = {CLASS: chosen}


def read_clicks(layer: Points, part: Slice, classes: Sequence[str]) -> list[Click]:
    """Read the clicks that lie in a slice."""
    return [
        Click(part.project(position), str(name))
        for position, name in zip(layer.data, layer.features[CLASS], strict=True)
        if part.holds(position) and name in classes
    ]


def write_clicks(
    layer: Points, part: Slice, clicks: Sequence[Click], colours: Mapping[str, str], chosen: str
) -> None:
    """Show these clicks in a slice, in place of those that are there.

    Parameters
    ----------
    colours
        Of the classes.
    chosen
        The class that new clicks get.
    """
    elsewhere = [i for i, position in enumerate(layer.data) if not part.holds(position)]
    names = [layer.features[CLASS].iloc[i] for i in elsewhere] + [c.class_name for c in clicks]
    positions = [layer.data[i] for i in elsewhere] + [part.embed(c.at) for c in clicks]
    layer.selected_data = set()
    layer.data = np.array(positions, dtype=float).reshape(-1, layer.ndim)
    layer.features = {CLASS: np.array(names, dtype=object)}
    layer.feature_defaults = {CLASS: chosen}
    if names:
        layer.face_color = [colours[name] for name in names]
    layer.current_face_color = colours[chosen]


def write_scribbles(
    layer: Labels, part: Slice, scribbles: Sequence[Scribble], classes: Sequence[str]
) -> None:
    """Paint these scribbles in a slice, in place of those that are there."""
    painted = np.zeros(part.shape, np.uint8)
    for scribble in scribbles:
        index = classes.index(scribble.class_name)
        painted[tuple(scribble.pixels(part.shape).T)] = index + 1
    layer.data[part.slices] = painted
    layer.refresh()


def painted(edits: Sequence[Any]) -> tuple[NDArray[np.intp], NDArray[np.integer]]:
    """Pixels (n, ndim) that the paint event of a layer of labels tells of, and their labels (n,).

    The brush tells a box and what was painted in it (napari 0.9), or the indices of all pixels;
    old labels come next, the new one last.
    """
    places = [_places_of(where, mask) for where, mask, *_ in edits]
    labels = [np.broadcast_to(edit[-1], len(at)) for edit, at in zip(edits, places, strict=True)]
    return np.concatenate(places), np.concatenate(labels)


def _places_of(where: tuple[Any, ...], mask: NDArray[np.bool_] | None) -> NDArray[np.intp]:
    if not isinstance(where[0], slice):
        return np.transpose(where)
    starts = [along.start for along in where]
    if mask is None:
        mask = np.ones([along.stop - along.start for along in where], dtype=bool)
    places: NDArray[np.intp] = np.argwhere(mask) + starts
    return places


def _point_size(image: Image) -> float:
    return max(3.0, max(spatial_shape(image)[-2:]) / 60)
