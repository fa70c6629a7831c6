from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from napari_guideme.networks.rectifiers import find_rectifiers
from napari_guideme.networks.tracing import Runner, trace


class Functions(nn.Module):
    """Every way to write a ReLU, and what only looks like one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.module, self.bounded = nn.ReLU(inplace=True), nn.Hardtanh(0, 4)

    def forward(self, x):
        x = F.relu(self.conv(x))
        x = F.relu6(self.conv(x))
        x = torch.relu(self.conv(x))
        x = self.conv(x).relu()
        x = self.conv(x).relu_()
        x = self.module(self.conv(x))
        x = self.bounded(self.conv(x))
        x = F.hardtanh(self.conv(x), 0.0, 2.0)
        x = F.hardtanh(self.conv(x), max_val=3.0, min_val=0.0)
        x = F.hardtanh(self.conv(x), -1.0, 2.0) + F.leaky_relu(x) + F.hardtanh(x)
        return x + self.other(x)

    def other(self, x):
        return F.gelu(x) + F.hardswish(x)


class Branching(Functions):
    """fx cannot trace it, torch.export can."""

    def other(self, x):
        return x * 2 if x.shape[1] == 3 and bool(torch.ones(1) > 0) else x


CEILINGS = [math.inf, 6, math.inf, math.inf, math.inf, math.inf, 4, 2, 3]


def test_all_are_found_in_order():
    graph_module = trace(Functions().eval(), torch.rand(1, 3, 4, 4))
    assert [r.ceiling for r in find_rectifiers(graph_module)] == CEILINGS


def test_all_are_found_in_an_exported_graph():
    module = Functions().eval()
    program = torch.export.export(module, (torch.rand(1, 3, 4, 4),))
    graph_module = trace(program.module(), torch.rand(1, 3, 4, 4))
    assert [r.ceiling for r in find_rectifiers(graph_module)] == CEILINGS


@pytest.mark.parametrize("make", [nn.ReLU, nn.ReLU6])
def test_a_rectifier_computes_what_it_stands_for(make):
    graph_module = trace(nn.Sequential(make()), torch.rand(1, 3, 4, 4))
    (rectifier,) = find_rectifiers(graph_module)
    a = torch.tensor([[-1.0, 0.0, 2.0, 6.0, 7.0]]).requires_grad_()
    expected = Runner(graph_module).run(a)
    assert torch.equal(rectifier(a), expected)
    (slope,) = torch.autograd.grad(expected.sum(), a)
    assert torch.equal(rectifier.passes(a).float(), slope)
