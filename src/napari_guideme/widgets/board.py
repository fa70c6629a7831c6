"""What is known about the slices of a stack, and the work that finds it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.widgets.known import Choice
from napari_guideme.widgets.layers import GuideLayers
from napari_guideme.widgets.sessions import Sessions
from napari_guideme.widgets.stacks import Stack

if TYPE_CHECKING:
    from napari_guideme.volumes import SliceState


@dataclass(frozen=True)
class Arrived:
    """One slice more has labels.

    Attributes
    ----------
    index, total
        Of the slices to do.
    carried
        Whether a correction was carried to it; otherwise these are the network's own labels.
    """

    index: int
    total: int
    slice: SliceState
    labels: NDArray[np.integer]
    carried: bool


@dataclass(eq=False)
class Board:
    """What is known about the slices of a stack, and what the labels layer shows of them.

    Attributes
    ----------
    states
        One for each slice.
    labelled
        Slices that have labels without anything being carried.
    covered
        Labels as they were before something was carried there.
    settled
        What was carried when it was last finished, and for which hints.
    """

    layers: GuideLayers
    choice: Choice
    stack: Stack
    states: list[SliceState]
    labelled: set[int] = field(default_factory=set)
    covered: dict[int, NDArray[np.integer]] = field(default_factory=dict)
    settled: Mapping[int, Any] = field(default_factory=dict)
    settled_for: Any = None

    @property
    def is_there(self) -> bool:
        """Whether image and labels are still in the viewer."""
        there = self.layers.image in self.layers.viewer.layers
        return there and self.layers.existing("labels") is not None

    def has_labels(self, index: int) -> bool:
        """Whether a slice has any labels."""
        return index in self.labelled or index in self.covered

    def write(self, index: int, labels: NDArray[np.integer]) -> None:
        """Let the layer have the labels of a slice; it is not drawn yet."""
        self.layers.labels.data[self.stack.slice(index).slices] = labels


def steps(
    sessions: Sessions, board: Board, extent: str | None, rest: Sequence[int], asked: Any
) -> Generator[Arrived, None, Any]:
    """Carry, unless `extent` is ``None``, and label what is left of the rest."""
    volume = sessions.opened_stack(board.choice, board.stack).volume
    if extent is not None:
        reach = extent if volume.corrected else "slice"
        for step in volume.carry(reach, at_once=True):
            yield Arrived(step.done, step.total, step.slice, step.labels, carried=True)
    left = [i for i in rest if i not in volume.carried and i not in volume.corrected]
    for done, index in enumerate(left, start=1):
        labels = volume.slice_labels(index)
        yield Arrived(done, len(left), volume.states[index], labels, carried=False)
    return asked


def nearest_first(index: int, count: int) -> list[int]:
    """Numbers of slices, the nearest ones first."""
    return sorted(range(count), key=lambda other: abs(other - index))
