"""Anchors as tensors of a file, and back; what was tampered with is refused before it acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from safetensors import SafetensorError
from torch import Tensor

from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.residual import Support

_BESIDE = ("origins", "usual", "changed")
_SUPPORT = ("positions", "classes", "reaches", "weights")

#: What goes wrong while something is read that is broken, or was tampered with.
BROKEN = (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError)


def apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tensors, as those of one file must not share memory."""
    return {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}


def tensors_of(anchors: Anchors) -> dict[str, Tensor]:
    """All that :func:`anchors_of` makes anchors of, by name."""
    tensors = {name: getattr(anchors.support, name) for name in (*_SUPPORT, "further")}
    tensors.update({name: getattr(anchors, name) for name in _BESIDE})
    return {**tensors, **{f"level.{i}": level for i, level in enumerate(anchors.levels)}}


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
    anchors = Anchors(levels, support, **{name: tensors[name] for name in _BESIDE})
    parts = [*support.parts().values(), *levels, *(tensors[name] for name in _BESIDE)]
    n = len(support)
    if any(len(part) != n for part in parts) or support.positions.shape != (n, len(shape)):
        raise ValueError("its parts differ in length")
    if any(level.shape != (n, width) for level, width in zip(levels, channels, strict=False)):
        raise ValueError("its features differ in channels")
    if not _is_possible(anchors, parts, shape, classes):
        raise ValueError("its places, classes or weights are impossible")
    return anchors


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
