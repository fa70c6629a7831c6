"""Networks whose output is smaller than their input, as convolutions without padding make it.

They are shown so much more than the image, mirrored, that their output covers all of it: the
overlap-tile strategy of Ronneberger et al., *U-Net*, MICCAI 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.tracing import noise, outcome

#: Sides of what the margin is measured on; the second where the first is too small.
_SIDES = {2: (64, 256), 3: (32, 128)}

#: How much longer the second input is, at least: an output of stride 2 grows by half of it.
_LONGER = 32


def measured_margin(
    module: nn.Module, preparation: Preparation, channels: int, device: torch.device
) -> tuple[int, ...]:
    """By how many pixels the output is smaller than the input along each axis.

    Parameters
    ----------
    module
        In evaluation mode.
    preparation
        What it expects, as far as it is known.
    channels
        Of its input.
    device
        Where it is.

    Returns
    -------
    Empty if nothing is lost, or the output has a stride: it then grows by less than the input.
    """
    multiple = preparation.multiple
    for side in (0,) if preparation.size else _SIDES[preparation.ndim]:
        shape = preparation.size or preparation.padded_shape((side,) * preparation.ndim)
        longer = tuple(n + -(-_LONGER // multiple) * multiple for n in shape)
        with suppress(Exception):  # It says itself, when it is traced, what it cannot take.
            lost = _lost(module, noise(1, channels, *shape).to(device))
            if not any(lost):
                return ()
            if preparation.size:
                # Of one size alone: less than half cannot be a stride.
                return lost if all(2 * n < s for n, s in zip(lost, shape, strict=True)) else ()
            again = _lost(module, noise(1, channels, *longer).to(device))
            return lost if lost == again else ()
    return ()


def _lost(module: nn.Module, x: Tensor) -> tuple[int, ...]:
    sizes = zip(x.shape[2:], outcome(module, x).shape[2:], strict=True)
    return tuple(max(before - after, 0) for before, after in sizes)


def mirrored(x: Tensor, more: Sequence[int]) -> Tensor:
    """Continue an input (N, C, *spatial) by so many pixels along each axis, half on each side."""
    for axis, count in enumerate(more, start=2):
        length = x.shape[axis]
        places = torch.arange(-(count // 2), length + count - count // 2, device=x.device)
        places = places % (2 * length)
        x = x.index_select(axis, torch.minimum(places, 2 * length - 1 - places))
    return x


def trimmed(output: Tensor, before: Sequence[int], surplus: Sequence[int]) -> Tensor:
    """Cut a surplus off an output along each axis, some of it before, the rest behind."""
    for axis, (start, count) in enumerate(zip(before, surplus, strict=True), start=2):
        output = output.narrow(axis, start, output.shape[axis] - count)
    return output


def widening(preparation: Preparation) -> tuple[int, ...]:
    """How much more than its input the graph of a network with a margin sees."""
    pairs = zip(preparation.margin, preparation.surplus, strict=True)
    return tuple(lost + surplus for lost, surplus in pairs)


def widen(graph_module: fx.GraphModule, preparation: Preparation) -> None:
    """Let a graph mirror its input first, so that its output is as large as that."""
    more, margin = widening(preparation), preparation.margin
    graph = graph_module.graph
    source = next(node for node in graph.nodes if node.op == "placeholder")
    last = next(node for node in graph.nodes if node.op == "output")
    with graph.inserting_after(source):
        wide = graph.call_function(mirrored, (source, more))
    source.replace_all_uses_with(wide, delete_user_cb=lambda user: user is not wide)
    if any(preparation.surplus):
        before = tuple(n // 2 - lost // 2 for n, lost in zip(more, margin, strict=True))
        with graph.inserting_before(last):
            arguments = (last.args[0], before, preparation.surplus)
            last.args = (graph.call_function(trimmed, arguments),)
    graph_module.recompile()


def centred(activation: Tensor, stride: float, shape: Sequence[int]) -> Tensor:
    """Cut from an activation what belongs to the input of a shape, in its middle.

    Parameters
    ----------
    activation
        (N, C, *spatial), of a graph that sees more than the input.
    stride
        Pixels of the input for each of its cells.
    shape
        Of the input, its spatial axes.
    """
    cells = [max(round(n / stride), 1) for n in shape]
    shares = [n / (stride * there) for n, there in zip(shape, activation.shape[2:], strict=True)]
    # affine_grid counts the axes from the last one.
    scale = torch.diag(torch.tensor(shares[::-1])).to(activation)
    turned = torch.cat([scale, scale.new_zeros(len(shares), 1)], 1)[None]
    grid = F.affine_grid(turned, [*activation.shape[:2], *cells], align_corners=False)
    return F.grid_sample(activation, grid, padding_mode="border", align_corners=False)
