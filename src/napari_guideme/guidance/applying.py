"""Applying saved guidance to slices and images that nobody clicked, with a check."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.methods import method_named
from napari_guideme.guidance.saved import SavedGuidance
from napari_guideme.guidance.scene import Scene, winning

State = Literal["corrected", "carried", "doubtful", "own"]

#: Of what is carried.
KERNEL = method_named("residual").kernel

#: Similarity from which on something in another image looks a little like what was clicked.
UNLIKE = 0.4

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
    fit: Tensor | None = None,
    *,
    check: bool = True,
) -> tuple[Applied, Anchors, Tensor]:
    """Carry anchors to a slice of their volume, as far as they fit.

    Parameters
    ----------
    anchors
        With the slices they come from.
    scene, index
        The slice.
    thickness
        Distance between slices in typical pixels of the plane.
    fit
        How far each fitted on the slices on the way, (n,), which it does not exceed.
    check
        Whether they act only as far as they fit.

    Returns
    -------
    applied
        What became of the slice.
    acting
        What is left of the anchors here.
    fit
        How far each fits here, (n,).
    """
    agreement, fits = agreement_of(anchors, scene, index, thickness, fit)
    acting = anchors.weakened(fits if check else torch.ones_like(fits))
    if agreement is None:
        return Applied(scene.logits, "own"), acting, fits
    logits = acting.added(scene.logits, scene, KERNEL, acting.beyond(index, thickness))
    return _judged(logits, scene, agreement, "what was clicked looks different here"), acting, fits


def agreement_of(
    anchors: Anchors, scene: Scene, index: int, thickness: float, fit: Tensor | None = None
) -> tuple[float | None, Tensor]:
    """How far anchors fit a slice of their volume.

    Parameters
    ----------
    anchors, scene, index, thickness, fit
        As of :func:`carried_to`.

    Returns
    -------
    agreement
        From 0 to 1, ``None`` if they do not reach so far.
    fit
        How far each fits here, (n,).
    """
    fits = anchors.fit(scene)
    fits = fits if fit is None else torch.minimum(fits, fit)
    near = anchors.nearness(index, thickness)
    return _mean(fits, anchors.support.weights * near), fits


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
    anchors = [entry.anchors for entry in saved.corrected]
    if index is not None:
        here = blended(anchors, saved.indices, index)
        return carried_to(here, scene.spaced(saved.spacing), index, saved.thickness)[0]
    return found_anywhere(functools.reduce(Anchors.joined, anchors), scene)


def found_anywhere(anchors: Anchors, scene: Scene, *, check: bool = True) -> Applied:
    """Let anchors act in another image, where places mean nothing, on what looks the same.

    With the check, that is refused where it would change a larger share of the image than
    it did where the user saw it.
    """
    if not len(anchors):
        return Applied(scene.logits, "own")
    likeness = ((anchors.likeness(scene) - UNLIKE) / (1 - UNLIKE)).clamp(0, 1)
    agreement = _mean(likeness, anchors.support.weights) or 0.0
    logits = anchors.elsewhere().added(scene.logits, scene, KERNEL)
    changed = float((winning(logits) != winning(scene.logits)).float().mean())
    most = float(anchors.changed.max())
    if check and changed > most:
        why = "it would change more here than where it was clicked"
        if not most:
            why = "by its looks alone, what was clicked cannot be told from other things"
        return Applied(scene.logits, "own", agreement, why)
    if not changed or agreement < DOUBTED:
        state: State = "doubtful" if changed else "own"
        return Applied(logits, state, agreement, "nothing here looks like what was clicked")
    return Applied(logits, "carried", agreement)


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
    changed = bool((winning(logits) != winning(scene.logits)).any())
    if agreement >= DOUBTED:
        return Applied(logits, "carried", agreement)
    return Applied(logits, "doubtful" if changed else "own", agreement, doubt)
