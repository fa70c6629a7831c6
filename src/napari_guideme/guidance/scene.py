"""One image as one frozen network sees it, before anybody said anything."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_guideme.errors import InputError
from napari_guideme.guidance.features import Features
from napari_guideme.guidance.maps import clicked_maps, saliency_maps
from napari_guideme.guidance.plane import Plane
from napari_guideme.guidance.zoom import Window
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.modes import own_modes
from napari_guideme.networks.parts import Head
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.tiles import LARGEST, observe_tiled
from napari_guideme.spacing import relative


@dataclass(frozen=True)
class _Observed:
    logits: Tensor
    features: Features
    head: Head | None


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
    preparation
        Another preparation than the network's own.
    at_once
        Pixels that go through the network at once; a larger image does so in tiles.
    spacing
        Size of a pixel along each spatial axis, in any unit; all are equal by default.
    """

    @own_modes()
    def __init__(
        self,
        network: FrozenNetwork,
        image: NDArray[Any],
        *,
        channel_axis: int | None = None,
        channels: Sequence[int] | None = None,
        point: str | None = None,
        preparation: Preparation | None = None,
        at_once: int = LARGEST,
        spacing: Sequence[float] | None = None,
    ) -> None:
        self._image = image if hasattr(image, "ndim") else np.asarray(image)
        self._channel_axis, self._channels = channel_axis, channels
        self.network, self._at_once = network, at_once
        self.point = network.guide_point(point or network.default_point).name
        x, self.placement = (preparation or network.preparation).prepare(
            image, channel_axis=channel_axis, channels=channels
        )
        self._x = x.to(network.device)
        self.spacing = relative(spacing, len(self.placement.image_shape))
        self._field: Tensor | None = None
        self._plane: Plane | None = None
        self._attended: Tensor | None = None
        interaction = network.interaction
        if interaction and interaction.are_drawn:
            self._x = self._joined(clicked_maps(interaction, self.placement, [[], []]))
        elif interaction:
            self._x = self._joined(saliency_maps(self.placement))

    def at(self, point: str) -> Scene:
        """The same image, guided at another point."""
        if point == self.point:
            return self
        other = copy.copy(self)
        other.point = point
        other._drop("head", "_untiled")
        return other

    def spaced(self, spacing: Sequence[float]) -> Scene:
        """The same image with another size of a pixel along each axis."""
        other = copy.copy(self)
        other.spacing = relative(spacing, len(self.shape))
        return other

    def shifted(self, field: Tensor) -> Scene:
        """The same image with a field (K, *spatial) added to all logits."""
        other = copy.copy(self)
        other._field = field if self._field is None else self._field + field
        return other

    def clicked(
        self,
        positions: Tensor,
        classes: Tensor,
        previous: Tensor | None = None,
        spacing: Sequence[float] | None = None,
    ) -> Scene:
        """The same image with interaction maps, for a network that takes them.

        Parameters
        ----------
        positions, classes
            Hinted pixels (n, ndim) and whether each is on the object, 1, or not, 0.
        previous
            Probability of the object so far, (*spatial).
        spacing
            Size of a pixel along each axis, in pixels of a typical size.
        """
        interaction = self.network.interaction
        if interaction is None:
            raise InputError(f"{self.network.name} was not trained to take clicks")
        sides = [
            [p for p, c in zip(positions.tolist(), classes.tolist(), strict=True) if c == side]
            for side in (1, 0)
        ]
        maps = clicked_maps(interaction, self.placement, sides, previous, spacing)
        return self._with_input(self._joined(maps))

    def attending(self, maps: Tensor) -> Scene:
        """The same image with maps of saliency, for a network that takes them.

        Parameters
        ----------
        maps
            What to find and what else is there, (2, *spatial) from 0 to 1.
        """
        interaction = self.network.interaction
        if interaction is None or interaction.are_drawn:
            raise InputError(f"{self.network.name} was not trained to take maps of saliency")
        if maps.shape != (2, *self.shape):
            raise InputError(
                f"the maps have shape {tuple(maps.shape)}; expected is {(2, *self.shape)}"
            )
        other = self._with_input(self._joined(saliency_maps(self.placement, maps)))
        other._attended = maps
        return other

    def _joined(self, maps: Tensor) -> Tensor:
        """Input with other maps (count, *spatial) behind the channels of the image."""
        image = self._x[:, : self.network.preparation.channels]
        return torch.cat([image, maps[None].to(image)], dim=1)

    def _with_input(self, x: Tensor) -> Scene:
        """The same image with another input; nothing is known of that yet."""
        other = copy.copy(self)
        other.forget()
        other._x = x
        return other

    def zoomed(self, window: Window) -> Scene:
        """What the network sees of a window; values are scaled as in the whole image."""
        zoomed = self.shown_to(self.network, window, self.point)
        if self._attended is not None:
            near = self._attended[(slice(None), *window.slices)]
            zoomed = zoomed.attending(F.interpolate(near[None], window.grid)[0])
        if self._field is None:
            return zoomed
        field = self._field[(slice(None), *window.slices)]
        return zoomed.shifted(F.interpolate(field[None], window.grid)[0])

    def shown_to(self, network: FrozenNetwork, window: Window, point: str | None = None) -> Scene:
        """What a network, such as another one, sees of a window; values are scaled as in all."""
        spatial = [
            axis
            for axis in range(self._image.ndim)
            if self._channel_axis is None or axis != self._channel_axis % self._image.ndim
        ]
        return Scene(
            network,
            window.seen(self._image, spatial),
            channel_axis=self._channel_axis,
            channels=self._channels,
            point=point,
            preparation=network.preparation.measured(
                self._image, self._channel_axis, self._channels
            ),
            spacing=window.spacing(self.spacing),
        )

    def clouded(self, strength: float) -> Scene:
        """The same image with clouds of noise, their deviation as a share of the input's."""
        spatial = self._x.shape[2:]
        coarse = [max(2, round(8 * length / max(spatial))) for length in spatial]
        noise = torch.randn(
            (*self._x.shape[:2], *coarse),
            dtype=torch.float32,
            generator=torch.Generator().manual_seed(0),
        )
        mode = "bilinear" if len(spatial) == 2 else "trilinear"
        clouds = F.interpolate(noise.to(self._x.device), spatial, mode=mode, align_corners=False)
        return self._with_input(self._x + strength * self._x.std() * clouds)

    def plane(self, axis: int, index: int) -> Scene:
        """One slice of a volume: its logits and features are those of the plane alone."""
        other = copy.copy(self)
        other._plane = Plane.at(axis, index, self.placement)
        across = (*self.spacing[:axis], *self.spacing[axis + 1 :])
        other.spacing = relative(across, len(across))
        other._drop("_untiled")
        if "_observed" in self.__dict__:
            other.__dict__["_observed"] = other._sliced(self._observed)
        return other

    def forget(self) -> None:
        """Give back the memory of what was computed; it is computed anew when it is asked for."""
        self._drop("head", "_observed", "_untiled")

    def _drop(self, *computed: str) -> None:
        for name in computed:
            self.__dict__.pop(name, None)

    @property
    def shows_more_in_windows(self) -> bool:
        """Whether the network finds more in a window than in the whole image.

        It does where it sees images of one size: a window is shrunk less. What was told by maps
        or by words what to find was told it of the whole image, and volumes would need too long.
        """
        told = self._field is not None or self.network.interaction is not None
        is_flat = len(self.shape) == 2 and self._plane is None
        return self.network.preparation.size is not None and is_flat and not told

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape of the image, or of the slice."""
        return (self._plane or self).placement.image_shape

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Spatial shape of the network's input."""
        return self.placement.padded_shape

    @property
    def logits(self) -> Tensor:
        """The network's own logits on the image's pixels, (K, *spatial), and the field."""
        return self._with_field(self._observed.logits)

    @property
    def own_logits(self) -> Tensor:
        """The network's own logits on the image's pixels, without any field."""
        return self._observed.logits

    @property
    def features(self) -> Features:
        """The network's own features of the image."""
        return self._observed.features

    @cached_property
    @own_modes()
    def head(self) -> Head:
        """What lies before the guide point."""
        if "_observed" not in self.__dict__ and not self._is_tiled:
            # One pass for both; without hints nobody asks for the head.
            self.__dict__["_observed"] = self._observe(cut=self.point)
        head = None if self._is_tiled else self._observed.head
        if head is None or head.point != self.point:
            head = self.network.head(self._x, self.point)
        return head

    def guided(self, activation: Tensor) -> Tensor:
        """Logits (K, *spatial) on the image's pixels from a moved activation.

        Of an image in tiles they are those of the tiles and what moving them changed: a network
        that normalises by what it sees says something else of the whole.
        """
        logits = self._restored(self.network.tail(self.head, activation))
        if self._is_tiled:
            logits = self._observed.logits + (logits - self._untiled)
        return self._with_field(logits)

    @property
    def _is_tiled(self) -> bool:
        """Whether the image is too large to go through the network at once."""
        return self._x[0, 0].numel() > self._at_once

    @cached_property
    def _untiled(self) -> Tensor:
        """What the network says of an image in tiles if it sees it whole, as guiding does."""
        with torch.no_grad():
            return self._restored(self.network.tail(self.head))

    def _with_field(self, logits: Tensor) -> Tensor:
        return logits if self._field is None else logits + self._field

    @cached_property
    def _observed(self) -> _Observed:
        return self._observe()

    @own_modes()
    def _observe(self, cut: str | None = None) -> _Observed:
        network = self.network
        if self._is_tiled:
            points, head = network.feature_points, None
            logits, activations = observe_tiled(network, self._x, points, self._at_once)
        else:
            logits, activations, head = network.observe_cut(self._x, network.feature_points, cut)
        features = Features(activations, network.preparation, self.placement)
        whole = network.preparation.restore(logits, self.placement)[0]
        return self._sliced(_Observed(whole, features, head))

    def _sliced(self, observed: _Observed) -> _Observed:
        """What was observed of the whole, cut at the slice if this is one."""
        plane = self._plane
        if plane is None:
            return observed
        return _Observed(
            plane.of_image(observed.logits), observed.features.plane(plane), observed.head
        )

    def _restored(self, logits: Tensor) -> Tensor:
        whole = self.network.preparation.restore(logits, self.placement)[0]
        return whole if self._plane is None else self._plane.of_image(whole)


def winning(logits: Tensor) -> Tensor:
    """Index (*spatial) of the likeliest class, of logits (K, *spatial); of equal ones the first.

    On a CPU ``argmax`` over the first axis takes several times as long.
    """
    return logits.max(0).indices


def at_pixels(maps: Tensor, positions: Tensor) -> Tensor:
    """Values (n, K) of maps (K, *spatial) at pixels (n, ndim); between pixels, linearly."""
    if not positions.is_floating_point():
        return maps[(slice(None), *positions.T)].T
    size = positions.new_tensor(maps.shape[1:])
    # grid_sample wants (x, y[, z]) with -1 and 1 at the outer edges of the image.
    grid = ((positions + 0.5) / size * 2 - 1).flip(1)
    grid = grid.view(1, *(1,) * (grid.shape[1] - 1), *grid.shape)
    sampled = F.grid_sample(maps[None], grid, align_corners=False, padding_mode="border")
    return sampled.flatten(2)[0].T


def margins(logits: Tensor, classes: Tensor) -> Tensor:
    """How far each hinted class leads the best other one, (n,), of logits (n, K)."""
    own = logits.gather(1, classes[:, None])
    others = logits.scatter(1, classes[:, None], -torch.inf)
    return own[:, 0] - others.amax(1)
