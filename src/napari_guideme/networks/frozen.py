"""A segmentation network that is used but never changed, cut into head and tail."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn

from napari_guideme.errors import InputError
from napari_guideme.networks import cancelling
from napari_guideme.networks.card import NetworkCard, Output
from napari_guideme.networks.devices import choose_device
from napari_guideme.networks.fingerprints import fingerprint
from napari_guideme.networks.guest import ChannelsFirst, guest_of
from napari_guideme.networks.guide_points import (
    Entry,
    GuidePoint,
    dependents,
    find_entry,
    find_guide_points,
)
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.tracing import Runner, trace

#: Length of what the halo is measured on.
_LONGEST = 512


@dataclass(frozen=True)
class Head:
    """What the head computed of one input: every tensor that crosses the cut.

    Attributes
    ----------
    activation
        At the guide point, (N, C, *spatial).
    crossing
        The other values that the tail reads (skip connections), by node.
    """

    point: str
    activation: Tensor
    crossing: Mapping[fx.Node, Any]


class FrozenNetwork:
    """A trained network together with how to feed it and what its output means.

    The module is neither modified nor kept: its structure is copied, the copy
    shares the weights (on the same device) and never asks for their gradients.

    Parameters
    ----------
    module
        Any module with 2-D or 3-D convolutions that maps (N, C, *spatial) to
        (N, K, *spatial'), or to (N, 1, *spatial') for two classes.
    classes
        Names of the K classes; the first one is the background. Without names
        they are called background, class 1, class 2, ...
    preparation
        What the module expects of its input.
    output
        Whether the module returns logits or probabilities; ``None`` looks at
        what it returns.
    channels_last
        Whether the module takes and returns (N, *spatial, C).
    device
        ``"auto"`` (CUDA, else MPS, else CPU) or a name such as ``"cuda:1"``.
    separator
        The class that parts touching objects, if there is one.
    guide_point
        Where to guide; by default the last guide point with a stride of at
        least 4, or of the largest there is.
    name, licence, description
        What is shown to the user.
    interaction
        The maps that the module takes behind the channels of the image, if it
        was trained to take clicks.

    Raises
    ------
    InputError
        If the device does not exist or the module does not fit the classes.
    """

    def __init__(
        self,
        module: nn.Module,
        classes: Sequence[str],
        preparation: Preparation,
        *,
        output: Output | None = "logits",
        channels_last: bool = False,
        device: str = "auto",
        separator: str | None = None,
        guide_point: str | None = None,
        name: str = "network",
        licence: str = "",
        description: str = "",
        interaction: InteractionMaps | None = None,
    ) -> None:
        self.preparation = preparation
        self.interaction = interaction
        self.separator = separator
        self.name = name
        self.licence = licence
        self.description = description
        self.device = choose_device(device)
        guest = guest_of(module).to(self.device)
        if channels_last:
            guest = ChannelsFirst(guest)
        channels = preparation.channels + (interaction.count if interaction else 0)
        self._example, *others = (
            _noise(1, channels, *size).to(self.device) for size in preparation.example_sizes
        )
        with self._refusing(self._example):
            self._graph_module = trace(guest, self._example, others)
        returned: Tensor = self._graph_module.meta.pop("returned")
        self.output = output or _kind(returned)
        self.classes = tuple(classes) or _generic_names(max(returned.shape[1], 2))
        self._check_classes(returned.shape)
        self.default_point = self.guide_point(guide_point or self._deep_point()).name
        self.card = NetworkCard(
            name=name,
            description=description,
            licence=licence,
            classes=self.classes,
            separator=separator,
            output=self.output,
            guide_point=guide_point,
            channels_last=channels_last,
            preparation=preparation.to_dict(),
            interaction=asdict(interaction) if interaction else {},
        )
        #: Entries of the card that nobody told.
        self.assumed: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"FrozenNetwork({self.name!r}, classes={self.classes}, device={str(self.device)!r})"

    def calling(self, *names: str) -> FrozenNetwork:
        """The same network with other names for the classes besides the background."""
        other = copy.copy(self)
        other.classes = (self.classes[0], *names)
        other.card = replace(self.card, classes=other.classes)
        other.__dict__.pop("fingerprint", None)
        return other

    @property
    def is_opaque(self) -> bool:
        """Whether only the input can be moved."""
        return len(self.guide_points) == 1

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of weights, graph, classes and preparation: the same in every run."""
        told = (self.classes, self.output, self.preparation)
        known = (*told, self.interaction) if self.interaction else told
        return fingerprint(self._graph_module, *known)

    @cached_property
    def guide_points(self) -> tuple[GuidePoint, ...]:
        """All places where activations may be moved, from the input on."""
        return tuple(find_guide_points(self._graph_module, self._example))

    def guide_point(self, name: str) -> GuidePoint:
        """Look up a guide point; the error lists those there are."""
        for point in self.guide_points:
            if point.name == name:
                return point
        names = ", ".join(point.name for point in self.guide_points)
        raise InputError(f"unknown guide point {name!r}; {self.name} has {names}")

    @property
    def feature_points(self) -> tuple[str, ...]:
        """The last guide point before every change of stride: one per level, down and up.

        Levels as fine as the input itself only count if there are no others.
        """
        points = self.guide_points
        following = [point.stride for point in points[1:]]
        ends = [p for p, after in zip(points, [*following, None], strict=True) if p.stride != after]
        return tuple(p.name for p in [p for p in ends if p.stride > 1] or ends)

    @cached_property
    def entry(self) -> Entry:
        """Return the first convolution, where interaction maps can enter.

        Raises
        ------
        InputError
            If there is none in the graph: an opaque network has only its input.
        """
        found = find_entry(self._graph_module, self._example)
        if found is None:
            raise InputError(
                f"{self.name} could not be traced, so interaction maps cannot enter at its "
                "first convolution; rgb-brs moves its input"
            )
        return found

    @cached_property
    def halo(self) -> int:
        """How many pixels around a pixel its logits depend on, as measured once on noise.

        A network that sees all of its input, as some normalisations do, gets half of what
        was measured on, and so does one that noise leaves silent.
        """
        multiple = max(self.preparation.multiple, 8)
        length = -(-_LONGEST // multiple) * multiple + self.preparation.offset
        short = 2 * multiple + self.preparation.offset
        channels = self._example.shape[1]
        x = _noise(1, channels, length, *(short,) * (self.preparation.ndim - 1)).to(self.device)
        if self.preparation.size:
            return max(self.preparation.size)
        head = self.head(x, "input")
        activation = head.activation.clone().requires_grad_()
        with torch.enable_grad():  # Whoever asks may be running without.
            logits = self.tail(head, activation)
            middle = logits.shape[2] // 2
            line = logits[:, :, middle]
            # A plain sum would hide what raises one class and lowers another.
            told = (line * _noise(*line.shape).to(line)).sum()
            seen = torch.autograd.grad(told, activation)[0]
        along = seen.abs().sum([axis for axis in range(seen.ndim) if axis != 2]).nonzero()
        if not len(along):
            return length // 2
        centre = (middle + 0.5) * length / logits.shape[2]
        return int(max(centre - float(along.min()), float(along.max()) + 1 - centre)) + 1

    def depth_point(self, depth: Literal["a", "b", "c"]) -> GuidePoint:
        """Guide point at one of the three depths of f-BRS.

        ``a`` is the end of the encoder, ``c`` the last activation that is worth
        guiding, ``b`` the network's own guide point. In a network without a
        decoder a quarter of the computation lies behind ``a``, a twentieth behind ``b``.
        """
        points = self.guide_points
        deepest = max(point.stride for point in points)
        depths = {
            "a": [point for point in points if point.stride == deepest][-1],
            "b": self.guide_point(self.default_point),
            "c": points[-1],
        }
        if depth != "c" and depths[depth] == points[-1]:
            share = {"a": 1 / 4, "b": 1 / 20}[depth]
            return [point for point in points if point.tail_share >= share][-1]
        return depths[depth]

    def _deep_point(self) -> str:
        deepest = min(4.0, max(point.stride for point in self.guide_points))
        return [point for point in self.guide_points if point.stride >= deepest][-1].name

    @torch.no_grad()
    def head(self, x: Tensor, point: str) -> Head:
        """Run what does not depend on the guide point, and the guide point itself.

        Parameters
        ----------
        x
            Prepared input, (N, C, *spatial).
        point
            Name of a guide point.
        """
        node = self._node(point)
        behind = dependents(node)
        with self._refusing(x):
            values = _Runner(self._graph_module).values(
                {self._node("input"): x.to(self.device)},
                [n for n in self._graph_module.graph.nodes if n not in behind],
            )
        return Head(point, values[node], {n: values[n] for n in self._crossing(node)})

    def tail(self, head: Head, activation: Tensor | None = None) -> Tensor:
        """Run what depends on the guide point, from an activation of one's own.

        Parameters
        ----------
        head
            What :meth:`head` returned.
        activation
            Of the shape of ``head.activation``, which is used by default.
            Gradients flow to it.

        Returns
        -------
        Logits, (N, K, *spatial').
        """
        node = self._node(head.point)
        behind = dependents(node)
        start = {**head.crossing, node: head.activation if activation is None else activation}
        values = _Runner(self._graph_module).values(
            start, [n for n in self._graph_module.graph.nodes if n in behind]
        )
        return self._logits(values[self._output_node])

    @torch.no_grad()
    def observe(self, x: Tensor, points: Sequence[str] = ()) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the whole network once and keep the activations at some guide points."""
        logits, kept, _ = self.observe_cut(x, points)
        return logits, kept

    @torch.no_grad()
    def observe_cut(
        self, x: Tensor, points: Sequence[str] = (), cut: str | None = None
    ) -> tuple[Tensor, dict[str, Tensor], Head | None]:
        """Run the whole network once as :meth:`observe` does, and keep a head, too."""
        kept = {point: self._node(point) for point in points}
        at = None if cut is None else self._node(cut)
        crossing = self._crossing(at) if at is not None else set()
        with self._refusing(x):
            values = _Runner(self._graph_module).values(
                {self._node("input"): x.to(self.device)},
                list(self._graph_module.graph.nodes),
                keep={self._output_node, *kept.values(), *crossing, *([at] if at else [])},
            )
        head = None
        if cut is not None and at is not None:
            head = Head(cut, values[at], {node: values[node] for node in crossing})
        activations = {point: values[node] for point, node in kept.items()}
        return self._logits(values[self._output_node]), activations, head

    def _crossing(self, node: fx.Node) -> set[fx.Node]:
        """What the tail behind a node reads besides it."""
        behind = dependents(node)
        return {n for tail_node in behind for n in tail_node.all_input_nodes} - behind - {node}

    @cached_property
    def _output_node(self) -> fx.Node:
        last = next(n for n in self._graph_module.graph.nodes if n.op == "output")
        output: fx.Node = last.args[0]
        return output

    def _node(self, point: str) -> fx.Node:
        node: fx.Node
        for node in self._graph_module.graph.nodes:
            if node.name == point or (point == "input" and node.op == "placeholder"):
                return node
        self.guide_point(point)
        raise AssertionError("unreachable: guide_point names what is allowed")

    def _logits(self, output: Tensor) -> Tensor:
        if output.shape[1] == 1 and len(self.classes) == 2:
            if self.output == "logits":
                return torch.cat([torch.zeros_like(output), output], dim=1)
            output = torch.cat([1 - output, output], dim=1)
        return output.clamp_min(1e-6).log() if self.output == "probabilities" else output

    @contextmanager
    def _refusing(self, x: Tensor) -> Iterator[None]:
        """Foreign code can fail in any manner; say which network and which input."""
        try:
            yield
        except (InputError, cancelling.Cancelled):
            raise
        except Exception as error:
            raise InputError(
                f"{self.name} does not run on an input of shape {tuple(x.shape)}: {error}"
            ) from error

    def _check_classes(self, shape: Sequence[int]) -> None:
        if shape[1] != len(self.classes) and (shape[1], len(self.classes)) != (1, 2):
            raise InputError(
                f"{self.name} returns shape {tuple(shape)} for an input of shape "
                f"{tuple(self._example.shape)}; expected is one channel for each of the "
                f"{len(self.classes)} classes {', '.join(self.classes)}"
            )


def _kind(returned: Tensor) -> Output:
    """Probabilities lie between 0 and 1, and those of several classes add up to 1."""
    within = bool((returned >= 0).all() and (returned <= 1).all())
    total = returned.sum(1)
    adds_up = returned.shape[1] == 1 or torch.allclose(total, torch.ones_like(total), atol=1e-3)
    return "probabilities" if within and adds_up else "logits"


def _generic_names(count: int) -> tuple[str, ...]:
    return ("background", *(f"class {index}" for index in range(1, count)))


class _Runner(Runner):
    """Runs some nodes of a graph from given values."""

    def values(
        self,
        start: Mapping[fx.Node, Any],
        nodes: Sequence[fx.Node],
        keep: set[fx.Node] | None = None,
    ) -> dict[fx.Node, Any]:
        """Values of all nodes that were run, or only of those to keep."""
        self.env = dict(start)
        last_use = {source: node for node in nodes for source in node.all_input_nodes}
        for node in nodes:
            cancelling.check()
            if node not in self.env and node.op != "output":
                self.env[node] = self.run_node(node)
            if keep is not None:
                for source in node.all_input_nodes:
                    if last_use[source] is node and source not in keep:
                        self.env.pop(source, None)
        return self.env


def _noise(*shape: int) -> Tensor:
    """An input that no part of a network maps to zero by chance, always the same."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))
