from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch
from torch import Tensor, fx, nn

from napari_guideme.networks.tracing import Runner, main_output, trace
from tests import toys

LOGITS, OTHER = torch.zeros(1, 2, 3, 3), torch.ones(1, 2, 3, 3)


def noise(height: int, width: int) -> Tensor:
    return torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(height))


EXAMPLE, ODD = noise(64, 64), noise(65, 67)


@pytest.mark.parametrize(
    "output",
    [
        LOGITS,
        (LOGITS, OTHER),
        [LOGITS],
        [(LOGITS, OTHER), OTHER],
        {"aux": OTHER, "out": LOGITS},
        OrderedDict(logits=LOGITS, loss=OTHER),
    ],
)
def test_the_logits_are_found_in_what_a_network_returns(output):
    assert main_output(output) is LOGITS


def way(graph_module: fx.GraphModule) -> str:
    targets = [node.target for node in graph_module.graph.nodes]
    if any(isinstance(target, torch._ops.OpOverload) for target in targets):
        return "export"
    return "opaque" if "module" in targets else "fx"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (toys.Chain, "fx"),
        (toys.ShapeBranch, "export"),
        (toys.WritesToItsInput, "export"),
        (toys.DataBranch, "opaque"),
        (toys.OddBranch, "opaque"),
        (toys.SizeInPython, "opaque"),
    ],
)
@pytest.mark.parametrize("shape", [(64, 64), (65, 67), (32, 48)])
def test_the_first_way_that_agrees_is_taken(kind, expected, shape):
    module, x = kind().eval(), noise(*shape)
    graph_module = trace(module, EXAMPLE, [ODD])
    assert way(graph_module) == expected
    with torch.no_grad():
        assert torch.equal(Runner(graph_module).run(x.clone()), module(x.clone()))


class Traitor(nn.Module):
    """Computes something else while it is traced."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Conv2d(1, 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(x) * (2 if type(x) is Tensor else 1)


def test_a_trace_is_compared_with_the_module():
    module = Traitor().eval()
    with torch.no_grad():
        assert torch.equal(Runner(trace(module, EXAMPLE)).run(ODD), module(ODD))


class InPlace(nn.Module):
    """Overwrites what other operations read."""

    def forward(self, x: Tensor) -> Tensor:
        y = x * 2
        return torch.cat([y + 1, y.clone().add_(x).mul_(y)], 1)


def test_an_operation_that_writes_leaves_its_inputs_alone():
    runner = Runner(trace(InPlace(), EXAMPLE), garbage_collect_values=False)
    runner.run(ODD)
    values = {node.name: value for node, value in runner.env.items()}
    assert torch.equal(values["clone"], 2 * ODD)
    assert torch.equal(values["add_"], 3 * ODD)


def test_the_example_is_left_alone():
    example = EXAMPLE.clone()
    trace(toys.WritesToItsInput().eval(), example)
    assert torch.equal(example, EXAMPLE)


def test_only_what_leads_to_the_logits_is_kept():
    class Auxiliary(toys.Chain):
        def forward(self, x):
            return {"out": super().forward(x), "aux": self.fine(x).exp()}

    nodes = trace(Auxiliary().eval(), EXAMPLE).graph.nodes
    assert "exp" not in {node.name for node in nodes}


def test_a_size_on_which_the_module_fails_is_no_example():
    assert way(trace(toys.unet().eval(), EXAMPLE, [ODD])) == "fx"


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (None, "NoneType"),
        ({}, "NoneType"),
        (torch.zeros(3), r"\(3,\)"),
        (torch.tensor(0.0), r"\(\)"),
    ],
)
def test_what_returns_no_maps_is_refused(output, told):
    class Other(nn.Module):
        def forward(self, x):
            return output

    with pytest.raises(TypeError, match=f"{told} instead of one map per class"):
        trace(Other(), EXAMPLE)


class Nested(nn.Module):
    """A convolution in a part; while it is traced it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())
        self.is_traced, self.may_go_on = Event(), Event()

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, fx.Proxy):
            self.is_traced.set()
            self.may_go_on.wait(10)
        return self.part(x)


def test_other_threads_compute_and_trace_while_one_traces():
    one, other = Nested(), Nested()
    other.may_go_on.set()
    with ThreadPoolExecutor() as threads:
        first = threads.submit(trace, one, EXAMPLE)
        assert one.is_traced.wait(10)
        computed = threads.submit(toys.DarkAndBright(), EXAMPLE)
        assert computed.result(10).shape[1] == 2
        second = threads.submit(trace, other, EXAMPLE)
        other.is_traced.wait(0.5)
        one.may_go_on.set()
        for traced in (first.result(30), second.result(30)):
            assert [n.target for n in traced.graph.nodes if n.op == "call_module"] == [
                "part.0",
                "part.1",
            ]
