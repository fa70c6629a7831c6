"""What a network is known by: the same in every run, another one if anything was changed."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import fx


def fingerprint(graph_module: fx.GraphModule, *told: Any) -> str:
    """SHA-256 of weights, graph, and what else is told of a network.

    Parameters
    ----------
    graph_module
        The network as it was traced.
    told
        Values whose `repr` is the same in every run.
    """
    digest = hashlib.sha256()
    for node in graph_module.graph.nodes:
        target = getattr(node.target, "__name__", node.target)
        digest.update(f"{node.op} {node.name} {target} {node.args}\n".encode())
    for name, value in sorted([*graph_module.named_parameters(), *graph_module.named_buffers()]):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    digest.update(repr(told).encode())
    return digest.hexdigest()
