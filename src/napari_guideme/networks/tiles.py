"""Running a network on an input that is too large for one pass, tile by tile."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_guideme.networks import cancelling, watching

if TYPE_CHECKING:
    from napari_guideme.networks.frozen import FrozenNetwork

#: Pixels or voxels that go through a network at once.
LARGEST = 8_000_000


@dataclass(frozen=True)
class Tile:
    """A box of the input that is run, and the box within that counts."""

    run: tuple[slice, ...]
    counts: tuple[slice, ...]

    def scaled(self, boxes: tuple[slice, ...], strides: Sequence[float]) -> tuple[slice, ...]:
        """Return one of its boxes on a coarser grid."""
        return tuple(
            slice(round(box.start / stride), math.ceil(box.stop / stride))
            for box, stride in zip(boxes, strides, strict=True)
        )


def tiles(shape: Sequence[int], halo: int, multiple: int, largest: int) -> Iterator[Tile]:
    """Cut an input into tiles that overlap by the halo on every side.

    Parameters
    ----------
    shape
        Of the input.
    halo
        How far around a pixel the network sees.
    multiple
        Tiles begin at multiples of this.
    largest
        Pixels of a tile with its halo, at most, as far as the halo leaves room.
    """
    halo = -(-halo // multiple) * multiple
    side = math.floor(largest ** (1 / len(shape))) - 2 * halo
    # A core smaller than its halo would be mostly repetition.
    core = max(side // multiple, -(-halo // multiple), 1) * multiple
    starts = [range(0, length, core) for length in shape]
    for corner in itertools.product(*starts):
        stop = [min(a + core, n) for a, n in zip(corner, shape, strict=True)]
        run = [
            slice(max(a - halo, 0), min(b + halo, n))
            for a, b, n in zip(corner, stop, shape, strict=True)
        ]
        yield Tile(tuple(run), tuple(map(slice, corner, stop)))


def alignment(network: FrozenNetwork) -> int:
    """Where a part of an input may begin: at multiples of this its coarse cells are those of it."""
    strides = (math.ceil(point.stride) for point in network.guide_points)
    return math.lcm(network.preparation.multiple, *strides)


@torch.no_grad()
def observe_tiled(
    network: FrozenNetwork, x: Tensor, points: Sequence[str], largest: int = LARGEST
) -> tuple[Tensor, dict[str, Tensor]]:
    """Observe a network as `FrozenNetwork.observe` does, in bounded memory.

    Parameters
    ----------
    network
        Whose logits depend on no more than `FrozenNetwork.halo` around a pixel, or nearly.
    x
        Prepared input, (1, C, *spatial).
    points
        Guide points whose activations are kept.
    largest
        Pixels that are run at once, see :func:`tiles`.

    Returns
    -------
    Logits (1, K, *spatial') and activations by guide point.
    """
    shape = tuple(x.shape[2:])
    whole: dict[str | None, Tensor] = {}
    cut = list(tiles(shape, network.halo, alignment(network), largest))
    for number, tile in enumerate(cut, 1):
        cancelling.check()
        logits, kept = network.observe(x[(slice(None), slice(None), *tile.run)], points)
        for name, values in [(None, logits), *kept.items()]:
            ran = [box.stop - box.start for box in tile.run]
            scale = [n / m for n, m in zip(ran, values.shape[2:], strict=True)]
            if name not in whole:
                size = [math.ceil(n / s) for n, s in zip(shape, scale, strict=True)]
                whole[name] = values.new_zeros(*values.shape[:2], *size)
            target = tile.scaled(tile.counts, scale)
            offset = [round(box.start / s) for box, s in zip(tile.run, scale, strict=True)]
            source = [slice(t.start - o, t.stop - o) for t, o in zip(target, offset, strict=True)]
            every = (slice(None), slice(None))
            whole[name][(*every, *target)] = values[(*every, *source)]
        watching.tell(number, len(cut))
    return whole.pop(None), {name: whole[name] for name in points}
