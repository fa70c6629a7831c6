"""Sizes and parts of See-through-Text."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

from napari_guideme.errors import InputError
from napari_guideme.networks.lite0 import TAPPED

#: What a file may ask for.
_LARGEST, _MOST_FOLDS = 2048, 16

Refining = Literal["conv-gru", "1x1"]
Comparing = Literal["co-embedding", "concatenation"]


@dataclass(frozen=True)
class Design:
    """Sizes and parts; the defaults are the paper's, but for the encoder.

    Parameters
    ----------
    side
        Of the input, in pixels.
    grid
        Cells along each side of a heat map.
    dimensions
        Of a word vector.
    hidden
        State of the LSTM in each direction.
    attention
        Values by which words and cells are compared in equation 1.
    embedding
        Values of the co-embedding.
    filters
        Channels of the convolutional GRU's state.
    folds
        How often the levels are gone through, K.
    sharpness
        Factor of the heat in equation 1.
    re_attends
        Whether the sentence is represented anew in every step, by equation 1.
    refining
        The convolutional GRU, or a 1 x 1 convolution of all STEP heat maps.
    comparing
        The co-embedding of equations 2-4, or two layers on what is seen and said
        side by side.
    """

    side: int = 320
    grid: int = 40
    dimensions: int = 300
    hidden: int = 1000
    attention: int = 400
    embedding: int = 1000
    filters: int = 32
    folds: int = 1
    sharpness: float = 1.0
    re_attends: bool = True
    refining: Refining = "conv-gru"
    comparing: Comparing = "co-embedding"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            most = _MOST_FOLDS if field.name == "folds" else _LARGEST
            if field.type == "int" and not (type(value) is int and 1 <= value <= most):
                raise InputError(f"{field.name} = {value!r} is no whole number from 1 to {most}")
        if type(self.re_attends) is not bool:
            raise InputError(f"re_attends = {self.re_attends!r} is neither true nor false")
        if not isinstance(self.sharpness, int | float) or not 0 <= self.sharpness < float("inf"):
            raise InputError(f"sharpness = {self.sharpness!r} is no positive number")
        for name, known in (("refining", Refining), ("comparing", Comparing)):
            if getattr(self, name) not in get_args(known):
                raise InputError(
                    f"{name} = {getattr(self, name)!r} is unknown; choose "
                    f"{', '.join(get_args(known))}"
                )

    @property
    def steps(self) -> int:
        """Steps in time, T: five levels in each fold."""
        return len(TAPPED) * self.folds


#: What is trained here unless told: 2.2 million numbers, 4.5 MB in half precision. The bundled
#: network is of this design, but has one fold.
OURS = Design(dimensions=100, hidden=256, attention=128, embedding=256, folds=2)
