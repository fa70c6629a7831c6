"""Small networks whose answers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.unet import UNet

CLASSES = ("background", "cell")


def frozen(module: nn.Module, classes: Sequence[str] = CLASSES, **options: Any) -> FrozenNetwork:
    """Freeze a module that takes a grey image as it is, on the CPU."""
    grey = Preparation(channels=1, value_range="none")
    told = {"device": "cpu", "output": "logits", **options}
    return FrozenNetwork(module, classes, told.pop("preparation", grey), **told)


def pixelwise(weights: Sequence[float], biases: Sequence[float]) -> nn.Conv2d:
    """Logit `weight * pixel + bias` for each class."""
    convolution = nn.Conv2d(1, len(weights), 1)
    with torch.no_grad():
        convolution.weight.copy_(torch.tensor(weights).view(-1, 1, 1, 1))
        convolution.bias.copy_(torch.tensor(biases))
    return convolution


class Clicked(nn.Module):
    """The object is what is bright and near a click on it, or was it before, but for others.

    Input channels are image, distance to the object's and the background's clicks,
    and the mask so far. Without clicks bright pixels have a logit of ``look / 2 - 8``
    and dark ones one of ``-look / 2 - 8``; a click on the object adds 12 to it, one on
    the background takes 24 away, and the mask adds 12.
    """

    def __init__(self, look: float = 12.0) -> None:
        super().__init__()
        self.join = nn.Conv2d(4, 1, 1)
        with torch.no_grad():
            self.join.weight.copy_(torch.tensor([look, -12, 24, 12]).view(1, 4, 1, 1))
            self.join.bias.fill_(-look / 2 - 20)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.join(x)
        return logits


class DarkAndBright(nn.Module):
    """Features (1 - x, x), which are also the logits of background and cell."""

    def __init__(self) -> None:
        super().__init__()
        self.features = pixelwise([-1.0, 1.0], [1.0, 0.0])
        self.classifier = nn.Conv2d(2, 2, 1, bias=False)
        with torch.no_grad():
            self.classifier.weight.copy_(torch.eye(2).view(2, 2, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.relu(self.features(x)))


class DarkAndBright3d(nn.Module):
    """The same in volumes."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv3d(1, 2, 1)
        self.classifier = nn.Conv3d(2, 2, 1, bias=False)
        with torch.no_grad():
            self.features.weight.copy_(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1, 1))
            self.features.bias.copy_(torch.tensor([1.0, 0.0]))
            self.classifier.weight.copy_(torch.eye(2).view(2, 2, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.relu(self.features(x)))


class Chain(nn.Module):
    """Three convolutions that cost 9, 9 and 1 parts of the computation."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(1, 2, 3, padding=1)
        self.coarse = nn.Conv2d(2, 4, 3, padding=1, stride=2)
        self.classifier = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.relu(self.coarse(F.relu(self.fine(x)))))


class ValidUNet(nn.Module):
    """Three levels of convolutions without padding; sides are 4 k + 2, and 20 pixels are lost."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(nn.Conv2d(a, b, 3) for a, b in ((1, 2), (2, 4), (4, 6)))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in ((4, 6), (2, 4)))
        self.decoder = nn.ModuleList(nn.Conv2d(2 * a, a, 3) for a in (4, 2))
        self.classifier = nn.Conv2d(2, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for level, convolve in enumerate(self.encoder):
            x = F.relu(convolve(F.max_pool2d(x, 2) if level else x))
            skips.append(x)
        for up, convolve, skip in zip(self.up, self.decoder, skips[-2::-1], strict=True):
            x = up(x)
            y, z = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
            skip = skip[:, :, y : y + x.shape[2], z : z + x.shape[3]]
            x = F.relu(convolve(torch.cat([skip, x], 1)))
        return self.classifier(x)


class Residual(nn.Module):
    """Skips over blocks, with operations in place as in torchvision's."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1, stride=2)
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.shortcut = nn.Conv2d(4, 4, 1)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.stem(x))
        out = self.norm(self.first(x))
        out.add_(self.shortcut(x))
        return self.classifier(self.dropout(self.relu(out).add_(x)))


class Volume(nn.Module):
    """A network of three spatial axes, coarse inside."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv3d(1, 3, 2, stride=2)
        self.norm = nn.BatchNorm3d(3)
        self.up = nn.ConvTranspose3d(3, 2, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(F.relu(self.norm(self.down(x))))


class ShapeBranch(Chain):
    """Python asks for the shape: fx cannot follow, export can."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] != 1 or x.shape[2] < 2:
            raise ValueError("one channel is expected")
        return super().forward(x)


class OddBranch(Chain):
    """Odd widths take another path, which a graph traced on an even one does not know."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return 2 * logits if x.shape[-1] % 2 else logits


class SizeInPython(Chain):
    """The size is an ordinary number, which export takes for a constant."""

    def forward(self, x: Tensor) -> Tensor:
        size = int(x.shape[2]), int(x.shape[3])
        return F.interpolate(super().forward(x), size=size)


class WideBranch(Chain):
    """Wide images take another path, beyond the sizes that are tried while tracing."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return 2 * logits if x.shape[-1] > 500 else logits


class DataBranch(Chain):
    """Python asks for a pixel: nobody can trace that."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return 2 * logits if x.mean() > 0.5 else logits


class WritesToItsInput(Chain):
    """Normalises its input in place."""

    def forward(self, x: Tensor) -> Tensor:
        x.sub_(0.5)
        return super().forward(x)


class ClickedBlob(nn.Module):
    """Takes a grey image, maps of clicks and a mask; the object is bright and near a click.

    Its logit is 8 x - 6 d⁺ + 4 d⁻ - 7 + 6 m, with the maps d of clicks on it and off it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(4, 2, 1)
        self.classifier = nn.Conv2d(2, 2, 1, bias=False)
        with torch.no_grad():
            self.features.weight.copy_(
                torch.tensor([[-8.0, 6.0, -4.0, -6.0], [8.0, -6.0, 4.0, 6.0]]).view(2, 4, 1, 1)
            )
            self.features.bias.copy_(torch.tensor([7.0, -7.0]))
            self.classifier.weight.copy_(torch.eye(2).view(2, 2, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.relu(self.features(x)))


def click_network() -> FrozenNetwork:
    """A network that outlines bright things that are clicked."""
    maps = InteractionMaps(reach=12.0, side=64)
    return frozen(ClickedBlob(), ("background", "object"), interaction=maps, name="blobs")


def unet() -> UNet:
    """A U-Net of three levels, with statistics in its batch norms."""
    return with_statistics(UNet(1, 2, (4, 6, 8)))


def with_statistics(module: nn.Module) -> nn.Module:
    """Give batch norms something to remember that is not the identity."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm3d):
            part.running_mean.uniform_(-0.5, 0.0)
            part.running_var.uniform_(0.5, 1.5)
    return module
