"""How far a correction reaches: by likeness, by nearness, and by how deep the hint lies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

#: By how many logits a hint leads at least.
HELD = 0.5


@dataclass(frozen=True)
class Kernel:
    """How far a correction reaches.

    k(x, h) = exp(-(1 - f(x)·f(h)) / τ) exp(-‖x - h‖² / 2ℓ(h)²)

    Depths and reaches are shares of the image's longest side, all of them as long as the
    sizes of its pixels say.

    Parameters
    ----------
    temperature
        τ: how unlike a pixel may look and still follow.
    nearest
        ℓ of a hint on an outline.
    growth, curvature
        ℓ = nearest + growth d + curvature d² for a hint at depth d.
    carried
        What is left of `growth` where a correction is carried to.
    outer
        What is left of ℓ at the rim of a mistaken thing, where a hint is about a part of it;
        in its middle all is. Only in its own image.
    lead
        By how many logits the class of a hint at depth `typical` shall lead.
    lead_growth
        How the lead grows with ln(d).
    typical
        Depth of a hint that is neither shallow nor deep.
    confirmed
        By how many logits, at most, the class of a hint shall lead that only
        confirms a label.
    middle
        A click at least so deep in a region, as a share of its deepest pixel, means all of
        it; above 1 none does. In a region of which the network is sure it counts no deeper
        than `typical`, see :func:`~napari_guideme.guidance.meaning.is_sure`.
    evident, vast
        In the background a hint counts as deep only as its class is evident around it, that is,
        trails by at most `evident` logits more than at the hint; but as deep as `vast` at least.
    likely
        What the network sees of a clicked thing when it looks closer follows the click, and so
        does what has a higher mean probability of its class than this; above 1 it does not
        look.
    outlines
        Whether the outline of what a click changed is drawn anew, see
        :mod:`napari_guideme.guidance.outlining`.
    """

    temperature: float = 0.7
    nearest: float = 0.02
    growth: float = 1.4
    carried: float = 0.714
    curvature: float = 6.0
    outer: float = 0.5
    lead: float = 4.0
    lead_growth: float = 2.0
    typical: float = 0.03
    confirmed: float = 2.0
    middle: float = 0.95
    evident: float = 3.0
    vast: float = 0.05
    likely: float = 0.9
    outlines: bool = True

    @property
    def looks_closer(self) -> bool:
        """Whether the network looks closer at clicks."""
        return self.likely <= 1

    def reach(self, depth: Tensor) -> Tensor:
        """ℓ of hints at a depth, in their own image."""
        return self.nearest + self.growth * depth + self.curvature * depth.square()

    def carried_reach(self, depth: Tensor) -> Tensor:
        """ℓ of hints at a depth, where they are carried to."""
        return replace(self, growth=self.carried * self.growth).reach(depth)

    def left(self, central: Tensor) -> Tensor:
        """What is left of ℓ so far from the middle of a thing, see :func:`centrality`."""
        return self.outer + (1 - self.outer) * central

    def margin(self, depth: Tensor) -> Tensor:
        """By how many logits hints at a depth shall lead."""
        relative = (depth + 0.01) / (self.typical + 0.01)
        return (self.lead + self.lead_growth * relative.log()).clamp_min(HELD)

    def __call__(self, similarity: Tensor, squared_distance: Tensor, reach: Tensor) -> Tensor:
        """Kernel values; distance and reach in the same unit."""
        return torch.exp(
            (similarity - 1) / self.temperature - squared_distance / (2 * reach.square())
        )
