"""One image as one frozen network sees it, before anybody said anything."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_guideme.guidance.features import Features
from napari_guideme.networks.frozen import FrozenNetwork, Head


class Scene:
    """What is computed once per image: input, first logits, features, head.

    Parameters
    ----------
    network
        The frozen network.
    image
        Spatial axes in array order and at most one channel axis.
    channel_axis, channels
        See :meth:`Preparation.prepare`.
    point
        Guide point; the network's own by default.
    """

    def __init__(
        self,
        network: FrozenNetwork,
        image: NDArray[Any],
        *,
        channel_axis: int | None = None,
        channels: Sequence[int] | None = None,
        point: str | None = None,
    ) -> None:
        self.network = network
        self.point = network.guide_point(point or network.default_point).name
        x, self.placement = network.preparation.prepare(
            image, channel_axis=channel_axis, channels=channels
        )
        self._x = x.to(network.device)

    def at(self, point: str) -> Scene:
        """The same image, guided at another point."""
        other = copy.copy(self)
        other.point = self.network.guide_point(point).name
        other.__dict__.pop("head", None)
        return other

    def clouded(self, strength: float) -> Scene:
        """The same image with clouds of noise, their deviation as a share of the input's."""
        other = copy.copy(self)
        for computed in ("head", "_observed"):
            other.__dict__.pop(computed, None)
        spatial = self._x.shape[2:]
        coarse = [max(2, round(8 * length / max(spatial))) for length in spatial]
        noise = torch.randn(*self._x.shape[:2], *coarse, generator=torch.Generator().manual_seed(0))
        mode = "bilinear" if len(spatial) == 2 else "trilinear"
        clouds = F.interpolate(noise.to(self._x.device), spatial, mode=mode, align_corners=False)
        other._x = self._x + strength * self._x.std() * clouds
        return other

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape of the image."""
        return self.placement.image_shape

    @property
    def logits(self) -> Tensor:
        """The network's own logits on the image's pixels, (K, *spatial)."""
        return self._observed[0]

    @property
    def features(self) -> Features:
        """The network's own features of the image."""
        return self._observed[1]

    @cached_property
    def head(self) -> Head:
        """What lies before the guide point."""
        return self.network.head(self._x, self.point)

    def guided(self, activation: Tensor) -> Tensor:
        """Logits (K, *spatial) on the image's pixels from a moved activation."""
        return self._restored(self.network.tail(self.head, activation))

    @cached_property
    def _observed(self) -> tuple[Tensor, Features]:
        preparation = self.network.preparation
        logits, activations = self.network.observe(self._x, self.network.feature_points)
        return self._restored(logits), Features(activations, preparation, self.placement)

    def _restored(self, logits: Tensor) -> Tensor:
        return self.network.preparation.restore(logits, self.placement)[0]


def at_pixels(maps: Tensor, positions: Tensor) -> Tensor:
    """Values (n, K) of maps (K, *spatial) at pixels (n, ndim)."""
    return maps[(slice(None), *positions.T)].T


def margins(logits: Tensor, classes: Tensor) -> Tensor:
    """How far each hinted class leads the best other one, (n,), of logits (n, K)."""
    own = logits.gather(1, classes[:, None])
    others = logits.scatter(1, classes[:, None], -torch.inf)
    return own[:, 0] - others.amax(1)
