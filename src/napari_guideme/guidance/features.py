"""What the network itself finds alike: similarity of pixels to hinted pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_guideme.guidance.plane import Plane
from napari_guideme.networks.preparation import Placement, Preparation


def alike(some: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    """Cosine similarity (...) of features, mean over levels of (..., C)."""
    pairs = zip(some, others, strict=True)
    return torch.stack([F.cosine_similarity(*pair, dim=-1) for pair in pairs]).mean(0)


class Features:
    """Standardised activations of one image at several guide points.

    At every level the channels are standardised over the image and each
    pixel's feature is scaled to length 1; between the pixels of a coarse level
    they are interpolated linearly. The similarity of two pixels is the mean
    over levels of the scalar products, so it is at most 1 and a positive
    definite kernel.

    Parameters
    ----------
    activations
        (1, C, *spatial) by guide point.
    preparation, placement
        How the image lies in the network's input.
    """

    def __init__(
        self,
        activations: Mapping[str, Tensor],
        preparation: Preparation,
        placement: Placement,
    ) -> None:
        self._activations = dict(activations)
        self._preparation = preparation
        self._placement = placement

    @cached_property
    def _levels(self) -> list[Tensor]:
        return [_standardised(activation) for activation in self._activations.values()]

    def at(self, positions: Tensor) -> list[Tensor]:
        """Features of image pixels (n, ndim), for each level (n, C)."""
        placement = self._placement
        places = [placement.to_network(p) for p in positions.tolist()]
        grid = torch.tensor(places, dtype=torch.float32, device=self._levels[0].device)
        size = grid.new_tensor(placement.padded_shape)
        # grid_sample wants (x, y[, z]) with -1 and 1 at the outer edges of the image.
        grid = ((grid + 0.5) / size * 2 - 1).flip(1)
        grid = grid.view(1, *(1,) * (grid.shape[1] - 1), *grid.shape)
        return [
            F.grid_sample(level, grid, align_corners=False, padding_mode="border").flatten(2)[0].T
            for level in self._levels
        ]

    def plane(self, plane: Plane) -> Features:
        """Features of one slice of a volume."""
        cut = {name: plane.of_network(activation) for name, activation in self._activations.items()}
        return Features(cut, plane.preparation(self._preparation), plane.placement)

    @property
    def spread(self) -> tuple[Tensor, ...]:
        """Mean and standard deviation of each channel, (2, C) for each level."""
        return tuple(
            torch.stack([flat.mean(1), flat.std(1, correction=0)])
            for flat in (activation[0].flatten(1) for activation in self._activations.values())
        )

    def between(self, hinted: list[Tensor]) -> Tensor:
        """Similarity of hinted pixels to each other, (n, n)."""
        return torch.stack([feature @ feature.T for feature in hinted]).mean(0)

    def maps(self, hinted: list[Tensor]) -> Tensor:
        """Similarity of every pixel of the image to hinted pixels, (n, *spatial)."""
        # Levels meet on the finest one's grid: it has far fewer pixels than the image.
        grid = max((level.shape[2:] for level in self._levels), key=torch.Size.numel)
        mode = "bilinear" if len(grid) == 2 else "trilinear"
        total = torch.zeros(())
        for level, feature in zip(self._levels, hinted, strict=True):
            product = torch.einsum("nc,c...->n...", feature, level[0])[None]
            total = total + F.interpolate(product, grid, mode=mode, align_corners=False)
        return self._preparation.restore(total / len(self._levels), self._placement)[0]

    def likeness(self, positions: Tensor) -> Tensor:
        """s(x): largest similarity of every pixel to any hinted pixel, in [0, 1]."""
        likeness = torch.zeros(())
        for hinted in zip(*(level.split(32) for level in self.at(positions)), strict=True):
            likeness = torch.maximum(likeness, self.maps(list(hinted)).amax(0))
        return likeness.clamp(0, 1)


def _standardised(activation: Tensor) -> Tensor:
    axes = tuple(range(2, activation.ndim))
    centred = activation - activation.mean(axes, keepdim=True)
    scaled = centred / (activation.std(axes, correction=0, keepdim=True) + 1e-6)
    return F.normalize(scaled, dim=1)
