"""Words for any network: an energy of what a sentence says, over the evidence of its class.

What moves is one number, by which the logit of the class rises or falls inside the
place, most where the network half believes it already. It should settle these pixels;
what is believed of all others there is to stay. No pass of the network is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_guideme.guidance.minimisers import Iterate, lbfgs
from napari_guideme.guidance.scene import winning
from napari_guideme.hints import TextHint
from napari_guideme.spacing import longest, relative

STEPS = 4
#: Weight of what is to stay; chosen on images that no figure is reported of.
INERTIA = 45.0
#: Belief is that of a neighbourhood so wide, in typical pixels: beside what was found a rim
#: is always half believed, and a missing thing is believed all over.
_NEARBY = 2.0
#: Places end softly, over this share of the image's longest side.
_FADING = 0.05


@dataclass(frozen=True)
class Wish:
    """What a hint wants of an image's pixels.

    Attributes
    ----------
    index
        Of the class.
    sign
        1 to raise its evidence, -1 to lower it.
    place
        Where, from 0 to 1, (*spatial).
    belief
        How much the network believes so already where it does not say so yet, beside
        where in the place it does most, (*spatial). So far a pixel follows.
    """

    index: int
    sign: int
    place: Tensor
    belief: Tensor

    @classmethod
    def of(
        cls,
        hint: TextHint,
        logits: Tensor,
        classes: Sequence[str],
        spacing: Sequence[float] | None = None,
    ) -> Wish:
        """Read a hint, given the logits (K, *spatial) before it.

        To find a class is to raise it where it is not found, to remove it to lower it
        where it is, to replace another one to raise it where that is found.
        """
        index = list(classes).index(hint.class_name)
        probability, labels = logits.softmax(0)[index], winning(logits)
        sign, open_to, believed = 1, labels != index, probability
        if hint.operation == "remove":
            sign, open_to, believed = -1, labels == index, 1 - probability
        elif hint.instead_of is not None:
            open_to = labels == list(classes).index(hint.instead_of)
        said = hint.mask(logits.shape[1:])
        place = torch.from_numpy(softened(said, spacing)).to(logits)
        nearby = around(believed, open_to, spacing)
        most = nearby[torch.from_numpy(said).to(logits.device)].max()
        belief = place * (nearby / most).clamp(max=1) if most > 0 else torch.zeros_like(place)
        return cls(index, sign, place, belief)

    def shifted(self, logits: Tensor, evidence: Tensor) -> Tensor:
        """Add the evidence to logits (K, *spatial)."""
        moved = logits.clone()
        moved[self.index] += self.sign * evidence * self.belief
        return moved

    def least(self, logits: Tensor) -> Tensor:
        """Return the evidence by which the first pixel follows; a bit more, to be sure."""
        others = torch.cat([logits[: self.index], logits[self.index + 1 :]]).amax(0)
        lacking = self.sign * (others - logits[self.index])
        spoken_of = (self.place == 1) & (self.belief > 0)
        return (lacking[spoken_of] / self.belief[spoken_of]).min() + 0.1

    def energy(self, probability: Tensor, evidence: Tensor) -> Tensor:
        """Surprise where it is half believed, and the divergence of all else in the place.

        Parameters
        ----------
        probability
            Of the class before the hint, (*spatial).
        evidence
            How far the logit moves.
        """
        shift = self.sign * evidence * self.belief
        # Of one class against all others: both sides have their closed form.
        odds = probability.logit(1e-6) + shift
        right = torch.nn.functional.logsigmoid(self.sign * odds)
        divergence = torch.log1p(probability * shift.expm1()) - probability * shift
        half_believed = self.belief / self.belief.sum()
        staying = (1 - self.belief) * divergence
        return INERTIA * staying.sum() / self.place.sum() - (half_believed * right).sum()


def follow(
    hint: TextHint,
    logits: Tensor,
    classes: Sequence[str],
    spacing: Sequence[float] | None = None,
    earlier: Sequence[TextHint] = (),
) -> Iterator[Iterate]:
    """Minimise the energy of a hint, one step after the other.

    What was spoken of before moves less: a quarter as far after one sentence, a ninth as
    far after two. So sentences in a row settle, also where they contradict each other.

    Parameters
    ----------
    hint
        What is said.
    logits
        Before it, (K, *spatial).
    classes
        Of the network.
    spacing
        Size of a pixel along each axis, in typical ones; all are equal by default.
    earlier
        What was said before.

    Yields
    ------
    The evidence, a single number; nothing if there is nothing to do. Some pixels
    follow in any case.
    """
    wish = Wish.of(hint, logits, classes, spacing)
    if not wish.belief.any():
        return
    share = (1 + times_spoken_of(hint, earlier, logits.shape[1:])) ** -2
    probability, least = logits.softmax(0)[wish.index], wish.least(logits)
    for iterate in lbfgs(
        lambda evidence: wish.energy(probability, evidence), logits.new_zeros(()), STEPS
    ):
        yield replace(iterate, values=(share * iterate.values).maximum(least))


def times_spoken_of(hint: TextHint, earlier: Sequence[TextHint], shape: Sequence[int]) -> float:
    """How often sentences before spoke of a pixel of a hint's place, on average."""
    place = hint.mask(shape)
    return float(sum(other.mask(shape)[place].mean() for other in earlier))


def around(belief: Tensor, open_to: Tensor, spacing: Sequence[float] | None = None) -> Tensor:
    """Mean belief nearby among the pixels that are open to it, 0 at others, (*spatial)."""
    widths = [_NEARBY / size for size in relative(spacing, belief.ndim)]
    counted = open_to.cpu().numpy().astype(np.float32)
    total, number = (
        ndimage.gaussian_filter(values, widths)
        for values in (belief.cpu().numpy() * counted, counted)
    )
    mean = np.divide(total, number, out=np.zeros_like(total), where=counted > 0)
    return torch.from_numpy(mean).to(belief)


def softened(
    place: NDArray[np.bool_], spacing: Sequence[float] | None = None
) -> NDArray[np.float32]:
    """Let a place fade out beyond its edges, (*spatial)."""
    sizes = relative(spacing, place.ndim)
    away = ndimage.distance_transform_edt(~place, sizes)
    width = _FADING * longest(place.shape, sizes)
    faded: NDArray[np.float32] = np.clip(1 - away / width, 0, 1)
    return faded.astype(np.float32)
