"""Objects that are being clicked: first clicks as in BRS, later ones on the network's errors."""

from __future__ import annotations

import math
import mmap
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing.connection import Connection

import numpy as np
import torch
from numpy.typing import NDArray
from objects import Random, Scene, Scenes
from scipy import ndimage
from scipy.spatial.distance import cdist
from torch import Tensor

from napari_guideme.networks.interaction import InteractionMaps, distances

#: Background clicks are so many pixels away from the object (BRS, section 3.1).
BACKGROUND_BAND = (5, 40)
#: Objects that are being clicked at a time.
POOL = 96


@dataclass
class Clicked:
    """One object, what was clicked, and the network's probability of it so far."""

    image: Tensor
    mask: NDArray[np.bool_]
    left: int
    inside: list[tuple[int, int]] = field(default_factory=list)
    outside: list[tuple[int, int]] = field(default_factory=list)
    previous: Tensor | None = None

    def input(self, maps: InteractionMaps) -> Tensor:
        """Image and maps, (3 + maps, side, side)."""
        shape = self.mask.shape
        drawn = [
            torch.from_numpy(maps.draw(distances(np.array(c, dtype=int).reshape(-1, 2), shape)))
            for c in (self.inside, self.outside)
        ]
        previous = torch.zeros(shape) if self.previous is None else self.previous
        return torch.cat([(255 * self.image - 127) / 128, torch.stack([*drawn, previous])])

    def click(self, probability: Tensor, random: Random | None) -> None:
        """Click into the larger of the two largest errors: at its centre, or near it."""
        labels = (probability > 0.5).numpy()
        missed, added = self.mask & ~labels, ~self.mask & labels
        depths = [ndimage.distance_transform_edt(np.pad(e, 1))[1:-1, 1:-1] for e in (missed, added)]
        depth = max(depths, key=np.max)
        if depth.max() <= 0:
            return
        if random is None:
            position = np.unravel_index(int(depth.argmax()), depth.shape)
        else:
            deep = np.argwhere(depth >= depth.max() * random.uniform(0.4, 1))
            position = deep[random.integers(len(deep))]
        side = self.inside if depth is depths[0] else self.outside
        side.append((int(position[0]), int(position[1])))
        self.previous = probability


class Pool:
    """Batches of objects at different stages of being clicked.

    Parameters
    ----------
    scenes
        Where new objects come from.
    maps
        What the network takes.
    batch
        Objects per batch.
    rounds
        An object is answered so often, at most.
    """

    def __init__(self, scenes: Scenes, maps: InteractionMaps, batch: int, rounds: int) -> None:
        self._scenes, self._maps, self._batch, self._rounds = scenes, maps, batch, rounds
        self._objects: list[Clicked] = []
        self._drawn: list[int] = []

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the inputs."""
        return self._batch, 3 + self._maps.count, self._scenes.side, self._scenes.side

    def batches(self, seed: int | Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs (N, 3 + maps, side, side) and masks (N, 1, side, side), without end."""
        self._random = np.random.default_rng(seed)
        self._objects = [self._new() for _ in range(POOL)]
        while True:
            self._drawn = self._random.choice(POOL, self._batch, replace=False).tolist()
            drawn = [self._objects[i] for i in self._drawn]
            yield (
                torch.stack([clicked.input(self._maps) for clicked in drawn]),
                torch.stack([torch.from_numpy(clicked.mask) for clicked in drawn])[:, None].float(),
            )

    def answer(self, logits: Tensor) -> None:
        """Click the errors of what the network made of the last batch, or take new objects."""
        for index, own in zip(self._drawn, logits[:, 0].sigmoid(), strict=True):
            clicked = self._objects[index]
            clicked.left -= 1
            if clicked.left < 1:
                self._objects[index] = self._new()
            else:
                clicked.click(own, self._random)

    def _new(self) -> Clicked:
        left = int(self._random.integers(1, self._rounds + 1))
        return first_clicked(self._scenes.draw(self._random), left, self._random)


class Pools:
    """Pools in processes of their own, asked in turn: one alone does not keep up with a GPU."""

    def __init__(self, pool: Pool, processes: int) -> None:
        self._pool, self._processes = pool, processes

    def batches(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs and masks as a pool does, which hold until they are answered."""
        desks = [_Desk(self._pool, (seed, i)) for i in range(self._processes)]
        for self._asked in cycle(desks):
            yield self._asked.batch()

    def answer(self, logits: Tensor) -> None:
        """Click the errors of what the network made of the last batch."""
        self._asked.answer(logits)


class _Desk:
    """A pool in another process, and the memory that it shares with this one."""

    def __init__(self, pool: Pool, seed: Sequence[int]) -> None:
        own = multiprocessing.get_context("fork")
        n, _, *sides = pool.shape
        self._inputs = _shared(pool.shape, torch.half)
        self._masks, self._logits = (_shared((n, 1, *sides), torch.half) for _ in range(2))
        self._line, other = own.Pipe()
        own.Process(target=self._serve, args=(pool, seed, other), daemon=True).start()

    def _serve(self, pool: Pool, seed: Sequence[int], line: Connection) -> None:
        torch.set_num_threads(1)
        for inputs, masks in pool.batches(seed):
            self._inputs.copy_(inputs)
            self._masks.copy_(masks)
            line.send("ready")
            line.recv()
            pool.answer(self._logits.float())

    def batch(self) -> tuple[Tensor, Tensor]:
        self._line.recv()
        return self._inputs, self._masks

    def answer(self, logits: Tensor) -> None:
        self._logits.copy_(logits)
        self._line.send("answered")


def _shared(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Zeros in memory that processes started from here share."""
    memory = mmap.mmap(-1, math.prod(shape) * dtype.itemsize)
    return torch.frombuffer(memory, dtype=dtype).view(*shape)


def first_clicked(scene: Scene, left: int, random: Random) -> Clicked:
    """Click an object for the first time: once, or in all places at once as in BRS."""
    image, mask = scene[0], scene[1].numpy()
    clicked = Clicked(image, mask, left)
    kind = random.random()
    if kind < 0.5:
        clicked.click(torch.zeros(mask.shape), random)
        clicked.previous = None
        return clicked
    clicked.inside = k_medoids(np.argwhere(mask), int(random.integers(1, 11)), random)
    away = ndimage.distance_transform_edt(~mask)
    band = (away >= BACKGROUND_BAND[0]) & (away <= BACKGROUND_BAND[1])
    clicked.outside = k_medoids(np.argwhere(band), int(random.integers(0, 11)), random)
    if kind > 0.85:
        clicked.previous = torch.from_numpy(damaged(mask, random)).float()
    return clicked


def k_medoids(points: NDArray[np.intp], k: int, random: Random) -> list[tuple[int, int]]:
    """Choose k of some points (n, 2) that lie in the middle of the points next to them."""
    if k == 0 or not len(points):
        return []
    points = points[random.choice(len(points), min(len(points), 200), replace=False)]
    medoids = points[: min(k, len(points))].copy()
    for _ in range(4):
        nearest = cdist(points, medoids).argmin(1)
        for i in range(len(medoids)):
            own = points[nearest == i]
            if len(own):
                medoids[i] = own[cdist(own, own).sum(1).argmin()]
    return [(int(row), int(column)) for row, column in medoids]


def damaged(mask: NDArray[np.bool_], random: Random) -> NDArray[np.bool_]:
    """Return what somebody else might have made of the object: too large, too small, shifted."""
    reach = int(random.integers(2, 12))
    grown = ndimage.distance_transform_edt(~mask) <= reach
    shrunk = ndimage.distance_transform_edt(mask) > reach
    shifted = np.roll(mask, random.integers(-reach, reach + 1, 2).tolist(), (0, 1))
    side = np.zeros_like(mask)
    side[:, : int(mask.shape[1] * random.uniform(0.3, 0.7))] = True
    choices = [grown, shrunk, shifted, mask & side, mask | (grown & side)]
    return choices[random.integers(len(choices))]
