"""Anchors as tensors of a file, and back; what was tampered with is refused before it acts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.regions import Region
from napari_guideme.guidance.support import Support
from napari_guideme.guidance.tracking import Thing

_BESIDE = ("origins", "usual", "changed")
_SUPPORT = ("positions", "classes", "reaches", "weights")

#: What goes wrong while something is read that is broken, or was tampered with.
BROKEN = (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError)


def apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors, as those of one file must not share memory."""
    return {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}


def under(tensors: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    """Those whose name begins like this, by what follows."""
    found = {name: value for name, value in tensors.items() if name.startswith(start)}
    return {name.removeprefix(start): value for name, value in found.items()}


def tensors_of(anchors: Anchors) -> dict[str, Tensor]:
    """All that :func:`anchors_of` makes anchors of, by name."""
    tensors = {name: getattr(anchors.support, name) for name in (*_SUPPORT, "further")}
    tensors.update({name: getattr(anchors, name) for name in _BESIDE})
    tensors.update({f"level.{i}": level for i, level in enumerate(anchors.levels)})
    for number, thing in enumerate(anchors.things):
        tensors.update({f"thing.{number}.{k}": v for k, v in _told(thing).items()})
    return tensors


def _told(thing: Thing) -> dict[str, Tensor]:
    """A thing as tensors, eight pixels of it in a byte."""
    region = thing.region
    about = [region.owner, thing.label, *region.start, *region.mask.shape]
    packed = np.packbits(region.mask.cpu().numpy())
    looks = {f"turned.{i}": level for i, level in enumerate(thing.turned)}
    looks.update({f"left.{i}": level for i, level in enumerate(thing.left)})
    fit = torch.tensor(thing.fit, dtype=torch.float64)
    return {"about": torch.tensor(about), "mask": torch.from_numpy(packed), "fit": fit, **looks}


def _thing_of(
    tensors: Mapping[str, Tensor],
    channels: Sequence[int],
    shape: Sequence[int],
    classes: int,
    n: int,
) -> Thing:
    """Make a thing of the tensors of :func:`_told`; raises as :func:`anchors_of` does."""
    about, ndim, fit = tensors["about"].tolist(), len(shape), float(tensors["fit"])
    if len(about) != 2 + 2 * ndim or not all(isinstance(number, int) for number in about):
        raise ValueError("a thing is nowhere")
    (owner, label), start, sides = about[:2], about[2 : 2 + ndim], about[2 + ndim :]
    boxed = all(
        s >= 0 and m > 0 and s + m <= k for s, m, k in zip(start, sides, shape, strict=True)
    )
    if not (boxed and 0 <= owner < n and 0 <= label < classes and 0 < fit <= 1):
        raise ValueError("a thing is impossible")
    packed, pixels = tensors["mask"], math.prod(sides)
    if packed.dtype != torch.uint8 or packed.shape != (-(-pixels // 8),):
        raise ValueError("the pixels of a thing are not those of its place")
    mask = np.unpackbits(packed.numpy(), count=pixels).reshape(sides).astype(bool)
    names = range(len(channels))
    turned = tuple(tensors[f"turned.{i}"] for i in names)
    left = tuple(tensors[f"left.{i}"] for i in names) if "left.0" in tensors else ()
    for looks in (turned, left):
        if any(
            level.shape != (width,) or not level.isfinite().all()
            for level, width in zip(looks, channels, strict=False)
        ):
            raise ValueError("the features of a thing differ in channels")
    return Thing(Region(owner, tuple(start), torch.from_numpy(mask)), label, turned, left, fit)


def anchors_of(
    tensors: Mapping[str, Tensor], channels: Sequence[int], shape: Sequence[int], classes: int
) -> Anchors:
    """Make anchors of tensors from a file, which may have been tampered with.

    Parameters
    ----------
    tensors
        By name.
    channels
        Of the features at each level.
    shape, classes
        Rows and columns of the slice, and the number of classes.

    Raises
    ------
    KeyError
        If one is missing.
    ValueError
        If they cannot be what a refinement found.
    """
    weights = tensors["weights"]
    # Earlier files do not tell how much further it reached at home.
    beside = torch.zeros_like(weights), tensors.get("further", torch.ones_like(weights))
    support = Support(*[*(tensors[name] for name in _SUPPORT), *beside])
    levels = tuple(tensors[f"level.{i}"] for i in range(len(channels) if len(support) else 0))
    origins, usual, changed = (tensors[name] for name in _BESIDE)
    anchors = Anchors(levels, support, origins, usual, changed)
    parts = [*support.parts().values(), *levels, *(tensors[name] for name in _BESIDE)]
    n = len(support)
    if any(len(part) != n for part in parts) or support.positions.shape != (n, len(shape)):
        raise ValueError("its parts differ in length")
    if any(level.shape != (n, width) for level, width in zip(levels, channels, strict=False)):
        raise ValueError("its features differ in channels")
    if not _is_possible(anchors, parts, shape, classes):
        raise ValueError("its places, classes or weights are impossible")
    count = len({key.split(".")[1] for key in tensors if key.startswith("thing.")})
    found = [under(tensors, f"thing.{number}.") for number in range(count)]
    things = tuple(_thing_of(one, channels, shape, classes, n) for one in found)
    return replace(anchors, things=things)


def _is_possible(
    anchors: Anchors, parts: Sequence[Tensor], shape: Sequence[int], classes: int
) -> bool:
    support = anchors.support
    finite = all(part.isfinite().all() for part in parts)
    within = (support.positions >= 0).all() and (support.positions < torch.tensor(shape)).all()
    known = (support.classes >= 0).all() and (support.classes < classes).all()
    whole = support.classes.dtype == support.positions.dtype == torch.int64
    acts = (support.weights >= 0).all() and (support.home_reaches > 0).all()
    return bool(finite and within and known and whole and acts and (anchors.usual > 0).all())
