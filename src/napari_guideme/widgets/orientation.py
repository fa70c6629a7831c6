"""How the axes of a slice are seen: on the screen, and from the patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from napari import Viewer
from napari.layers import Image

from napari_guideme.files.geometry import letters_of
from napari_guideme.language.places import View
from napari_guideme.widgets.flight import camera_of
from napari_guideme.widgets.geometry import to_world
from napari_guideme.widgets.slices import Slice, spatial_ndim, spatial_shape


def view_of(part: Slice, viewer: Viewer) -> View:
    """Tell how a slice is seen in a viewer that shows it.

    Scale, rotation, shear and affine of the layer count, and so do the order and
    the directions in which the viewer shows the axes of the world.
    """
    layer = part.layer
    origin = to_world(layer, part.embed((0, 0)))
    ends = [part.embed((n, 0) if k == 0 else (0, n)) for k, n in enumerate(part.shape)]
    along_world = [to_world(layer, end) - origin for end in ends]
    down, right = (
        axis - (viewer.dims.ndim - spatial_ndim(layer)) for axis in viewer.dims.order[-2:]
    )
    downwards, rightwards = _directions(viewer)
    known = letters(layer)
    return View(
        tuple(downwards * float(along[down]) for along in along_world),
        tuple(rightwards * float(along[right]) for along in along_world),
        tuple(known[axis] for axis in part.axes),
    )


def letters(layer: Image) -> tuple[str, ...]:
    """To which side of the patient each axis of a layer leads, ``""`` where nothing tells.

    napari-nifti gives arrays whose axes lead superior, anterior, right, and says so by
    the coordinate system in the metadata. Any other ``affine`` there is taken for that
    of a NIfTI file, whose axes are those of the layer or of its transpose: which of both,
    the shape in the ``header`` tells, or the sizes of voxels where the layer has them as scale.
    """
    told, shape = layer.metadata, spatial_shape(layer)
    unknown = ("",) * len(shape)
    if "affine" not in told or len(shape) < 3:
        return unknown
    if {"coordinate_system", "direction"} <= set(told):
        return ("S", "A", "R", *unknown[3:])
    affine = np.asarray(told["affine"])
    if "direction" in told or len(shape) != 3 or affine.shape != (4, 4):
        return unknown
    sizes = np.linalg.norm(affine[:3, :3].astype(float), axis=0)
    ways = {_way(_shape_in_file(told.get("header")), shape), _way(sizes, np.abs(layer.scale[-3:]))}
    ways -= {0}
    return letters_of(affine[:3, :3])[:: ways.pop()] if len(ways) == 1 else unknown


def _directions(viewer: Viewer) -> tuple[int, int]:
    """Whether the world leads down and to the right on the screen, 1, or against it, -1."""
    vertical, horizontal = camera_of(viewer).orientation2d
    return 1 if str(vertical) == "down" else -1, 1 if str(horizontal) == "right" else -1


def _way(in_file: Sequence[float], in_layer: Sequence[float]) -> Literal[-1, 0, 1]:
    """Whether axes lie as in their file, 1, or are reversed, -1; 0 where nothing tells."""
    if len(in_file) != len(in_layer) or np.allclose(in_layer, in_layer[::-1]):
        return 0
    if np.allclose(in_file, in_layer):
        return 1
    return -1 if np.allclose(in_file[::-1], in_layer) else 0


def _shape_in_file(header: Any) -> tuple[int, ...]:
    """Shape that a header of nibabel tells, empty without one."""
    return tuple(header.get_data_shape()) if hasattr(header, "get_data_shape") else ()
