"""Sentences that are told on: what was said about a slice holds on others while they look alike.

A sentence is told to another slice as it was told to its own, and found anew there. The
check is that of clicks: where the sentence changed labels on its own slice, the features are
compared, and how far it reaches along the axis is how deep its place is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_guideme.guidance.applying import DOUBTED, KERNEL, Applied, agreement_of
from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.distances import depths
from napari_guideme.guidance.scene import Scene, winning
from napari_guideme.guidance.support import Support
from napari_guideme.hints import TextHint
from napari_guideme.spacing import longest

#: Pixels that tell whether a sentence fits, spread evenly over those that it changed.
_PIXELS = 48

#: Why a sentence is not told on.
UNLIKE = "what your words changed looks different here"

#: Lets a scene follow text hints.
Tell = Callable[[Scene, Sequence[TextHint]], Scene]


@dataclass(frozen=True)
class Saying:
    """A sentence about a slice.

    Attributes
    ----------
    hint
        What was said.
    anchors
        Of pixels that it changed. They move nothing; they tell where it fits.
    """

    hint: TextHint
    anchors: Anchors

    @classmethod
    def of(
        cls, hint: TextHint, changed: NDArray[np.bool_], scene: Scene, index: int
    ) -> Saying | None:
        """Return what is told on of a sentence, ``None`` if it changed nothing.

        Parameters
        ----------
        hint, changed
            What was said, and the pixels (*spatial) whose label it changed.
        scene, index
            Of its slice.
        """
        places = torch.from_numpy(changed).nonzero()
        if not len(places):
            return None
        chosen = torch.linspace(0, len(places) - 1, min(len(places), _PIXELS)).round().long()
        places = places[chosen].to(scene.network.device)
        place = torch.from_numpy(hint.mask(scene.shape)).long()
        size = longest(scene.shape, scene.spacing)
        depth = depths(place, places, scene.spacing).to(places.device) / size
        ones = torch.ones_like(depth)
        classes = torch.full_like(places[:, 0], scene.network.classes.index(hint.class_name))
        support = Support(places, classes, KERNEL.carried_reach(depth) * size, ones, 0 * ones, ones)
        return cls(hint, Anchors.of(scene, support, index))


@dataclass(frozen=True)
class Heard:
    """What became of sentences on a slice.

    Attributes
    ----------
    told
        Those that fit and are followed.
    agreements
        How far each that reaches so far fits, from 0 to 1.
    fits
        How far the pixels of each fit, see :func:`agreement_of`.
    """

    told: tuple[Saying, ...]
    agreements: tuple[float, ...]
    fits: tuple[Tensor, ...]

    @classmethod
    def on(
        cls,
        sayings: Sequence[Saying],
        scene: Scene,
        index: int,
        thickness: float,
        before: Heard | None,
        *,
        check: bool,
    ) -> Heard:
        """Choose the sentences that fit a slice.

        Parameters
        ----------
        sayings
            With the slices they come from.
        scene, index, thickness
            As of :func:`~napari_guideme.guidance.applying.carried_to`.
        before
            What became of them on the slices on the way: what no longer fitted there
            does not fit here.
        check
            Whether they are only told while they fit.
        """
        told, agreements, fits = [], [], []
        for number, saying in enumerate(sayings):
            known = before.fits[number] if before else None
            agreement, fit = agreement_of(saying.anchors, scene, index, thickness, known)
            fits.append(fit)
            if agreement is not None:
                agreements.append(agreement)
                if agreement >= DOUBTED or not check:
                    told.append(saying)
        return cls(tuple(told), tuple(agreements), tuple(fits))

    def judged(self, clicks: Applied, own: Tensor) -> Applied:
        """Judge a slice by words and clicks together; either alone counts as ever.

        Parameters
        ----------
        clicks
            What became of it by clicks, the words being told.
        own
            The network's own logits.
        """
        if not self.agreements:
            return clicks
        shares = [*self.agreements, *([] if clicks.agreement is None else [clicks.agreement])]
        agreement = sum(shares) / len(shares)
        why = clicks.why or (UNLIKE if min(self.agreements) < DOUBTED else "")
        if not self.told and clicks.state == "own":
            return Applied(clicks.logits, "own", agreement, why)
        if agreement >= DOUBTED:
            return Applied(clicks.logits, "carried", agreement)
        changed = bool((winning(clicks.logits) != winning(own)).any())
        return Applied(clicks.logits, "doubtful" if changed else "own", agreement, why)


def nearest(
    sayings: Sequence[tuple[Saying, ...]], indices: Sequence[int], index: int
) -> tuple[Saying, ...]:
    """Sentences of the nearest of some slices; a sentence holds or it does not.

    Parameters
    ----------
    sayings, indices
        Of corrected slices, by rising number.
    index
        The slice they shall be told to.
    """
    distances = [abs(other - index) for other in indices]
    return sayings[distances.index(min(distances))]
