"""The class-agnostic network: what it shall find is told by two maps of saliency."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_guideme.networks.lite0 import STAGES, TAPPED, Encoder

#: Channels of the encoder's activations of stride 8, 16 and 32.
_CHANNELS = tuple(STAGES[index][3] for index in TAPPED[2:])

#: Dilations of the context, in cells of stride 16.
_DILATIONS = (1, 3, 6)


class AttentionNet(nn.Module):
    """Foreground from an image and two maps: what to find, and what else is there.

    The encoder is a classifier's, frozen; what is learned is how to follow maps,
    which holds for things that no training image showed.

    Parameters
    ----------
    width
        Channels of the decoder.

    References
    ----------
    Golub et al., *Leveraging Pretrained Image Classifiers for Language-Based
    Segmentation*, 2019, section 3.2. The context is DeepLabv3's (Chen et al.,
    2017).
    """

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.maps = nn.Identity()  # A place in the graph: the maps move, the encoder does not.
        self.decoder = Decoder(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map image and maps (N, 3 + 2, H, W) to logits of the foreground (N, 1, H/8, W/8)."""
        logits: Tensor = self.decoder(self.encoder(x)[2:], self.maps(x[:, 3:]))
        return logits


class Decoder(nn.Module):
    """Follows the maps in a classifier's activations."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        fine, middle, coarse = _CHANNELS
        half = width // 2
        told = 6
        self.fine = nn.Conv2d(fine, half, 1)
        self.middle = nn.Conv2d(middle, width, 1)
        self.coarse = nn.Conv2d(coarse, width, 1)
        self.forget = nn.Dropout2d(0.2)
        self.mix = _convolution(2 * width + told, width)
        self.context = nn.ModuleList(_convolution(width, half, d) for d in _DILATIONS)
        self.join = nn.Sequential(nn.Conv2d(len(_DILATIONS) * half + told, width, 1), nn.ReLU())
        self.draw = _convolution(width + half + 2, half)
        self.classify = nn.Conv2d(half, 1, 1)

    def forward(self, activations: Sequence[Tensor], maps: Tensor) -> Tensor:
        """Map activations of stride 8, 16 and 32 and maps (N, 2, H, W) to logits."""
        fine, middle, coarse = activations
        near = _pooled(maps, middle)
        far = _pooled(maps, coarse)
        likeness = _resized(alike(coarse, far), middle)
        told = torch.cat([near, alike(middle, near), likeness], 1)
        deep = torch.cat([self.middle(middle), _resized(self.coarse(coarse), middle)], 1)
        mixed = self.mix(torch.cat([self.forget(deep), told], 1))
        joined = self.join(torch.cat([*(part(mixed) for part in self.context), told], 1))
        at_edges = _pooled(maps, fine)
        drawn = self.draw(torch.cat([_resized(joined, fine), self.fine(fine), at_edges], 1))
        logits: Tensor = self.classify(drawn)
        return logits


def alike(activation: Tensor, maps: Tensor) -> Tensor:
    """Cosine similarity of every pixel to what lies under each map, (N, maps, h, w).

    Parameters
    ----------
    activation
        (N, C, h, w).
    maps
        (N, maps, h, w), not negative.
    """
    features = F.normalize(activation - activation.mean((2, 3), keepdim=True), dim=1)
    weights = maps.square()
    total = weights.sum((2, 3), keepdim=True).squeeze(3) + 1e-3
    typical = torch.einsum("nchw,nmhw->nmc", features, weights) / total
    return torch.einsum("nchw,nmc->nmhw", features, F.normalize(typical, dim=2))


def _pooled(maps: Tensor, like: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(maps, (like.shape[2], like.shape[3]))


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


def _convolution(n_in: int, n_out: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )
