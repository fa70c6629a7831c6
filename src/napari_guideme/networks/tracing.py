"""A module as a graph: by `torch.fx`, else `torch.export`, else as one opaque node."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from threading import RLock, get_ident
from typing import Any

import torch
from torch import Tensor, fx, nn

logger = logging.getLogger(__name__)

#: While fx traces, it catches what is called of modules anywhere: one thread after the other.
_turn = RLock()


class Runner(fx.Interpreter):
    """Runs a graph; an operation that writes to its inputs is given copies of them."""

    def fetch_args_kwargs_from_env(self, n: fx.Node) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Values of the arguments of a node."""
        args, kwargs = super().fetch_args_kwargs_from_env(n)
        if "writes" in n.meta:
            args, kwargs = fx.node.map_aggregate((args, kwargs), _copied)
        return args, kwargs


def noise(*shape: int) -> Tensor:
    """An input that no part of a network maps to zero by chance, always the same."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(shape, dtype=torch.float32, generator=generator)


def trace(module: nn.Module, example: Tensor, others: Sequence[Tensor] = ()) -> fx.GraphModule:
    """Return a graph from one input to the logits that computes the same as `module`.

    A module that neither fx nor export can trace becomes a graph of a single
    call: it can still be moved at its input. The graph is for a :class:`Runner`;
    ``meta["returned"]`` is what the module returned for the example.

    Parameters
    ----------
    module
        In evaluation mode.
    example
        An input of a shape that the module accepts, (N, C, *spatial).
    others
        Inputs of other sizes; the graph has to agree with the module on all that
        it takes.
    """
    expected = outcome(module, example)
    known = []
    for other in others:
        with suppress(Exception):
            known.append((other, outcome(module, other)))
    for way in (_symbolic, lambda m: _exported(m, example)):
        with _turn:
            graph_module = _attempt(way, module, example, expected)
        if graph_module is not None and all(_agrees(graph_module, *pair) for pair in known):
            break
    else:
        graph_module = _marked(_pruned(_opaque(module)), example)[0]
    graph_module.meta["returned"] = expected
    return graph_module


def main_output(output: Any) -> Any:
    """Pick the logits from what a segmentation network returns.

    Networks return a tensor, a sequence that starts with it, or a mapping that
    has it under ``"out"`` (as torchvision's) or first.
    """
    if isinstance(output, dict):
        return output["out"] if "out" in output else next(iter(output.values()), None)
    if isinstance(output, tuple | list):
        return main_output(output[0])
    return output


class _MainOutput(nn.Module):
    """A module that returns nothing but the logits."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Any:
        return main_output(self.module(x))


@torch.no_grad()
def outcome(module: nn.Module, x: Tensor) -> Tensor:
    """What a module returns for an input: one map per class."""
    output = main_output(module(x.clone()))
    if not isinstance(output, Tensor) or output.ndim != x.ndim:
        found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise TypeError(f"it returns {found} instead of one map per class")
    if not output.is_floating_point():
        raise TypeError(
            f"it returns {output.dtype}, such as labels or what was decided; expected are the "
            "logits or probabilities before, one map of floating-point numbers per class"
        )
    return output


def _attempt(
    way: Callable[[nn.Module], Any], module: nn.Module, example: Tensor, expected: Tensor
) -> fx.GraphModule | None:
    """Trace one way; foreign code can fail in any manner, and then the next way is tried."""
    try:
        graph_module, output = _marked(_pruned(way(module)), example)
    except Exception as error:
        logger.info("%s was not traced: %s", type(module).__name__, error)
        return None
    if any("writes" in node.meta for node in graph_module.graph.nodes):
        return graph_module if _agrees(graph_module, example, expected) else None
    return graph_module if _equal(output, expected) else None


def _agrees(graph_module: fx.GraphModule, example: Tensor, expected: Tensor) -> bool:
    try:
        with torch.no_grad():
            output = Runner(graph_module).run(example)
    except Exception as error:
        logger.info("the traced graph does not run: %s", error)
        return False
    return _equal(output, expected)


def _equal(output: Any, expected: Tensor) -> bool:
    return output.shape == expected.shape and torch.allclose(output, expected, atol=1e-5)


class _Tracer(fx.Tracer):
    """Leaves alone what a graph that exists already calls as a whole, and other threads."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = get_ident()

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Trace a call, or let another thread compute it meanwhile."""
        if get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        parts = module_qualified_name.split(".")
        above = (self.root.get_submodule(".".join(parts[:i])) for i in range(len(parts)))
        is_part = any(isinstance(parent, fx.GraphModule) for parent in above)
        return is_part or super().is_leaf_module(m, module_qualified_name)


def _symbolic(module: nn.Module) -> fx.GraphModule:
    if isinstance(module, fx.GraphModule):
        return module
    return fx.GraphModule(module, _Tracer().trace(module))


def _exported(module: nn.Module, example: Tensor) -> nn.Module:
    free = {axis: torch.export.Dim.AUTO for axis in range(2, example.ndim)}
    with _quiet():
        if isinstance(module, torch.jit.ScriptModule):
            from torch._export.converter import TS2EPConverter

            return TS2EPConverter(module, (example,)).convert().module()
        program = torch.export.export(_MainOutput(module), (example,), dynamic_shapes=(free,))
        return program.module()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch.export has to say from a user who did not ask for it."""
    loggers = [logging.getLogger(name) for name in ("torch._export", "torch.export", "torch.fx")]
    levels = [talker.level for talker in loggers]
    try:
        for talker in loggers:
            talker.setLevel(logging.CRITICAL)
        with (
            redirect_stderr(io.StringIO()),
            redirect_stdout(io.StringIO()),
            warnings.catch_warnings(action="ignore"),
        ):
            yield
    finally:
        for talker, level in zip(loggers, levels, strict=True):
            talker.setLevel(level)


def _opaque(module: nn.Module) -> fx.GraphModule:
    graph = fx.Graph()
    graph.output(graph.call_module("module", (graph.placeholder("x"),)))
    return fx.GraphModule({"module": _MainOutput(module)}, graph)


def _pruned(graph_module: Any) -> fx.GraphModule:
    """Keep what leads from the first input to the logits."""
    graph = graph_module.graph
    graph.set_codegen(fx.graph.CodeGen())
    output = next(node for node in graph.nodes if node.op == "output")
    output.args = (main_output(output.args[0]),)
    graph.eliminate_dead_code()
    for extra in [node for node in graph.nodes if node.op == "placeholder"][1:]:
        if not extra.users:
            graph.erase_node(extra)
    graph_module.recompile()
    pruned: fx.GraphModule = graph_module
    return pruned


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


class _Marker(fx.Interpreter):
    """Marks the operations that write to their inputs, such as ``relu_``."""

    def run_node(self, n: fx.Node) -> Any:
        read = [self.env[source] for source in n.all_input_nodes]
        read = [value for value in read if isinstance(value, Tensor)]
        versions = [value._version for value in read]
        result = super().run_node(n)
        if versions != [value._version for value in read]:
            n.meta["writes"] = True
        return result


@torch.no_grad()
def _marked(graph_module: fx.GraphModule, example: Tensor) -> tuple[fx.GraphModule, Any]:
    """Return the graph with its marks, and what it computes of the example."""
    return graph_module, _Marker(graph_module).run(example.clone())
