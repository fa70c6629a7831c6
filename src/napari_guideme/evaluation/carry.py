"""What a correction of one slice, or of one image, brings to the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.scores import class_iou, confusion
from napari_guideme.evaluation.user import Position, largest_error_click
from napari_guideme.evaluation.volumes import VolumeItem
from napari_guideme.guidance.applying import applied, found_anywhere
from napari_guideme.guidance.saved import SavedGuidance
from napari_guideme.guidance.scene import Scene, winning
from napari_guideme.hints import Click
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.session import GuideSession
from napari_guideme.volumes import SliceState, VolumeSession

#: A slice is near the one that was clicked if it is at most so many away.
NEAR = 2

#: So many images after the one that was clicked get its correction.
FOLLOWING = 3

Labels = NDArray[np.integer]


@dataclass(frozen=True)
class CarriedSlice:
    """One slice or image to which a correction was carried.

    Attributes
    ----------
    clicked, index
        Numbers of the slice that was clicked and of this one.
    before, after, unchecked
        Mean IoU of the classes of objects that are there: of the network alone, with what
        was carried, and with what would have been carried without the check.
    state, agreement, why
        See `SliceState`.
    """

    clicked: int
    index: int
    before: float
    after: float
    unchecked: float
    state: str
    agreement: float | None
    why: str


@dataclass(frozen=True)
class CarryResult:
    """What carrying brought.

    Attributes
    ----------
    network, method, hints, extent
        What was evaluated.
    clicked_before, clicked_after
        Mean IoU of the slices that were clicked.
    near_before, near_after
        Of slices at most two away from them.
    others_before, others_after
        Of all others.
    worst
        Largest change for the worse on any of them, 0 if there is none.
    unchecked_after, unchecked_worst
        The same with the check off.
    stopped_at
        First slices to which nothing was carried any more, below and above the clicked one;
        ``None`` where it went on to the end.
    slices
        All of them.
    """

    network: str
    method: str
    hints: int
    extent: str
    clicked_before: float
    clicked_after: float
    near_before: float
    near_after: float
    others_before: float
    others_after: float
    worst: float
    unchecked_after: float
    unchecked_worst: float
    stopped_at: tuple[int | None, int | None]
    slices: tuple[CarriedSlice, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {"protocol": "carry", **asdict(self)}

    def __str__(self) -> str:
        gain = self.clicked_after - self.clicked_before
        rows = [
            ("clicked", self.clicked_before, self.clicked_after),
            ("near", self.near_before, self.near_after),
            ("all others", self.others_before, self.others_after),
        ]
        lines = [
            f"{name:10}  {before:6.1%} -> {after:6.1%}"
            + (f"  {(after - before) / gain:4.0%} of the gain" if gain > 0 else "")
            for name, before, after in rows
        ]
        return "\n".join(
            [
                f"{self.network}, {self.method}, {self.hints} hints, carried {self.extent}",
                *lines,
                f"worst slice {self.worst:+.1%}; without the check all others "
                f"{self.unchecked_after:6.1%}, worst slice {self.unchecked_worst:+.1%}",
                f"stopped at {self.stopped_at[0]} and {self.stopped_at[1]}",
            ]
        )


def evaluate_carry(
    item: VolumeItem,
    network: FrozenNetwork,
    *,
    axis: int = 0,
    index: int | None = None,
    hints: int = 5,
    method: str = "residual",
    extent: str = "onward",
    spacing: Sequence[float] | None = None,
) -> CarryResult:
    """Let a simulated user click the largest errors of one slice, and carry that on.

    Parameters
    ----------
    item, network
        The volume, and the network that it was opened for.
    axis, index
        Along which the slices lie, and which is clicked: the middle one by default.
    hints, method, extent
        How many clicks, refined how, and carried how far.
    spacing
        Size of a voxel, if the file does not tell.

    Raises
    ------
    InputError
        As `VolumeSession`.
    """
    geometry = item.picture.geometry
    session = VolumeSession(
        item.picture.pixels,
        network,
        axis=axis,
        channel_axis=item.picture.channel_axis,
        spacing=spacing or (geometry.spacing if geometry else None),
        method=method,
    )
    at = len(session) // 2 if index is None else index
    if not 0 <= at < len(session):
        raise InputError(f"there is no slice {at}; choose 0 to {len(session) - 1}")
    truths = [item.truth(axis, number) for number in range(len(session))]

    def scores(numbers: Iterable[int]) -> dict[int, float | None]:
        return {n: _score(truths[n], item.merged[session.slice_labels(n)]) for n in numbers}

    others = [number for number in range(len(session)) if number != at]
    before = scores(range(len(session)))
    _click(session.session(at), truths[at], item.merged, hints)
    for _ in session.carry(extent, check=False):
        pass
    unchecked = scores(others)
    for _ in session.carry(extent):
        pass
    after = scores(range(len(session)))
    rows = [
        _row(at, state, before, after, unchecked)
        for state in (session.states[number] for number in others)
        if before[state.index] is not None
    ]
    clicked = [(before[at] or 0.0, after[at] or 0.0)]
    stopped = _stopped(rows, at)
    return _result(network, method, hints, extent, clicked, rows, stopped)


def evaluate_images(
    items: Iterable[Item], network: FrozenNetwork, *, hints: int = 5, method: str = "residual"
) -> CarryResult:
    """Let a user click every fourth image, and apply the correction to those that follow.

    Parameters
    ----------
    items
        From `open_dataset`, in their order.
    network, hints, method
        See :func:`evaluate_carry`.
    """
    rows: list[CarriedSlice] = []
    clicked: list[tuple[float, float]] = []
    saved: SavedGuidance | None = None
    number = at = 0
    for number, item in enumerate(items):
        scene = Scene(network, item.image, channel_axis=item.channel_axis)
        own = winning(scene.logits).cpu().numpy()
        before = _score(item.truth, item.merged[own])
        if before is None:
            continue
        if saved is None or number - at > FOLLOWING:
            at = number
            session = GuideSession.on(scene, method=method)
            _click(session, item.truth, item.merged, hints)
            saved = session.guidance()
            clicked.append((before, _score(item.truth, item.merged[session.labels()]) or 0.0))
            continue
        result = applied(saved, scene)
        blind = found_anywhere(saved.corrected[0].anchors, scene, check=False)
        after, unchecked = (
            _score(item.truth, item.merged[winning(one.logits).cpu().numpy()]) or 0.0
            for one in (result, blind)
        )
        told = result.state, result.agreement, result.why
        rows.append(CarriedSlice(at, number, before, after, unchecked, *told))
    if not rows:
        raise InputError(f"{number + 1} images are too few; give at least 2")
    return _result(network, method, hints, "to images", clicked, rows, (None, None))


def _click(
    session: GuideSession, truth: NDArray[np.intp], merged: NDArray[np.intp], hints: int
) -> None:
    """Click the largest errors of a slice one after the other."""
    asked: set[Position] = set()
    for _ in range(hints):
        answer = largest_error_click(merged[session.labels()], truth, asked)
        if answer is None:
            return
        position, found = answer
        asked.add(position)
        session.add(Click(position, session.network.classes[found]))
        for _ in session.refine():
            pass


def _score(truth: NDArray[np.intp], labels: Labels) -> float | None:
    n_classes = max(int(truth.max(initial=0)), int(labels.max(initial=0))) + 1
    return class_iou(confusion(truth, labels, n_classes))


def _row(
    at: int,
    state: SliceState,
    before: dict[int, float | None],
    after: dict[int, float | None],
    unchecked: dict[int, float | None],
) -> CarriedSlice:
    first, last, blind = (found[state.index] or 0.0 for found in (before, after, unchecked))
    told = state.state, state.agreement, state.why
    return CarriedSlice(at, state.index, first, last, blind, *told)


def _stopped(rows: Sequence[CarriedSlice], at: int) -> tuple[int | None, int | None]:
    own = [row.index for row in rows if row.state == "own"]
    below = [index for index in own if index < at]
    above = [index for index in own if index > at]
    return (max(below) if below else None, min(above) if above else None)


def _result(
    network: FrozenNetwork,
    method: str,
    hints: int,
    extent: str,
    clicked: Sequence[tuple[float, float]],
    rows: Sequence[CarriedSlice],
    stopped: tuple[int | None, int | None],
) -> CarryResult:
    def mean(values: Iterator[float]) -> float:
        listed = list(values)
        return float(np.mean(listed)) if listed else float("nan")

    near = [row for row in rows if abs(row.index - row.clicked) <= NEAR] or rows
    return CarryResult(
        network=network.name,
        method=method,
        hints=hints,
        extent=extent,
        clicked_before=mean(before for before, _ in clicked),
        clicked_after=mean(after for _, after in clicked),
        near_before=mean(row.before for row in near),
        near_after=mean(row.after for row in near),
        others_before=mean(row.before for row in rows),
        others_after=mean(row.after for row in rows),
        worst=min(0.0, *(row.after - row.before for row in rows)) if rows else 0.0,
        unchecked_after=mean(row.unchecked for row in rows),
        unchecked_worst=min(0.0, *(row.unchecked - row.before for row in rows)) if rows else 0.0,
        stopped_at=stopped,
        slices=tuple(rows),
    )
