"""What became of the slices of a volume."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from napari_guideme.guidance.applying import State
from napari_guideme.guidance.carrying import Anchors
from napari_guideme.volumes.inherited import Inherited
from napari_guideme.volumes.sayings import Saying


@dataclass(frozen=True)
class SliceState:
    """What became of a slice.

    Attributes
    ----------
    index
        Its number along the axis.
    state
        ``"corrected"``, ``"carried"``, ``"doubtful"`` or ``"own"``, see `Applied`.
    agreement
        How far what was carried fits, from 0 to 1, ``None`` if nothing reached it.
    why
        What speaks against it, in words.
    """

    index: int
    state: State = "own"
    agreement: float | None = None
    why: str = ""


@dataclass(frozen=True)
class CarriedStep:
    """How far carrying has come.

    Attributes
    ----------
    done, total
        Slices.
    slice
        What became of the last one.
    labels
        Its labels, (rows, columns).
    """

    done: int
    total: int
    slice: SliceState
    labels: NDArray[np.integer]


@dataclass(frozen=True)
class Carried:
    """What reached a slice.

    Attributes
    ----------
    state, labels
        What became of the slice.
    anchors
        What is left of the anchors there.
    anywhere
        Whether they act where places mean nothing.
    sayings
        What was told to it.
    """

    state: SliceState
    labels: NDArray[np.integer]
    anchors: Anchors
    anywhere: bool = False
    sayings: tuple[Saying, ...] = ()

    @property
    def acts(self) -> bool:
        """Whether anything is moved."""
        return self.state.state != "own" and self.has_any

    @property
    def has_any(self) -> bool:
        """Whether anything reached it."""
        return len(self.anchors) > 0 or len(self.sayings) > 0

    def inherited(self, thickness: float) -> Inherited:
        """What a session on the slice begins from."""
        return Inherited(self.anchors, self.state.index, thickness, self.anywhere, self.sayings)

    def is_like(self, other: Carried) -> bool:
        """Whether the same was carried to the slice."""
        places = (carried.anchors.support.positions for carried in (self, other))
        told = ([saying.hint for saying in carried.sayings] for carried in (self, other))
        alike = np.array_equal(self.labels, other.labels) and torch.equal(*places)
        return alike and operator.eq(*told)


def same(some: Carried | None, other: Carried | None) -> bool:
    """Whether the same was carried to a slice, or nothing that counts."""
    if some is not None and other is not None:
        return some is other or some.is_like(other)
    return all(one is None or not one.has_any for one in (some, other))
