"""What a click network sees of an image: a window around object and clicks."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_guideme.errors import InputError
from napari_guideme.grabcut import along_outline, eight_bit
from napari_guideme.guidance.hinted import HintTensors
from napari_guideme.guidance.methods import Method
from napari_guideme.guidance.refining import Step, refine_by
from napari_guideme.guidance.scene import Scene
from napari_guideme.guidance.zoom import LARGEST, Window, around, still_fits, whole
from napari_guideme.hints import HintPixels
from napari_guideme.networks.channels import checked_axis
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.outlines import BACKGROUND, OBJECT, Kept, Patch
from napari_guideme.refusing import on_object, smaller, within
from napari_guideme.spacing import checked

#: How often a click is looked at more closely at most.
_LOOKS = 3

#: A closer look pays if the window shrinks to this share of its side at least.
_CLOSER = 0.67

#: Cells of the grid, or pixels of the image where these are larger, around a hint that keep their
#: label when an outline is moved, and by how many logits what is moved leads.
_AROUND_HINTS, _TURNED = 2.0, 0.5

#: Of the last window, where nothing was found in it that could be zoomed in on.
_INTO_NOTHING = 3


class Lens:
    """Looks at objects of an image with a click network, more and more closely.

    Parameters
    ----------
    image
        Spatial axes in array order and at most one channel axis.
    network
        One that was trained to take clicks.
    channel_axis, channels
        See :meth:`Preparation.prepare`.
    spacing
        Size of a pixel along each spatial axis; distances to clicks are measured in it.

    Attributes
    ----------
    shape, spacing
        Of the image along its spatial axes.

    Raises
    ------
    InputError
        If the image or the spacing cannot be used.
    """

    def __init__(
        self,
        image: NDArray[Any],
        network: FrozenNetwork,
        *,
        channel_axis: int | None,
        channels: Sequence[int] | None,
        spacing: Sequence[float] | None,
    ) -> None:
        self._network = network
        image = image if hasattr(image, "ndim") else np.asarray(image)
        self._image, self._channel_axis, self._channels = image, channel_axis, channels
        self._axes = _spatial_axes(image, channel_axis, network.preparation.ndim)
        self.shape = tuple(image.shape[axis] for axis in self._axes)
        self.spacing = checked(spacing, len(self.shape))
        self._preparation = network.preparation.measured(image, channel_axis, channels)
        self._scene: tuple[Window, Scene] | None = None
        self._scene_of(self._whole)

    def outlined(
        self, pixels: HintPixels, method: Method, start: Kept | None, found: Patch | None
    ) -> Generator[Step, None, Patch | None]:
        """Look at an object and its hints until a closer look would show no more.

        Parameters
        ----------
        pixels
            Of the hints.
        method
            How they are followed.
        start
            The mask that they improve, if there is one.
        found
            What was found before, if anything was.

        Returns
        -------
        What is found now; its outline follows the image's colours where they change close by,
        unless the method leaves what the network says as it is.
        """
        before = found if start is None else None
        found = yield from self._closing_in(
            self._first(pixels, start, found), pixels, method, start, found
        )
        where = smaller(before, found, pixels) if before and found else None
        if found is not None and where is not None:
            closer = self._around(where)
            if max(closer.shape) <= _CLOSER * max(found.window.shape):
                found = yield from self._closing_in(closer, pixels, method, None, None)
        if found is None or method.completes is None:
            return found
        return self._along_edges(found, within(pixels, found.window))

    def _closing_in(
        self,
        window: Window,
        pixels: HintPixels,
        method: Method,
        start: Kept | None,
        found: Patch | None,
    ) -> Generator[Step, None, Patch | None]:
        """Look through a window, and through smaller ones as long as what is found is small."""
        for _ in range(_LOOKS):
            seen = within(pixels, window)
            for step in self._look(window, seen, method, self._seen(window, start, found)):
                if step.logits is not None:
                    found = Patch(window, step.logits[OBJECT] - step.logits[BACKGROUND])
                yield replace(step, logits=None)
            closer = self._window(seen.positions, start, found)
            if max(closer.shape) > _CLOSER * max(window.shape):
                break
            window = closer
        return found

    def _first(self, pixels: HintPixels, start: Kept | None, found: Patch | None) -> Window:
        """Choose where to look first: hints beside the object count where one looked before."""
        counting = pixels.positions
        if found is not None:
            inside = within(pixels, found.window)
            counting = np.concatenate([on_object(pixels).positions, inside.positions])
        return self._window(counting, start, found)

    def _look(
        self, window: Window, pixels: HintPixels, method: Method, previous: Tensor | None
    ) -> Iterator[Step]:
        """Let the network see a window with hints and what was found, and refine that."""
        classes = torch.from_numpy(pixels.classes)
        places = window.places(torch.from_numpy(pixels.positions))
        spacing = window.spacing(self.spacing)
        scene = self._scene_of(window).clicked(places, classes, previous, spacing)
        hints = HintTensors.sampled(pixels, torch.device("cpu"))
        hints = replace(hints, positions=window.places(hints.positions)).to(self._network.device)
        yield from refine_by(scene, hints, method)

    def _along_edges(self, found: Patch, pixels: HintPixels) -> Patch:
        """Move an outline to where the colours change beside it; around hints it stays."""
        rows, columns, *deeper = found.logits.shape
        if deeper:
            return found
        seen = found.window.seen(self._image, self._axes)
        colours = eight_bit(seen, self._channel_axis, (rows, columns), self._channels)
        mask = (found.logits > 0).cpu().numpy()
        places = found.window.places(torch.from_numpy(pixels.positions)).round().long()
        apart = np.ones((rows, columns), dtype=bool)
        apart[tuple(places.T.numpy())] = False
        cells = max(1.0, *np.divide(found.window.grid, found.window.shape))
        held = ndimage.distance_transform_edt(apart) <= _AROUND_HINTS * cells
        turned = torch.from_numpy(along_outline(colours, mask, held, cells) != mask).to(
            found.logits.device
        )
        logits = found.logits
        return replace(found, logits=torch.where(turned, -logits.sign() * _TURNED, logits))

    def _seen(self, window: Window, start: Kept | None, found: Patch | None) -> Tensor | None:
        """Probability of the object so far on the grid of a window."""
        if found is not None:
            return found.seen(window)
        if start is None:
            return None
        return torch.from_numpy(window.seen(start.drawn(self.shape), range(len(self.shape))))

    def _window(self, hinted: NDArray[np.intp], start: Kept | None, found: Patch | None) -> Window:
        """Choose where to look: at object and hints, or everywhere if there is no object."""
        if found is not None:
            grown = found.corners()
        elif start is not None:
            grown = np.stack([start.corner, np.add(start.corner, start.mask.shape) - 1])
        else:
            return self._whole
        if not len(grown):
            return self._nearer(found, hinted)
        wanted = np.concatenate([grown, hinted])
        fresh = self._around(wanted)
        if found is not None and still_fits(found.window, wanted, fresh):
            return found.window
        return fresh

    def _nearer(self, found: Patch | None, hinted: NDArray[np.intp]) -> Window:
        """Look closer at the hints where no object was found."""
        least = max((found.window if found else self._whole).shape) // _INTO_NOTHING
        return self._around(hinted, least)

    def _around(self, positions: NDArray[np.intp], least: int = 0) -> Window:
        side, multiple = self._grid
        least = max(least, side // LARGEST)
        return around(positions, self.shape, self.spacing, side, multiple, least)

    @property
    def _whole(self) -> Window:
        return whole(self.shape, self.spacing, *self._grid)

    @property
    def _grid(self) -> tuple[int, int]:
        """Longest side of what the network sees, and what sides are multiples of."""
        interaction = self._network.interaction
        assert interaction is not None
        return interaction.side, self._network.preparation.multiple

    def _scene_of(self, window: Window) -> Scene:
        """What the network sees of a window; that of the last one is kept."""
        if self._scene is None or self._scene[0] != window:
            scene = Scene(
                self._network,
                window.seen(self._image, self._axes),
                channel_axis=self._channel_axis,
                channels=self._channels,
                preparation=self._preparation,
            )
            self._scene = window, scene
        return self._scene[1]


def _spatial_axes(image: NDArray[Any], channel_axis: int | None, ndim: int) -> tuple[int, ...]:
    channels = checked_axis(channel_axis, image.shape)
    axes = tuple(axis for axis in range(image.ndim) if axis != channels)
    if len(axes) != ndim or 0 in image.shape:
        raise InputError(
            f"the network takes {ndim} spatial axes with pixels; the image has shape {image.shape}"
            + (f" with channels along axis {channels}" if channels is not None else "")
        )
    return axes
