"""What a correction of one slice, or of one image, brings to the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.evaluation.carry_results import CarriedSlice, CarryResult, Evaluated
from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.scores import class_iou, confusion
from napari_guideme.evaluation.user import Position, largest_error_click
from napari_guideme.evaluation.volumes import VolumeItem
from napari_guideme.guidance.applying import applied, found_anywhere
from napari_guideme.guidance.labelling import labels_of
from napari_guideme.guidance.saved import SavedGuidance
from napari_guideme.guidance.scene import Scene
from napari_guideme.hints import Click
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.session import GuideSession
from napari_guideme.volumes import SliceState, VolumeSession

#: So many images after the one that was clicked get its correction.
FOLLOWING = 3

Labels = NDArray[np.integer]

#: Mean IoU of slices by their numbers, ``None`` where no class of objects is there.
Scores = dict[int, float | None]


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
    session = _opened(item, network, axis, method, spacing)
    clicked = len(session) // 2 if index is None else index
    if not 0 <= clicked < len(session):
        raise InputError(f"there is no slice {clicked}; choose 0 to {len(session) - 1}")
    scored = _Scored(session, item, axis)
    before = scored.now()
    _click(session.session(clicked), scored.truths[clicked], item.merged, hints)
    unchecked = scored.carried(extent, check=False)
    after = scored.carried(extent, check=True)
    rows = [
        _row(clicked, state, before, after, unchecked)
        for state in session.states
        if state.index != clicked and before[state.index] is not None
    ]
    told = Evaluated(network.name, method, hints, extent)
    gained = [(before[clicked] or 0.0, after[clicked] or 0.0)]
    return CarryResult.of(told, gained, rows, _stopped(rows, clicked))


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
    gained: list[tuple[float, float]] = []
    saved: SavedGuidance | None = None
    clicked = 0
    for number, item in enumerate(items):
        scene = Scene(network, item.image, channel_axis=item.channel_axis)
        before = _score(item.truth, item.merged[labels_of(scene.logits)])
        if before is None:
            continue
        if saved is None or number - clicked > FOLLOWING:
            clicked, session = number, GuideSession.on(scene, method=method)
            _click(session, item.truth, item.merged, hints)
            saved = session.guidance()
            gained.append((before, _score(item.truth, item.merged[session.labels()]) or 0.0))
        else:
            rows.append(_applied(saved, scene, item, before, clicked, number))
    if not rows:
        raise InputError(
            f"{len(gained)} images with an object of a class of {network.name} are too few; "
            "give at least 2"
        )
    return CarryResult.of(Evaluated(network.name, method, hints, "to images"), gained, rows)


class _Scored:
    """A session on a volume, and how well its slices are labelled."""

    def __init__(self, session: VolumeSession, item: VolumeItem, axis: int) -> None:
        self._session, self._merged = session, item.merged
        self.truths = [item.truth(axis, number) for number in range(len(session))]

    def now(self) -> Scores:
        """Score every slice as it is labelled now."""
        return {
            number: _score(truth, self._merged[self._session.slice_labels(number)])
            for number, truth in enumerate(self.truths)
        }

    def carried(self, extent: str, *, check: bool) -> Scores:
        """Carry what was clicked on, and score every slice."""
        for _ in self._session.carry(extent, check=check):
            pass
        return self.now()


def _opened(
    item: VolumeItem,
    network: FrozenNetwork,
    axis: int,
    method: str,
    spacing: Sequence[float] | None,
) -> VolumeSession:
    picture = item.picture
    return VolumeSession(
        picture.pixels,
        network,
        axis=axis,
        channel_axis=picture.channel_axis,
        spacing=spacing or (picture.geometry.spacing if picture.geometry else None),
        method=method,
    )


def _applied(
    saved: SavedGuidance, scene: Scene, item: Item, before: float, clicked: int, number: int
) -> CarriedSlice:
    """Score an image to which the correction of another one is applied."""
    result = applied(saved, scene)
    blind = found_anywhere(saved.corrected[0].anchors, scene, check=False)
    after, unchecked = (
        _score(item.truth, item.merged[labels_of(one.logits)]) or 0.0 for one in (result, blind)
    )
    told = result.state, result.agreement, result.why
    return CarriedSlice(clicked, number, before, after, unchecked, *told)


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
    clicked: int, state: SliceState, before: Scores, after: Scores, unchecked: Scores
) -> CarriedSlice:
    first, last, blind = (found[state.index] or 0.0 for found in (before, after, unchecked))
    told = state.state, state.agreement, state.why
    return CarriedSlice(clicked, state.index, first, last, blind, *told)


def _stopped(rows: Sequence[CarriedSlice], clicked: int) -> tuple[int | None, int | None]:
    own = [row.index for row in rows if row.state == "own"]
    below = [index for index in own if index < clicked]
    above = [index for index in own if index > clicked]
    return (max(below) if below else None, min(above) if above else None)
