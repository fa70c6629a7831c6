"""Residual regression: a field on the logits, spanned by kernels at the hints.

The logit margin that is missing at each hint is spread over the image by the
mean of a Gaussian process whose kernel is feature similarity times nearness. No
back-propagation; one small linear system.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_guideme.guidance.features import Features
from napari_guideme.guidance.scene import at_pixels, margins

#: Similarity maps held at once: bounds the memory for long scribbles.
_CHUNK = 32


@dataclass(frozen=True)
class Kernel:
    """How far a correction reaches.

    k(x, y) = exp(-(1 - f(x)·f(y)) / τ) exp(-‖x - y‖² / 2ℓ²)

    Parameters
    ----------
    temperature
        τ: how unlike a pixel may look and still follow.
    reach
        ℓ as a share of the longest side of the image.
    margin
        By how many logits a hinted class shall lead.
    noise
        σ², added to the diagonal of the kernel matrix.
    """

    temperature: float = 0.7
    reach: float = 0.1
    margin: float = 2.0
    noise: float = 0.005

    def __call__(self, similarity: Tensor, squared_distance: Tensor, size: int) -> Tensor:
        """Kernel values for similarities and squared distances in pixels."""
        reach = self.reach * size
        return torch.exp((similarity - 1) / self.temperature - squared_distance / (2 * reach**2))


def regress(
    logits: Tensor, features: Features, positions: Tensor, classes: Tensor, kernel: Kernel
) -> Tensor:
    """Move logits so that the hints are met: L = L₀ + K (K_hh + σ²I)⁻¹ r.

    Parameters
    ----------
    logits
        L₀, (K, *spatial).
    features
        Of the same image.
    positions, classes
        Hinted pixels (n, ndim) and the index of their class (n,).
    kernel
        How far a correction reaches.

    Returns
    -------
    Logits of the same shape.
    """
    if not len(positions):
        return logits
    residual = missing(at_pixels(logits, positions), classes, kernel.margin)
    size = max(logits.shape[1:])
    hinted = features.at(positions)
    places = positions.to(torch.float32)
    gram = kernel(features.between(hinted), torch.cdist(places, places) ** 2, size)
    weights = _solved(gram, residual, kernel.noise)
    moved = logits.clone()
    for start in range(0, len(positions), _CHUNK):
        part = slice(start, start + _CHUNK)
        similarity = features.maps([level[part] for level in hinted])
        distance = _squared_distances(places[part], logits.shape[1:])
        spread = kernel(similarity, distance, size)
        moved += torch.einsum("nk,n...->k...", weights[part], spread)
    return moved


def _solved(gram: Tensor, residual: Tensor, noise: float) -> Tensor:
    """(K_hh + σ²I)⁻¹ r, on the CPU: small, and not every device knows double precision."""
    matrix = gram.cpu().double()
    matrix.diagonal().add_(noise)
    weights: Tensor = torch.linalg.solve(matrix, residual.cpu().double()).to(residual)
    return weights


def missing(logits: Tensor, classes: Tensor, margin: float) -> Tensor:
    """What each class lacks at each hint, (n, K): nothing but for the hinted class."""
    lacking = (margin - margins(logits, classes)).clamp_min(0)
    return torch.zeros_like(logits).scatter(1, classes[:, None], lacking[:, None])


def _squared_distances(places: Tensor, shape: torch.Size) -> Tensor:
    """Squared distance in pixels of every pixel to each place, (n, *spatial)."""
    total = torch.zeros((), device=places.device)
    for axis, length in enumerate(shape):
        along = [1] * len(shape)
        along[axis] = length
        line = torch.arange(length, device=places.device) - places[:, axis, None]
        total = total + line.square().view(-1, *along)
    return total
