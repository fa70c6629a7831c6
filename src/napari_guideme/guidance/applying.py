"""Applying saved guidance to slices and images that nobody clicked, with a check."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from napari_guideme.guidance.carrying import Anchors, fitting
from napari_guideme.guidance.methods import method_named
from napari_guideme.guidance.residual import Kernel
from napari_guideme.guidance.saved import SavedGuidance
from napari_guideme.guidance.scene import Scene

State = Literal["corrected", "carried", "doubtful", "own"]

#: Below this agreement a slice that was changed is doubtful.
DOUBTED = 0.5


@dataclass(frozen=True)
class Applied:
    """What became of a slice or an image.

    Attributes
    ----------
    logits
        (K, *spatial).
    state
        ``"corrected"`` by its own hints, ``"carried"``, ``"doubtful"``: something was
        carried and only half fits, or ``"own"``: the network's own labels.
    agreement
        How far what was carried still fits, from 0 to 1; ``None`` if nothing reached it.
    why
        In words, if it is doubtful or nothing fits.
    """

    logits: Tensor
    state: State
    agreement: float | None = None
    why: str = ""


def carried_to(
    anchors: Anchors,
    scene: Scene,
    index: int,
    thickness: float,
    kernel: Kernel,
    fit: Tensor | None = None,
) -> tuple[Applied, Tensor]:
    """Carry anchors to a slice of their volume, as far as they fit.

    Parameters
    ----------
    anchors
        With the slices they come from.
    scene, index
        The slice.
    thickness
        Distance between slices in pixels of the plane.
    kernel
        Of the residual.
    fit
        How far each fitted on the slices on the way, (n,), which it does not exceed.

    Returns
    -------
    applied
        What became of the slice.
    fit
        How far each fits here, (n,).
    """
    near = anchors.nearness(index, thickness)
    fits = fitting(anchors.similarity(scene)) if len(anchors) else near
    fits = fits if fit is None else torch.minimum(fits, fit)
    agreement = _mean(fits, anchors.support.weights * near)
    if agreement is None:
        return Applied(scene.logits, "own"), fits
    acting = anchors.weakened(fits)
    beyond = acting.beyond(index, thickness)
    logits = acting.added(scene.logits, scene, kernel, beyond)
    return _judged(logits, scene, agreement, "what was clicked looks different here"), fits


def applied(saved: SavedGuidance, scene: Scene, index: int | None = None) -> Applied:
    """Apply saved guidance to a slice of the volume it was made in, or to another image.

    Parameters
    ----------
    saved
        Made for the network of the scene, see `SavedGuidance.check`.
    scene
        The slice or image.
    index
        Number of the slice in the volume; ``None`` in another image.

    Raises
    ------
    InputError
        If it was made for another network.
    """
    saved.check(scene.network)
    saved = saved.to(scene.network.device)
    kernel = method_named("residual").kernel
    if index is not None:
        anchors = blended([entry.anchors for entry in saved.corrected], saved.indices, index)
        return carried_to(anchors, scene, index, saved.thickness, kernel)[0]
    together = saved.corrected[0].anchors
    for entry in saved.corrected[1:]:
        together = together.joined(entry.anchors)
    if not len(together):
        return Applied(scene.logits, "own")
    agreement = _mean(fitting(together.likeness(scene)), together.support.weights)
    logits = together.elsewhere().added(scene.logits, scene, kernel)
    return _judged(logits, scene, agreement or 0.0, "nothing here looks like what was clicked")


def blended(anchors: Sequence[Anchors], indices: Sequence[int], index: int) -> Anchors:
    """Join the corrections of the nearest slices on both sides, the nearer one counting more.

    Parameters
    ----------
    anchors, indices
        Of corrected slices, by rising number.
    index
        The slice they shall act on.
    """
    after = bisect.bisect_left(indices, index)
    if after == len(indices) or (after == 0 and indices[0] >= index):
        return anchors[min(after, len(indices) - 1)]
    below, above = indices[after - 1], indices[after]
    share = (index - below) / (above - below)
    lower, upper = anchors[after - 1], anchors[after]
    return lower.weakened(torch.full_like(lower.support.weights, 1 - share)).joined(
        upper.weakened(torch.full_like(upper.support.weights, share))
    )


def _mean(shares: Tensor, weights: Tensor) -> float | None:
    """Mean of shares by weight; ``None`` where nothing weighs enough to be seen."""
    total = float(weights.sum()) if len(weights) else 0.0
    if total == 0 or float(weights.max()) < 0.1:
        return None
    return float((shares * weights).sum()) / total


def _judged(logits: Tensor, scene: Scene, agreement: float, doubt: str) -> Applied:
    changed = bool((logits.argmax(0) != scene.logits.argmax(0)).any())
    if agreement >= DOUBTED:
        return Applied(logits, "carried", agreement)
    return Applied(logits, "doubtful" if changed else "own", agreement, doubt)
