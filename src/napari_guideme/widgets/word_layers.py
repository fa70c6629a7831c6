"""Layers about words: where they would count, what they moved, and what names were found by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from napari.layers import Image, Vectors
from napari.utils.colormaps import Colormap
from napari.utils.colormaps.standardize_color import transform_color
from numpy.typing import NDArray
from scipy import ndimage

from napari_guideme.hints import GRID, TextHint
from napari_guideme.widgets.geometry import geometry
from napari_guideme.widgets.slices import Slice, spatial_ndim, spatial_shape

#: First pixel and the one after the last, along rows and columns.
Box = tuple[tuple[int, int], ...]


def place_layer(image: Image, name: str) -> Vectors:
    """Make the layer of the places; napari crashes where a layer of shapes is removed."""
    return Vectors(
        ndim=spatial_ndim(image), name=name, opacity=1.0, vector_style="line", **geometry(image)
    )


def heat_layer(image: Image, name: str) -> Image:
    """Make the layer of what words moved, from 0 to 1."""
    return _layer(image, name, colormap="inferno", blending="additive", opacity=0.6)


def reading_layer(image: Image, name: str) -> Image:
    """Make a layer of what a sentence says, from 0 to 1: dark where it says nothing of it."""
    return _layer(image, name, colormap="inferno", blending="translucent_no_depth", opacity=0.65)


def map_layer(image: Image, name: str, colour: str) -> Image:
    """Make a layer of how much of something is where, from 0 to 1; 0 is clear."""
    red, green, blue, _ = transform_color(colour)[0]
    colormap = Colormap([(red, green, blue, 0), (red, green, blue, 1)], name=colour)
    return _layer(image, name, colormap=colormap, blending="translucent", opacity=0.7)


def _layer(image: Image, name: str, **look: Any) -> Image:
    """Make a layer of values from 0 to 1, all of them 0."""
    values = np.zeros(spatial_shape(image), np.float32)
    return Image(values, name=name, rgb=False, contrast_limits=(0, 1), **look, **geometry(image))


def draw_places(
    layer: Vectors, part: Slice, hints: Sequence[TextHint], colours: Sequence[str]
) -> None:
    """Outline the places of some hints in a slice, each in its colour, and nothing else."""
    drawn = [
        (side, colour)
        for hint, colour in zip(hints, colours, strict=True)
        for box in boxes(hint, part.shape)
        for side in _sides(box, part)
    ]
    layer.data = np.array([side for side, _ in drawn])
    layer.edge_color = [colour for _, colour in drawn]
    layer.edge_width = max(part.shape) / 150


def boxes(hint: TextHint, shape: Sequence[int]) -> list[Box]:
    """Rectangles of pixels that make up the place of a hint, as few as are needed."""
    cells = hint.mask((GRID, GRID))
    regions, _ = ndimage.label(cells)
    found = ndimage.find_objects(regions)
    if not all(cells[box].all() for box in found):
        rows = sorted({cell[0] for cell in hint.place})
        by_row = [[cell for cell in hint.place if cell[0] == row] for row in rows]
        return [box for row in by_row for box in boxes(replace(hint, place=tuple(row)), shape)]
    return [
        tuple(
            (-(-side.start * n // GRID), -(-side.stop * n // GRID))
            for side, n in zip(box, shape, strict=True)
        )
        for box in found
    ]


def _sides(box: Box, part: Slice) -> NDArray[np.floating]:
    """Where the four sides of a rectangle begin and which way they go, (4, 2, ndim).

    They lie on the outer edges of its pixels.
    """
    (top, bottom), (left, right) = ((start - 0.5, stop - 0.5) for start, stop in box)
    around = (top, left), (top, right), (bottom, right), (bottom, left)
    corners = np.array([part.embed(at) for at in around])
    return np.stack([corners, np.roll(corners, -1, axis=0) - corners], axis=1)
