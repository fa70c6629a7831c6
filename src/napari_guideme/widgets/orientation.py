"""How the axes of a slice are seen: on the screen, and from the patient."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari import Viewer
from napari.layers import Image

from napari_guideme.files.geometry import letters_of
from napari_guideme.language.places import View
from napari_guideme.widgets.flight import camera_of
from napari_guideme.widgets.slices import Slice, spatial_shape


def view_of(part: Slice, viewer: Viewer) -> View:
    """Tell how a slice is seen in a viewer that shows it.

    Scale, rotation, shear and affine of the layer count, and so do the order and
    the directions in which the viewer shows the axes of the world.
    """
    layer = part.layer
    origin = np.asarray(layer.data_to_world(part.embed((0, 0))))
    ends = [part.embed((n, 0) if k == 0 else (0, n)) for k, n in enumerate(part.shape)]
    along_world = [np.asarray(layer.data_to_world(end)) - origin for end in ends]
    down, right = (axis - (viewer.dims.ndim - layer.ndim) for axis in viewer.dims.order[-2:])
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
    of a NIfTI file, whose axes are those of the layer, or of its transpose if
    the ``header`` says so.
    """
    told, shape = layer.metadata, spatial_shape(layer)
    unknown = ("",) * len(shape)
    if "affine" not in told or layer.ndim < 3:
        return unknown
    if {"coordinate_system", "direction"} <= set(told):
        return ("S", "A", "R", *unknown[3:])
    affine = np.asarray(told["affine"])
    if "direction" in told or layer.ndim != 3 or affine.shape != (4, 4):
        return unknown
    found = letters_of(affine[:3, :3])
    in_file = _shape_in_file(told.get("header"), shape)
    if in_file == shape[::-1] != shape:
        return found[::-1]
    return found if in_file == shape else unknown


def _directions(viewer: Viewer) -> tuple[int, int]:
    """Whether the world leads down and to the right on the screen, 1, or against it, -1."""
    vertical, horizontal = camera_of(viewer).orientation2d
    return 1 if str(vertical) == "down" else -1, 1 if str(horizontal) == "right" else -1


def _shape_in_file(header: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape that a header of nibabel tells; without one, that of the layer."""
    if not hasattr(header, "get_data_shape"):
        return shape
    return tuple(header.get_data_shape())
