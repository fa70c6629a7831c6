"""Images as a screen shows them: classifiers learned from photographs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.networks.preparation import checked_pixels, exact_floats

#: Of the values, those that are shown black and white: some hot pixels do not count.
_PERCENTILES = (1.0, 99.8)


def limits_of(image: NDArray[Any]) -> tuple[float, float] | None:
    """Values that a photograph of these pixels shows black and white; 8 bits are shown as they are.

    Raises
    ------
    InputError
        If a value is not finite.
    """
    if image.dtype == np.uint8:
        return None
    values = exact_floats(checked_pixels(image))
    low, high = np.percentile(values, _PERCENTILES)
    if low == high:  # What little there is is not taken for hot pixels.
        low, high = values.min(), values.max()
    return float(low), float(high)


def as_photograph(image: NDArray[Any], limits: tuple[float, float] | None) -> NDArray[Any]:
    """Return pixels as a screen shows them, in 8 bits.

    A classifier learned from photographs; pixels of a camera or of a computation have any values.

    Parameters
    ----------
    image
        Of any shape and type.
    limits
        Values that are shown black and white; ``None`` for pixels as they are.

    Raises
    ------
    InputError
        If a value is not finite.
    """
    if limits is None:
        return image
    values = exact_floats(checked_pixels(image))
    low, high = map(values.dtype.type, limits)
    scaled = (values - low) / max(high - low, np.finfo(values.dtype).tiny)
    shown: NDArray[np.uint8] = (255 * scaled).round().clip(0, 255).astype(np.uint8)
    return shown
