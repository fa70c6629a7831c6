"""The bundled click network: an EfficientNet-Lite0 encoder, a coarse and a fine decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Kernel, stride, expansion, channels and repeats of each stage of EfficientNet-Lite0.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_STEM = 32

#: Stages whose output the decoders read: the last one of each stride, 2 to 32.
_TAPPED = (0, 1, 2, 4, 6)


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
    Scheme*, CVPR 2019, section 3.1: coarse and fine decoder. Tan and Le,
    *EfficientNet*, ICML 2019, in the variant Lite0 without squeeze and excitation.
    """

    def __init__(self, maps: int = 3, width: int = 64) -> None:
        super().__init__()
        self.encoder = Encoder(maps)
        channels = [_STAGES[i][3] for i in _TAPPED]
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


class Encoder(nn.Module):
    """EfficientNet-Lite0 without its classifier; returns activations of stride 2 to 32."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.image_stem = _SameConv2d(3, _STEM, 3, 2)
        self.maps_stem = _SameConv2d(maps, _STEM, 3, 2)
        self.norm = _normalisation(_STEM)
        self.stages = nn.ModuleList()
        n_in = _STEM
        for kernel, stride, expansion, n_out, repeats in _STAGES:
            blocks = [_Block(n_in, n_out, kernel, stride, expansion)]
            blocks += [_Block(n_out, n_out, kernel, 1, expansion) for _ in range(repeats - 1)]
            self.stages.append(nn.Sequential(*blocks))
            n_in = n_out

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map image and maps (N, 3 + maps, H, W) to one activation for each stride."""
        x = F.relu6(self.norm(self.image_stem(x[:, :3]) + self.maps_stem(x[:, 3:])))
        found = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _TAPPED:
                found.append(x)
        return found


class _Block(nn.Module):
    """Inverted bottleneck: widen, convolve each channel, narrow."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = n_in * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [nn.Conv2d(n_in, wide, 1, bias=False), _normalisation(wide), nn.ReLU6()]
        layers += [_SameConv2d(wide, wide, kernel, stride, groups=wide)]
        layers += [_normalisation(wide), nn.ReLU6()]
        layers += [nn.Conv2d(wide, n_out, 1, bias=False), _normalisation(n_out)]
        self.layers = nn.Sequential(*layers)
        self.skips = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        moved: Tensor = self.layers(x)
        return x + moved if self.skips else moved


class _SameConv2d(nn.Conv2d):
    """Padded as TensorFlow does, for which the weights of Lite0 were made."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, groups: int = 1) -> None:
        before = (kernel - stride) // 2
        after = kernel - stride - before
        same = before == after
        padding = before if same else 0
        super().__init__(n_in, n_out, kernel, stride, padding, groups=groups, bias=False)
        self.uneven = None if same else (before, after, before, after)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.uneven) if self.uneven else x)


def _normalisation(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _convolution(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()
    )


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
