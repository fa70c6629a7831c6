"""Channels of an image: which ones a network is fed, and how they become as many as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError, whole_number, whole_numbers

#: ITU-R BT.601 luma, for colour images shown to a grey network.
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def checked_axis(channel_axis: int | None, shape: Sequence[int]) -> int | None:
    """Return the channel axis of an image of a shape, counted from its first one.

    Raises
    ------
    InputError
        If it is none of its axes.
    """
    if channel_axis is None:
        return None
    axis, count = whole_number("channel_axis", channel_axis), len(shape)
    if not -count <= axis < count:
        raise InputError(
            f"there is no channel axis {axis}; the image of shape {tuple(shape)} "
            f"has axes 0 to {count - 1}"
        )
    return axis % count


def channels_first(
    image: NDArray[Any], ndim: int, channel_axis: int | None, channels: Sequence[int] | None
) -> NDArray[Any]:
    """Return an image as (C, *spatial), with the channels that are fed.

    Parameters
    ----------
    image
        Spatial axes in array order and at most one channel axis.
    ndim
        Spatial axes that the network takes.
    channel_axis
        The axis that holds channels, ``None`` for a grey image.
    channels
        Which channels to feed, in this order; all by default.

    Raises
    ------
    InputError
        If the axes are others, or a channel does not exist.
    """
    channel_axis = checked_axis(channel_axis, image.shape)
    spatial = image.ndim - (channel_axis is not None)
    if spatial != ndim:
        raise InputError(
            f"the network takes {ndim} spatial axes; the image of shape "
            f"{image.shape} has {spatial}"
            + (" (name its channel axis?)" if spatial == ndim + 1 else "")
        )
    pixels = image[None] if channel_axis is None else np.moveaxis(image, channel_axis, 0)
    if channels is None:
        return pixels
    chosen = whole_numbers("channels", channels)
    if bad := [c for c in chosen if not 0 <= c < len(pixels)]:
        raise InputError(
            f"channel {bad[0]} does not exist; the image has channels 0 to {len(pixels) - 1}"
        )
    return pixels[chosen]


def matched(pixels: NDArray[Any], wanted: int, *, bgr: bool) -> NDArray[Any]:
    """Bring the channels of an image (C, *spatial) to those that a network wants.

    Parameters
    ----------
    pixels
        Floats: grey, colour, colour with transparency, or as many channels as are wanted.
    wanted
        How many channels.
    bgr
        Whether three channels are wanted in the order blue, green, red.

    Raises
    ------
    InputError
        If it is not clear how.
    """
    count = len(pixels)
    if count == wanted:
        found = pixels
    elif count == 4 and wanted in (1, 3):
        return matched(pixels[:3], wanted, bgr=bgr)
    elif count == 1 and wanted == 3:
        found = np.repeat(pixels, 3, axis=0)
    elif count == 3 and wanted == 1:
        found = np.tensordot(_LUMA, pixels, axes=1)[None].astype(pixels.dtype)
    else:
        raise InputError(
            f"the network takes {wanted} channel(s), the image has {count}; "
            f"{_advice(count, wanted)}"
        )
    return found[::-1] if bgr and wanted == 3 else found


def _advice(count: int, wanted: int) -> str:
    """What can be done with so many channels for a network that wants another number."""
    if count < wanted and wanted != 3:
        return "an image needs as many"
    # One channel is grey, which networks for colours take, too.
    fitting = wanted if count >= wanted else 1
    return "choose which ones to feed, for example channels " + ",".join(map(str, range(fitting)))
