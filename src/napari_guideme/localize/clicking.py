"""From a map of where something may be to the one thing that a click at its peak outlines."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.guidance.methods import method_named
from napari_guideme.guidance.outlining import click_network
from napari_guideme.hints import Click, Hints
from napari_guideme.lens import Lens
from napari_guideme.networks import cancelling
from napari_guideme.outlines import OBJECT

R = TypeVar("R")

#: A click in the very place that a map tells is not worth refining: chosen by measurement.
_METHOD = "none"


def clicked(
    image: NDArray[Any],
    evidence: NDArray[np.float32],
    channel_axis: int | None = None,
    device: str = "cpu",
) -> NDArray[np.bool_]:
    """Click where a map is highest, and let the bundled click network outline what is there.

    It looks at the image as after a click of a user: at all of it, then more closely.

    Parameters
    ----------
    image
        (rows, columns), or with one more axis for channels; of any type.
    evidence
        (rows, columns), high where the thing may be.
    channel_axis
        The axis of `image` that holds channels, ``None`` for a grey image.
    device
        Where the click network runs.

    Returns
    -------
    (rows, columns); empty if the map is constant, or nothing is seen where it is highest.

    Raises
    ------
    InputError
        If shapes differ, a value is not finite, or the image cannot be used.
    """
    if not np.isfinite(evidence).all():
        raise InputError("the map has pixels that are NaN or infinite")
    network = click_network(device)
    lens = Lens(image, network, channel_axis=channel_axis, channels=None, spacing=None)
    if evidence.shape != lens.shape:
        raise InputError(f"a map of shape {evidence.shape} does not fit the image of {lens.shape}")
    nothing = np.zeros(evidence.shape, bool)
    if evidence.max() == evidence.min():
        return nothing
    row, column = np.unravel_index(int(evidence.argmax()), evidence.shape)
    click = Click((int(row), int(column)), network.classes[OBJECT])
    pixels = Hints((click,)).pixels(lens.shape, network.classes)
    found = _finished(lens.outlined(pixels, method_named(_METHOD), None, None))
    return nothing if found is None else found.mask(evidence.shape)


def _finished(steps: Generator[Any, None, R]) -> R:
    """Take all steps, unless they are cancelled, and return what they lead to."""
    while True:
        cancelling.check()
        try:
            next(steps)
        except StopIteration as end:
            result: R = end.value
            return result
