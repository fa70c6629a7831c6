"""An image whose channels lie along any axis, shown with that axis first."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.widgets.channels import NAMES, MovedAxis, are_first

#: Of layers that take the place of another one: that one, and its axis of channels.
_origins: WeakKeyDictionary[Image, tuple[Image, int]] = WeakKeyDictionary()


def with_channels_first(image: Image, axis: int) -> Image:
    """Make a layer that shows an image with an axis of channels first; no pixel is copied.

    Raises
    ------
    InputError
        If the image is sheared along its channels.
    """
    order = [axis, *(other for other in range(image.ndim) if other != axis)]
    levels = image.data if image.multiscale else [image.data]
    moved = [MovedAxis(level, axis, 0) for level in levels]
    with_offset = [*order, image.ndim]
    layer = Image(
        moved if image.multiscale else moved[0],
        name=image.name,
        rgb=False,
        multiscale=image.multiscale,
        scale=image.scale[order],
        translate=image.translate[order],
        rotate=image.rotate[np.ix_(order, order)],
        shear=_sheared(image, order),
        affine=image.affine.affine_matrix[np.ix_(with_offset, with_offset)],
        units=[image.units[other] for other in order],
        axis_labels=[NAMES[0], *_labels(image, order[1:])],
        metadata=dict(image.metadata),
        contrast_limits=image.contrast_limits,
        gamma=image.gamma,
        opacity=image.opacity,
        blending=image.blending,
        colormap=image.colormap,
    )
    _origins[layer] = image, axis
    return layer


def origin(image: Image) -> tuple[Image, int | None]:
    """Return the layer as it was opened, and the axis of it that is said to hold channels."""
    return _origins.get(image, (image, 0)) if are_first(image) else (image, None)


def stored(image: Image) -> Any:
    """Return the array behind a layer as it was opened; of a pyramid the finest level."""
    layer, _ = origin(image)
    return layer.data[0] if layer.multiscale else layer.data


def full_resolution(image: Image) -> Any:
    """Return the array behind a layer, channels last; of a pyramid the finest level."""
    _, axis = origin(image)
    return stored(image) if axis is None else MovedAxis(stored(image), axis, -1)


def _labels(image: Image, axes: list[int]) -> list[str]:
    """Names of axes; those that have none are called by their place, as napari calls them."""
    names = [image.axis_labels[axis] for axis in axes]
    return [f"-{len(axes) - at}" if name.startswith("-") else name for at, name in enumerate(names)]


def _sheared(image: Image, order: list[int]) -> NDArray[np.floating]:
    shear = image.shear
    if shear.ndim == 1:
        whole = np.eye(image.ndim)
        whole[np.triu_indices(image.ndim, 1)] = shear
        shear = whole
    if np.delete(shear[:, order[0]], order[0]).any() or np.delete(shear[order[0]], order[0]).any():
        raise InputError(f"{image.name} is sheared along axis {order[0]}; choose another one")
    moved: NDArray[np.floating] = shear[np.ix_(order, order)]
    return moved
