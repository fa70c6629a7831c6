"""How an image becomes what a network was trained on, and how its output finds back.

A :class:`Preparation` is data: it is stored next to the weights and says which
channels, value range and size a network expects. Nothing here is guessed from
the pixels of one image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.networks.channels import channels_first, matched

if TYPE_CHECKING:
    from torch import Tensor

ValueRange = Literal["percentile", "limits", "dtype", "none", "standardised"]

#: Pixels that values are measured on, at most.
_MEASURED = 1_000_000

#: What computing in float64 may change, as a share of a value.
_ROUNDED = 16 * float(np.finfo(np.float64).eps)

#: What is tried out has sides of twice the multiple.
_LARGEST_MULTIPLE = 1024


@dataclass(frozen=True)
class Placement:
    """Where the image lies inside the network's input: what `restore` undoes."""

    image_shape: tuple[int, ...]
    resized_shape: tuple[int, ...]
    padded_shape: tuple[int, ...]

    def to_network(self, position: Sequence[float]) -> tuple[float, ...]:
        """Map a pixel position of the image to the network's input.

        Pixel centres are at whole numbers on both sides.
        """
        return tuple(
            (p + 0.5) * resized / image - 0.5
            for p, resized, image in zip(
                position, self.resized_shape, self.image_shape, strict=True
            )
        )


@dataclass(frozen=True)
class Preparation:
    """What a network expects of its input.

    Parameters
    ----------
    ndim
        Number of spatial axes, 2 or 3.
    channels
        Channels of the input: 1 (grey), 3 (colour) or any other number, which
        the image then has to have.
    bgr
        Whether the colour channels are in the order blue, green, red.
    value_range
        ``"percentile"``: the two `percentiles` of the whole image go to 0 and 1
        and values beyond are clipped, unless `clip` says no; ``"limits"``: the same with
        two values that are told, such as a window of Hounsfield units;
        ``"standardised"``: the whole image gets mean 0 and standard deviation 1;
        ``"dtype"``: integers are divided by the largest value of their type, floats are
        taken as they are; ``"none"``: values are taken as they are.
    percentiles
        Lower and upper percentile, for ``"percentile"``.
    limits
        Lower and upper value, for ``"limits"``.
    clip
        Whether values beyond percentiles or limits become 0 and 1.
    per_channel
        Whether percentiles, or mean and deviation, are those of each channel.
    scale, mean, std
        Applied afterwards, ``(scale * x - mean) / std``; `mean` and `std` hold
        one value, or one per channel.
    size
        Fixed spatial size to which the image is resized, or ``None``.
    multiple, offset
        The input is padded (mirrored) until each side is ``multiple * k + offset``.
    margin
        By how many pixels the output is smaller than the input along each axis, as
        convolutions without padding make it; empty for none. The network is fed so many
        more, mirrored, half of them on each side. `size`, `multiple` and `offset` count them.
    """

    ndim: int = 2
    channels: int = 3
    bgr: bool = False
    value_range: ValueRange = "percentile"
    percentiles: tuple[float, float] = (1.0, 99.8)
    limits: tuple[float, float] = (0.0, 1.0)
    # Not shown, so that fingerprints of networks stay what they were.
    clip: bool = field(default=True, repr=False)
    per_channel: bool = False
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    size: tuple[int, ...] | None = None
    multiple: int = 1
    offset: int = 0
    margin: tuple[int, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.value_range not in get_args(ValueRange):
            raise InputError(
                f"value_range {self.value_range!r} is unknown; "
                f"choose one of {', '.join(get_args(ValueRange))}"
            )
        if self.ndim not in (2, 3):
            raise InputError(f"ndim is {self.ndim}; networks have 2 or 3 spatial axes")
        for name, wanted, fits in self._limits():
            if not fits:
                raise InputError(f"{name} = {getattr(self, name)!r} is not {wanted}")

    def _limits(self) -> Iterator[tuple[str, str, bool]]:
        """Entries, what they have to be, and whether they are."""
        yield "channels", "a positive whole number", _is_count(self.channels, 1)
        wanted = f"a positive whole number, {_LARGEST_MULTIPLE} at most"
        fits = _is_count(self.multiple, 1) and self.multiple <= _LARGEST_MULTIPLE
        yield "multiple", wanted, fits
        yield "offset", "a whole number", _is_count(self.offset, 0)
        for name in ("bgr", "clip", "per_channel"):
            yield name, "true or false", isinstance(getattr(self, name), bool)
        rising = _are_numbers(self.percentiles, 2) and self._in_percent(*self.percentiles)
        yield "percentiles", "two rising numbers from 0 to 100", rising
        rising = _are_numbers(self.limits, 2) and self.limits[0] < self.limits[1]
        yield "limits", "two rising numbers", rising
        yield "scale", "a number", _are_numbers((self.scale,), 1)
        for name in ("mean", "std"):
            fits = _are_numbers(getattr(self, name), 1, self.channels)
            yield name, "a list of one number, or of one for each channel", fits
        yield "std", "a list without zeros", all(self.std)
        if self.size is not None:
            wanted = f"a list of {self.ndim} positive whole numbers"
            yield "size", wanted, _are_counts(self.size, self.ndim, 1)
        if self.margin != ():
            wanted = f"a list of {self.ndim} whole numbers"
            yield "margin", wanted, _are_counts(self.margin, self.ndim, 0)
        if self.size and self.margin:
            fits = all(n > lost for n, lost in zip(self.size, self.margin, strict=True))
            yield "margin", "smaller than the size", fits

    @staticmethod
    def _in_percent(low: float, high: float) -> bool:
        return 0 <= low < high <= 100

    @property
    def example_sizes(self) -> tuple[tuple[int, ...], ...]:
        """Small spatial sizes that the network accepts: one, or two if they may differ."""
        if self.size:
            return (self.padded_shape(self._inner_size),)
        least = max(64 if self.ndim == 2 else 32, 2 * self.multiple)
        shape = self.padded_shape((least,) * self.ndim)
        longer = (n + (2 * axis + 1) * self.multiple for axis, n in enumerate(shape))
        return shape, tuple(longer)

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Preparation:
        """Read the table stored with the weights; unknown keys are refused."""
        known = {entry.name for entry in fields(cls)}
        if unknown := set(entries) - known:
            raise InputError(
                f"unknown preparation {', '.join(sorted(unknown))}; "
                f"known are {', '.join(sorted(known))}"
            )
        read: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in entries.items()
        }
        return cls(**read)

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from the defaults, and always the axes, channels and value range."""
        told = ("ndim", "channels", "value_range")
        entries = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {k: v for k, v in entries.items() if k in told or v != getattr(type(self), k)}

    def measured(
        self,
        image: NDArray[Any],
        channel_axis: int | None = None,
        channels: Sequence[int] | None = None,
    ) -> Preparation:
        """Return this preparation for parts of one image: their values count as in the whole.

        Percentiles, mean and deviation are measured on pixels that are spread evenly, of the
        channels that the network is fed. Those of each channel stay with the part.

        Parameters
        ----------
        image, channel_axis, channels
            See :meth:`prepare`.

        Raises
        ------
        InputError
            As :meth:`prepare` does.
        """
        if self.value_range == "dtype" and np.issubdtype(image.dtype, np.integer):
            largest = np.iinfo(image.dtype).max
            return replace(self, value_range="none", scale=self.scale / largest)
        if self.value_range not in ("percentile", "standardised") or self.per_channel:
            return self
        shape = list(image.shape)
        if channel_axis is not None:
            shape[channel_axis] = 1
        step = math.ceil((math.prod(shape) / _MEASURED) ** (1 / self.ndim))
        every = tuple(slice(None, None, step if n > 1 else None) for n in shape)
        sample = checked_pixels(np.asarray(image[every]))
        chosen = channels_first(sample, self.ndim, channel_axis, channels)
        pixels = matched(exact_floats(chosen), self.channels, bgr=self.bgr)
        if self.value_range == "standardised":
            scale = self.scale / (float(pixels.std(dtype=np.float64)) + 1e-6)
            mean = tuple(m + scale * float(pixels.mean(dtype=np.float64)) for m in self.mean)
            return replace(self, value_range="none", scale=scale, mean=mean)
        low, high = np.percentile(pixels, self.percentiles)
        # An image of one value has no range; any will do.
        high = high if high > low else low + max(abs(low), 1.0)
        return replace(self, value_range="limits", limits=(float(low), float(high)))

    def prepare(
        self,
        image: NDArray[Any],
        *,
        channel_axis: int | None = None,
        channels: Sequence[int] | None = None,
    ) -> tuple[Tensor, Placement]:
        """Turn an image into the network's input.

        Parameters
        ----------
        image
            Spatial axes in array order and at most one channel axis.
        channel_axis
            The axis that holds channels, ``None`` for a grey image.
        channels
            Which channels of the image to feed, in this order; all by default.

        Returns
        -------
        tensor
            Shape (1, C, *spatial), float32.
        placement
            What :meth:`restore` needs to undo resizing and padding.

        Raises
        ------
        InputError
            If the image is empty, not finite, or has channels or axes that the
            network cannot take.
        """
        import torch
        from torch.nn import functional as F

        image = checked_pixels(np.asarray(image))
        chosen = channels_first(image, self.ndim, channel_axis, channels)
        pixels = matched(self._dtype_scaled(chosen), self.channels, bgr=self.bgr)
        x = torch.from_numpy(np.ascontiguousarray(self._scaled(pixels)))[None]
        shape = tuple(x.shape[2:])
        if self.size is not None and shape != self._inner_size:
            mode = "bilinear" if self.ndim == 2 else "trilinear"
            x = F.interpolate(x, self._inner_size, mode=mode, align_corners=False)
        resized = tuple(x.shape[2:])
        padded = self.padded_shape(resized)
        widths = [
            (0, 0),
            (0, 0),
            *((0, after - n) for n, after in zip(resized, padded, strict=True)),
        ]
        if padded != resized:
            x = torch.from_numpy(np.pad(x.numpy(), widths, mode="symmetric"))
        return x, Placement(shape, resized, padded)

    def padded_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Next larger shape whose sides the network takes; with a margin, multiples."""
        rest = self.rest
        return tuple(-(-(n - rest) // self.multiple) * self.multiple + rest for n in shape)

    @property
    def rest(self) -> int:
        """By how much sides are longer than multiples before a margin is added."""
        return 0 if self.margin else self.offset

    @property
    def surplus(self) -> tuple[int, ...]:
        """How much longer than :meth:`padded_shape` sides have to be besides the margin."""
        return tuple((self.offset - lost) % self.multiple for lost in self.margin)

    def restore(self, output: Tensor, placement: Placement) -> Tensor:
        """Bring a network's output (N, K, *spatial) back to the image's pixels.

        An output coarser than the input is interpolated linearly.
        """
        from torch.nn import functional as F

        mode = "bilinear" if self.ndim == 2 else "trilinear"
        if tuple(output.shape[2:]) != placement.padded_shape:
            output = F.interpolate(output, placement.padded_shape, mode=mode, align_corners=False)
        for axis, length in enumerate(placement.resized_shape, start=2):
            output = output.narrow(axis, 0, length)
        if placement.resized_shape != placement.image_shape:
            output = F.interpolate(output, placement.image_shape, mode=mode, align_corners=False)
        return output

    def _dtype_scaled(self, pixels: NDArray[Any]) -> NDArray[Any]:
        values = exact_floats(pixels)
        if self.value_range == "dtype" and np.issubdtype(pixels.dtype, np.integer):
            values /= values.dtype.type(np.iinfo(pixels.dtype).max)
        return values

    def _scaled(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        exact = pixels.dtype.type
        axes = tuple(range(1 if self.per_channel else 0, pixels.ndim))
        if self.value_range == "percentile":
            low, high = np.percentile(pixels, self.percentiles, axis=axes, keepdims=True)
            # What is not clipped stays finite, also where nearly all pixels are alike.
            least = _rounded_away(low, high) if self.clip else 1e-6
            with np.errstate(over="ignore"):
                pixels = (pixels - low) / np.maximum(high - low, least)
        if self.value_range == "limits":
            low, high = self.limits
            pixels = (pixels - low) / (high - low)
        if self.clip and self.value_range in ("percentile", "limits"):
            pixels = np.clip(pixels, 0, 1)
        if self.value_range == "standardised":
            centred = pixels - pixels.mean(axis=axes, keepdims=True)
            pixels = centred / (pixels.std(axis=axes, keepdims=True) + 1e-6)
        column = (-1, *(1,) * self.ndim)
        mean = np.reshape(np.asarray(self.mean, exact), column)
        std = np.reshape(np.asarray(self.std, exact), column)
        scaled: NDArray[np.float32] = ((exact(self.scale) * pixels - mean) / std).astype(np.float32)
        return scaled

    @property
    def _inner_size(self) -> tuple[int, ...]:
        """The fixed size without the margin."""
        lost = self.margin or (0,) * self.ndim
        return tuple(n - m for n, m in zip(self.size or (), lost, strict=True))


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _are_counts(values: Any, length: int, least: int) -> bool:
    fits = isinstance(values, tuple) and len(values) == length
    return fits and all(_is_count(value, least) for value in values)


def _are_numbers(values: Any, *lengths: int) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) in lengths
        and all(isinstance(v, int | float) and np.isfinite(v) for v in values)
    )


def _rounded_away(low: NDArray[Any], high: NDArray[Any]) -> NDArray[Any]:
    """Return how far values may lie apart that were the same before they were computed with."""
    largest = np.maximum(np.abs(low), np.abs(high))
    least: NDArray[Any] = np.maximum(_ROUNDED * largest, np.finfo(low.dtype).tiny)
    return least


def exact_floats(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return pixels as float32 where it holds their values, else as float64.

    What is subtracted from large values has to be before they are rounded.
    """
    values = pixels.astype(np.float32)
    if pixels.dtype.itemsize <= 2 or pixels.dtype == np.float32 or np.array_equal(values, pixels):
        return values
    return pixels.astype(np.float64)


def checked_pixels(image: NDArray[Any]) -> NDArray[Any]:
    """Return an image that a network can be fed.

    Raises
    ------
    InputError
        If it is empty, or its pixels are no finite real numbers.
    """
    if image.size == 0:
        raise InputError(f"the image is empty (shape {image.shape})")
    if not (np.issubdtype(image.dtype, np.number) or image.dtype == bool) or np.iscomplexobj(image):
        raise InputError(f"pixels of type {image.dtype} are not supported; use integers or floats")
    with np.errstate(over="ignore"):
        if image.dtype.kind == "f" and not np.isfinite(image.astype(np.float32)).all():
            raise InputError(
                "the image has pixels that are NaN, infinite or beyond float32; "
                "replace them by other numbers"
            )
    return image
