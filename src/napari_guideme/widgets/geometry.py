"""What places a layer in the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Layer
from numpy.typing import NDArray

from napari_guideme.widgets.channels import are_first

#: What :func:`geometry` tells. napari tells of each when it changes.
PLACING = "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels", "metadata"


def geometry(layer: Layer) -> dict[str, Any]:
    """Everything that places a layer in the world, to give to another layer without channels."""
    first = int(are_first(layer))
    return {
        "scale": layer.scale[first:],
        "translate": layer.translate[first:],
        "rotate": layer.rotate[first:, first:],
        "shear": _shear(layer, first),
        "affine": layer.affine.set_slice(range(first, layer.ndim)) if first else layer.affine,
        "units": layer.units[first:],
        "axis_labels": layer.axis_labels[first:],
        "metadata": dict(layer.metadata),
    }


def to_world(layer: Layer, position: Sequence[float] | NDArray[np.floating]) -> NDArray[Any]:
    """Where a position along the axes of a layer lies, channels apart on both sides."""
    first = int(are_first(layer))
    return np.asarray(layer.data_to_world((*(0.0,) * first, *position)))[first:]


def _shear(layer: Layer, first: int) -> NDArray[np.floating]:
    """Return a matrix, or the triangle above its diagonal, row by row, from an axis on."""
    shear: NDArray[np.floating] = layer.shear
    return shear[first:, first:] if shear.ndim == 2 else shear[first * (layer.ndim - 1) :]
