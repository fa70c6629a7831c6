"""The ReLUs of a traced network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

_ATEN = torch.ops.aten
_CAPPED = {F.relu6, F.hardtanh, _ATEN.relu6.default, _ATEN.hardtanh.default, "hardtanh"}
_CAPPED |= {_ATEN.relu6_.default, _ATEN.hardtanh_.default, "hardtanh_"}
_OPEN = {F.relu, torch.relu, torch.relu_, _ATEN.relu.default, _ATEN.relu_.default, "relu", "relu_"}


@dataclass(frozen=True)
class Rectifier:
    """A ReLU, or one with an upper bound (6 in ReLU6): a → min(max(a, 0), ceiling).

    Attributes
    ----------
    node
        In the graph; its first argument is what is rectified.
    ceiling
        The upper bound, infinite for a ReLU.
    """

    node: fx.Node
    ceiling: float

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.node.name

    def passes(self, a: Tensor) -> Tensor:
        """Where small changes of the input `a` pass to the output."""
        return (a > 0) & (a < self.ceiling)

    def __call__(self, a: Tensor) -> Tensor:
        """Rectify."""
        return a.clamp(0, self.ceiling)


def find_rectifiers(graph_module: fx.GraphModule) -> tuple[Rectifier, ...]:
    """All ReLUs of a graph that has run once, in the order in which they are computed."""
    found = ((node, _ceiling(graph_module, node)) for node in graph_module.graph.nodes)
    return tuple(Rectifier(node, ceiling) for node, ceiling in found if ceiling is not None)


def _ceiling(graph_module: fx.GraphModule, node: fx.Node) -> float | None:
    """Upper bound of a rectifier; None if the node is no rectifier."""
    if node.op == "call_module":
        module = graph_module.get_submodule(str(node.target))
        if isinstance(module, nn.Hardtanh):  # ReLU6 is one
            return float(module.max_val) if module.min_val == 0 else None
        return math.inf if isinstance(module, nn.ReLU) else None
    if node.op not in ("call_function", "call_method"):
        return None
    target: Any = node.target
    if target in _OPEN:
        return math.inf
    return _bound(node) if target in _CAPPED else None


def _bound(node: fx.Node) -> float | None:
    if "relu6" in str(getattr(node.target, "__name__", node.target)):
        return 6.0
    low, high = (*node.args[1:], None, None)[:2]
    low = node.kwargs.get("min_val", -1.0) if low is None else low
    high = node.kwargs.get("max_val", 1.0) if high is None else high
    return float(high) if low == 0 and isinstance(high, int | float) else None
