"""Places in a graph where activations may be moved, and what it costs to re-run the rest."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, fx
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from napari_guideme.networks.tracing import Runner

#: By how much an input is made longer to find strides out: a multiple of all that there are.
_LONGER = 64


@dataclass(frozen=True)
class GuidePoint:
    """A place in the network where activations may be moved.

    Attributes
    ----------
    name
        Name of the graph's node; ``"input"`` is the network's input.
    channels
        Number of channels of the activation.
    stride
        Pixels of the network's input per pixel of the activation.
    tail_share
        Share of the whole computation that lies behind, 0 to 1.
    """

    name: str
    channels: int
    stride: float
    tail_share: float


@dataclass(frozen=True)
class Entry:
    """The first convolution of a network.

    Attributes
    ----------
    name
        Name of the graph's node.
    channels
        Channels of what it returns.
    kernel, stride
        Along each spatial axis, in pixels of the network's input.
    """

    name: str
    channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]


def dependents(node: fx.Node) -> set[fx.Node]:
    """All nodes that depend on a node."""
    found: set[fx.Node] = set()
    waiting = [node]
    while waiting:
        new = [user for user in waiting.pop().users if user not in found]
        found.update(new)
        waiting.extend(new)
    return found


def sources(node: fx.Node) -> set[fx.Node]:
    """All nodes on which a node depends."""
    found: set[fx.Node] = set()
    waiting = [node]
    while waiting:
        new = [source for source in waiting.pop().all_input_nodes if source not in found]
        found.update(new)
        waiting.extend(new)
    return found


class _Kernels(TorchDispatchMode):
    """Notes the sizes of the kernels of all convolutions, however they are called."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[tuple[int, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution.default:
            self.found.append(tuple(args[1].shape[2:]))
        return func(*args, **(kwargs or {}))


class _Profiler(Runner):
    """Notes shape and floating-point operations of every node."""

    def __init__(self, graph_module: fx.GraphModule) -> None:
        super().__init__(graph_module)
        self.shapes: dict[fx.Node, torch.Size] = {}
        self.flops: dict[fx.Node, int] = {}
        self.kernels: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        with FlopCounterMode(display=False) as counter, _Kernels() as kernels:
            value = super().run_node(n)
        self.flops[n] = counter.get_total_flops()
        if kernels.found:
            self.kernels[n] = kernels.found[0]
        if isinstance(value, Tensor) and value.is_floating_point():
            self.shapes[n] = value.shape
        return value


@torch.no_grad()
def find_guide_points(
    graph_module: fx.GraphModule, example: Tensor, more: Sequence[int] = ()
) -> list[GuidePoint]:
    """List the guide points of a graph, from its input on, measured on an example input.

    Parameters
    ----------
    graph_module
        From :func:`~napari_guideme.networks.tracing.trace`.
    example
        An input.
    more
        How much more than its input the graph sees along each axis, if it does.
    """
    profiler = _Profiler(graph_module)
    profiler.run(example)
    longer = _longer(graph_module, example) if more else {}
    seen = example.shape[-1] + (more[-1] if more else 0)
    total = sum(profiler.flops.values()) or 1
    source = next(n for n in graph_module.graph.nodes if n.op == "placeholder")
    behind_source = dependents(source)
    points = [GuidePoint("input", example.shape[1], 1.0, 1.0)]
    for node in graph_module.graph.nodes:
        shape = profiler.shapes.get(node, torch.Size())
        if len(shape) != example.ndim or node not in behind_source:
            continue
        tail_flops = sum(profiler.flops[n] for n in dependents(node))
        # What only rescales the input is the input.
        if not any(profiler.flops[n] for n in (node, *sources(node))):
            continue
        if tail_flops and min(shape[2:]) > 1 and not _is_intermediate(node, profiler):
            grown = longer.get(node, shape)[-1] - shape[-1]
            stride = _LONGER / grown if grown else seen / shape[-1]
            points.append(GuidePoint(node.name, shape[1], stride, tail_flops / total))
    return points


def _longer(graph_module: fx.GraphModule, example: Tensor) -> dict[fx.Node, torch.Size]:
    """Shapes for a longer input: what borders cost is lost in both, so that strides are exact."""
    profiler = _Profiler(graph_module)
    with suppress(Exception):  # A network can be for inputs of one size alone.
        profiler.run(F.pad(example, (0, _LONGER)))
    return profiler.shapes


@torch.no_grad()
def find_entry(
    graph_module: fx.GraphModule, example: Tensor, more: Sequence[int] = ()
) -> Entry | None:
    """Find the first operation on the input that costs anything: a convolution.

    There is none if nothing costs anything behind it: what it returns are the logits then.
    The parameters are those of :func:`find_guide_points`.
    """
    seen = [n + m for n, m in zip_longest(example.shape[2:], more, fillvalue=0)]
    profiler = _Profiler(graph_module)
    profiler.run(example)
    source = next(n for n in graph_module.graph.nodes if n.op == "placeholder")
    behind = dependents(source)
    for node in graph_module.graph.nodes:
        if node in behind and profiler.flops.get(node) and node in profiler.shapes:
            shape = profiler.shapes[node]
            kernel = profiler.kernels.get(node, ())
            if len(shape) != example.ndim or len(kernel) != example.ndim - 2:
                return None
            if not any(profiler.flops[n] for n in dependents(node)):
                return None
            stride = [round(a / b) for a, b in zip(seen, shape[2:], strict=True)]
            return Entry(node.name, shape[1], kernel, tuple(stride))
    return None


def _is_intermediate(node: fx.Node, profiler: _Profiler) -> bool:
    """Whether a node only passes on to, or only resamples, its neighbour.

    Of a chain convolution, normalisation, activation, only the end is worth
    guiding; pooling and upsampling repeat what stands before them.
    """
    if _is_free(node, profiler):
        (source,) = _activations(node, profiler)
        if profiler.shapes[node] != profiler.shapes[source]:
            return True
    users = list(node.users)
    return (
        len(users) == 1
        and _is_free(users[0], profiler)
        and profiler.shapes[users[0]] == profiler.shapes[node]
    )


def _is_free(node: fx.Node, profiler: _Profiler) -> bool:
    """Whether a node maps one activation to another without convolving or joining."""
    inputs = _activations(node, profiler)
    return node in profiler.shapes and len(inputs) == 1 and not profiler.flops[node]


def _activations(node: fx.Node, profiler: _Profiler) -> list[fx.Node]:
    """Those inputs of a node that are activations; others are sizes and weights."""
    inputs = (n for n in node.all_input_nodes if n.op != "get_attr")
    return [n for n in inputs if len(profiler.shapes.get(n, ())) > 2]
