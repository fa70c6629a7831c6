"""Layers about words: where they would count, what they moved, and what names were found by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from napari.layers import Image, Shapes
from napari.utils.colormaps import Colormap
from napari.utils.colormaps.standardize_color import transform_color
from scipy import ndimage

from napari_guideme.hints import GRID, TextHint
from napari_guideme.widgets.geometry import geometry
from napari_guideme.widgets.slices import Slice, spatial_ndim, spatial_shape

#: First pixel and the one after the last, along rows and columns.
Box = tuple[tuple[int, int], ...]


def place_layer(image: Image, name: str) -> Shapes:
    """Make the layer of the places."""
    return Shapes(ndim=spatial_ndim(image), name=name, opacity=1.0, **geometry(image))


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
    layer: Shapes, part: Slice, hints: Sequence[TextHint], colours: Sequence[str]
) -> None:
    """Outline the places of some hints in a slice, each in its colour, and nothing else."""
    drawn = [
        (_corners(box, part), colour)
        for hint, colour in zip(hints, colours, strict=True)
        for box in boxes(hint, part.shape)
    ]
    layer.data = []
    layer.add_rectangles(
        [corners for corners, _ in drawn],
        edge_color=[colour for _, colour in drawn],
        edge_width=max(part.shape) / 150,
        face_color="transparent",
    )
    # A viewer makes what is added to it editable.
    layer.editable = False


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


def _corners(box: Box, part: Slice) -> list[tuple[float, ...]]:
    """Corners of a rectangle, on the outer edges of its pixels."""
    (top, bottom), (left, right) = ((start - 0.5, stop - 0.5) for start, stop in box)
    return [part.embed(at) for at in ((top, left), (top, right), (bottom, right), (bottom, left))]
