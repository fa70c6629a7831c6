"""What places a layer in the world."""

from __future__ import annotations

from typing import Any

from napari.layers import Layer


def geometry(layer: Layer) -> dict[str, Any]:
    """Everything that places a layer in the world, to give to another layer."""
    return {
        "scale": layer.scale,
        "translate": layer.translate,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
        "metadata": dict(layer.metadata),
    }
