"""The hinted pixels that span the residual's field, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from napari_guideme.guidance.regions import Region


@dataclass(frozen=True)
class Support:
    """The hinted pixels that span the field.

    Attributes
    ----------
    positions
        (n, ndim) pixels of the image.
    classes
        (n,) class index, whose logit is raised.
    reaches
        (n,) ℓ in typical pixels, see :mod:`napari_guideme.spacing`.
    further
        (n,) how many times as far they reach in their own image.
    weights
        (n,) logits at the pixel itself, at least 0.
    pins
        (n,) logits that are added at the very pixel only, where hints of
        different classes contradict each other.
    regions
        Those that follow one of the pixels as a whole; only in its own image.
    """

    positions: Tensor
    classes: Tensor
    reaches: Tensor
    weights: Tensor
    pins: Tensor
    further: Tensor
    regions: tuple[Region, ...] = field(default=(), kw_only=True)

    @classmethod
    def empty(cls, ndim: int, device: torch.device) -> Support:
        """No hints yet."""
        none = torch.zeros(0, dtype=torch.float32, device=device)
        return cls(none.long().view(0, ndim), none.long(), none, none, none, none)

    def __len__(self) -> int:
        return len(self.positions)

    def parts(self) -> dict[str, Tensor]:
        """All that is told of each pixel, by name; what goes to another image."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "regions"}

    @property
    def home_reaches(self) -> Tensor:
        """(n,) how far each reaches in its own image."""
        return self.reaches * self.further

    def starts(self, positions: Tensor, classes: Tensor) -> bool:
        """Whether these hinted pixels begin with those of the support."""
        n = len(self)
        return torch.equal(self.positions, positions[:n]) and torch.equal(self.classes, classes[:n])
