"""Hinted pixels that take part in an energy, as tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from napari_guideme.hints import HintPixels

#: Pixels of one scribble that take part; they are spread evenly over it.
_PIXELS_PER_HINT = 48


@dataclass(frozen=True)
class HintTensors:
    """Hinted pixels that take part in an energy.

    Attributes
    ----------
    positions
        (n, ndim) pixels of the scene, or places between them.
    classes
        (n,) class index.
    weights
        (n,), the same sum for every hint and 1 in total.
    owners
        (n,) index of the hint that each pixel belongs to, ascending.
    """

    positions: Tensor
    classes: Tensor
    weights: Tensor
    owners: Tensor

    def chosen(self, which: Tensor) -> HintTensors:
        """Return some of the pixels."""
        return HintTensors(
            self.positions[which], self.classes[which], self.weights[which], self.owners[which]
        )

    def to(self, device: torch.device) -> HintTensors:
        """Return the same on another device."""
        return HintTensors(
            self.positions.to(device),
            self.classes.to(device),
            self.weights.to(device),
            self.owners.to(device),
        )

    def rounded(self) -> HintTensors:
        """Return the pixels that are nearest to these places."""
        if not self.positions.is_floating_point():
            return self
        return replace(self, positions=(self.positions + 0.5).floor().long())

    @classmethod
    def sampled(cls, pixels: HintPixels, device: torch.device) -> HintTensors:
        """Take all clicks and pixels spread evenly over each scribble."""
        chosen = []
        for owner in np.unique(pixels.owners):
            own = np.flatnonzero(pixels.owners == owner)
            chosen.append(
                own[np.linspace(0, len(own) - 1, min(len(own), _PIXELS_PER_HINT)).astype(int)]
            )
        weights = np.concatenate(
            [np.full(len(own), 1 / (len(own) * len(chosen))) for own in chosen]
        )
        index = np.concatenate(chosen)
        return cls(
            torch.from_numpy(pixels.positions[index]).to(device),
            torch.from_numpy(pixels.classes[index]).to(device),
            torch.from_numpy(weights).to(device, torch.float32),
            torch.from_numpy(pixels.owners[index]).to(device),
        )
