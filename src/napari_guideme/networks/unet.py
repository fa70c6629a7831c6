"""The U-Net of the bundled nuclei network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def _double_convolution(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
        nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """Encoder and decoder joined by skip connections.

    Parameters
    ----------
    in_channels, n_classes
        Channels of the image and of the logits.
    widths
        Channels of each level, finest first. Level *k* has stride ``2**k``.

    References
    ----------
    Ronneberger, Fischer, Brox, *U-Net*, MICCAI 2015.
    """

    def __init__(self, in_channels: int, n_classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        inputs = [in_channels, *widths[:-1]]
        self.encoder = nn.ModuleList(
            _double_convolution(n_in, n_out) for n_in, n_out in zip(inputs, widths, strict=True)
        )
        self.decoder = nn.ModuleList(
            _double_convolution(coarse + fine, fine)
            for coarse, fine in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.classifier = nn.Conv2d(widths[0], n_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map an image (N, C, H, W) to logits (N, K, H, W).

        ``H`` and ``W`` are multiples of ``2**(levels - 1)``.
        """
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for block, skip in zip(self.decoder, skips[-2::-1], strict=True):
            up = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat([up, skip], dim=1))
        logits: Tensor = self.classifier(x)
        return logits
