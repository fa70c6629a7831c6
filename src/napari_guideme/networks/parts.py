"""Running a traced network in parts: what lies before a node, and what behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor, fx

from napari_guideme.networks import cancelling
from napari_guideme.networks.guide_points import dependents
from napari_guideme.networks.tracing import Runner


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


class Parts:
    """A graph that is cut at any of its nodes; ``"input"`` is its input.

    Parameters
    ----------
    graph_module
        From :func:`~napari_guideme.networks.tracing.trace`.
    """

    def __init__(self, graph_module: fx.GraphModule) -> None:
        self._graph_module = graph_module
        self._nodes: list[fx.Node] = list(graph_module.graph.nodes)

    def __contains__(self, name: str) -> bool:
        return name == "input" or any(node.name == name for node in self._nodes)

    def head(self, x: Tensor, point: str) -> Head:
        """Run what does not depend on a node, and the node itself, on an input."""
        node = self._node(point)
        behind = dependents(node)
        start = {self._node("input"): x}
        values = self._run(start, [n for n in self._nodes if n not in behind])
        return Head(point, values[node], {n: values[n] for n in _crossing(node)})

    def tail(self, head: Head, activation: Tensor) -> Tensor:
        """Run what depends on the node of a head, from an activation there, to the output."""
        node = self._node(head.point)
        behind = dependents(node)
        start = {**head.crossing, node: activation}
        output: Tensor = self._run(start, [n for n in self._nodes if n in behind])[self._output]
        return output

    def whole(
        self, x: Tensor, points: Sequence[str], cut: str | None
    ) -> tuple[Tensor, dict[str, Tensor], Head | None]:
        """Run everything once: output, activations at some nodes, and the head of a cut."""
        kept = {point: self._node(point) for point in points}
        at = None if cut is None else self._node(cut)
        crossing = set() if at is None else _crossing(at)
        keep = {self._output, *kept.values(), *crossing, *([at] if at else [])}
        values = self._run({self._node("input"): x}, self._nodes, keep)
        head = None
        if cut is not None and at is not None:
            head = Head(cut, values[at], {node: values[node] for node in crossing})
        return values[self._output], {p: values[node] for p, node in kept.items()}, head

    def _run(
        self,
        start: Mapping[fx.Node, Any],
        nodes: Sequence[fx.Node],
        keep: set[fx.Node] | None = None,
    ) -> dict[fx.Node, Any]:
        return _PartRunner(self._graph_module).values(start, nodes, keep)

    def _node(self, name: str) -> fx.Node:
        return next(
            node
            for node in self._nodes
            if node.name == name or (name == "input" and node.op == "placeholder")
        )

    @cached_property
    def _output(self) -> fx.Node:
        last = next(node for node in self._nodes if node.op == "output")
        output: fx.Node = last.args[0]  # type: ignore[assignment]
        return output


def _crossing(node: fx.Node) -> set[fx.Node]:
    """What the tail behind a node reads besides it."""
    behind = dependents(node)
    return {n for tail_node in behind for n in tail_node.all_input_nodes} - behind - {node}


class _PartRunner(Runner):
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
