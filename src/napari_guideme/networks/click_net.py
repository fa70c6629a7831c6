"""The bundled click network: an EfficientNet-Lite0 encoder, a coarse and a fine decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_guideme.networks.lite0 import STAGES, TAPPED, Encoder


class ClickNet(nn.Module):
    """One object, from an image and interaction maps.

    The maps enter at the first convolution by weights of their own, and once
    more where the fine decoder draws the outline.

    Parameters
    ----------
    maps
        Number of maps that follow the three channels of the image.
    width
        Channels of the coarse decoder; the fine one has half of them.

    References
    ----------
    Jang and Kim, *Interactive Image Segmentation via Backpropagating Refinement
    Scheme*, CVPR 2019, section 3.1: coarse and fine decoder.
    """

    def __init__(self, maps: int = 3, width: int = 64) -> None:
        super().__init__()
        self.encoder = Encoder(maps)
        channels = [STAGES[i][3] for i in TAPPED]
        self.lateral = nn.ModuleList(nn.Conv2d(n, width, 1) for n in channels[2:])
        self.context = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU())
        self.merge = nn.ModuleList(_convolution(width, width) for _ in channels[3:])
        self.coarse = nn.Conv2d(width, 1, 1)
        half = width // 2
        self.finer = _convolution(width + 1 + channels[1], half)
        self.finest = nn.Sequential(
            _convolution(half + channels[0] + 3 + maps, half), _convolution(half, half)
        )
        self.fine = nn.Conv2d(half, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map image and maps (N, 3 + maps, H, W) to logits of the object (N, 1, H, W).

        ``H`` and ``W`` are multiples of 32.
        """
        return self.stages(x)[1]

    def stages(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the coarse decoder, (N, 1, H / 8, W / 8), and of the fine one."""
        finest, fine, *deep = self.encoder(x)
        merged, *finer = [lateral(a) for lateral, a in zip(self.lateral, deep, strict=True)][::-1]
        merged = merged + self.context(merged.mean((2, 3), keepdim=True))
        for merge, level in zip(self.merge, finer, strict=True):
            merged = merge(_doubled(merged) + level)
        coarse = self.coarse(merged)
        drawn = self.finer(torch.cat([_doubled(merged), _doubled(coarse), fine], 1))
        halved = F.avg_pool2d(x, 2)
        drawn = self.finest(torch.cat([_doubled(drawn), finest, halved], 1))
        return coarse, _doubled(self.fine(drawn) + _doubled(_doubled(coarse)))


def _convolution(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()
    )


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
