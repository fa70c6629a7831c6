"""Labelled images as the tail of a frozen network sees them, which get one hint after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_guideme.evaluation.datasets import Dataset, Item
from napari_guideme.evaluation.scores import Confusion, confusion
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.parts import Head
from napari_guideme.networks.preparation import Placement

Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Sample:
    """One image behind the head, with its truth on the pixels of the network's input.

    Attributes
    ----------
    head
        In half precision where that holds its values.
    placement
        Of these pixels in the network's input.
    truth
        (h, w), negative where nothing counts.
    merged
        As what each class of the network counts, (K,).
    """

    head: Head
    placement: Placement
    truth: Labels
    merged: Labels


class Samples:
    """The images of a dataset, with heads that are kept as long as there is memory.

    Parameters
    ----------
    dataset
        Opened for the network.
    network
        To be guided.
    point
        Where.
    memory
        For heads, in bytes; those that do not fit are computed anew each time.
    """

    def __init__(self, dataset: Dataset, network: FrozenNetwork, point: str, memory: float) -> None:
        self.dataset, self.network, self.point = dataset, network, point
        self._left = memory
        self._kept: dict[tuple[int, bool], Sample] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def at(self, index: int, *, flipped: bool = False) -> Sample:
        """Return an image, or the same with left and right exchanged."""
        if (index, flipped) in self._kept:
            return self._kept[index, flipped]
        (item,) = replace(self.dataset, entries=self.dataset.entries[index : index + 1])
        sample = self._computed(mirrored(item) if flipped else item)
        tensors = [sample.head.activation, *sample.head.crossing.values()]
        size = sum(t.numel() * t.element_size() for t in tensors if isinstance(t, Tensor))
        if size <= self._left:
            self._kept[index, flipped] = sample
            self._left -= size
        return sample

    def class_counts(self) -> Tensor:
        """Pixels of each class in the truth of some of the images, (K,)."""
        counts = torch.zeros(len(self.network.classes))
        for item in replace(self.dataset, entries=self.dataset.entries[::5]):
            known = torch.from_numpy(item.truth[item.truth >= 0])
            counts += torch.bincount(known, minlength=len(counts))
        return counts

    def _computed(self, item: Item) -> Sample:
        x, placement = self.network.preparation.prepare(item.image, channel_axis=item.channel_axis)
        size = placement.resized_shape
        truth = torch.from_numpy(item.truth)[None, None].float()
        truth = F.interpolate(truth, size, mode="nearest-exact")[0, 0]
        head = _cast(self.network.head(x, self.point), _halved)
        return Sample(
            head, replace(placement, image_shape=size), truth.numpy().astype(np.intp), item.merged
        )


def mirrored(item: Item) -> Item:
    """Exchange left and right."""
    axes = [axis for axis in range(item.image.ndim) if axis != _axis(item)]
    return replace(item, image=np.flip(item.image, axes[-1]), truth=np.flip(item.truth, -1).copy())


def _axis(item: Item) -> int | None:
    return None if item.channel_axis is None else item.channel_axis % item.image.ndim


def _cast(head: Head, cast: Any) -> Head:
    crossing = {node: cast(value) for node, value in head.crossing.items()}
    return Head(head.point, cast(head.activation), crossing)


def _halved(value: Any) -> Any:
    """Return a tensor in half precision, if its values fit."""
    if not isinstance(value, Tensor) or value.dtype != torch.float32:
        return value
    half = value.half()
    return half if half.isfinite().all() else value


def _restored(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.float16 else value


class Guided:
    """An image that is being guided.

    Attributes
    ----------
    activation
        At the guide point, moved by all hints so far.
    shown
        The logits after all hints so far, (K, h, w).
    labels
        What the network says now, (h, w), each class as what it counts.
    right
        Pixels that are right now, or were without any hint, (h, w).
    """

    def __init__(self, network: FrozenNetwork, sample: Sample) -> None:
        self._network, self.sample = network, sample
        self._right_alone: NDArray[np.bool_] = np.zeros(sample.truth.shape, dtype=bool)
        self._head = _cast(sample.head, _restored)
        with torch.no_grad():
            logits = self.logits(self._head.activation)
        self.step(self._head.activation, logits)
        self._right_alone = self.right

    def logits(self, activation: Tensor) -> Tensor:
        """Logits (K, h, w) of an activation; gradients flow to it."""
        tail = self._network.tail(self._head, activation)
        return self._network.preparation.restore(tail, self.sample.placement)[0]

    def step(self, activation: Tensor, logits: Tensor) -> None:
        """Go on from a moved activation and its logits."""
        self.activation, self.shown = activation.detach(), logits.detach()
        self.labels = self.sample.merged[logits.detach().max(0).indices.cpu().numpy()]
        self.right = self._right_alone | (self.labels == self.sample.truth)

    def confusion(self) -> Confusion:
        """Compare with the truth."""
        return confusion(self.sample.truth, self.labels, len(self.sample.merged))
