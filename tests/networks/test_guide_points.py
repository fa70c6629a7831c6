from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from napari_guideme.errors import InputError
from napari_guideme.hints import Click
from napari_guideme.networks.guide_points import GuidePoint, dependents
from napari_guideme.networks.preparation import Preparation
from napari_guideme.session import GuideSession
from tests import toys

FLAT = Preparation(channels=1, value_range="none", multiple=4)


def test_guide_points_of_a_chain_are_known():
    points = toys.frozen(toys.Chain()).guide_points
    assert [(p.name, p.channels, p.stride) for p in points] == [
        ("input", 1, 1),
        ("relu", 2, 1),
        ("relu_1", 4, 2),
    ]
    assert [p.tail_share for p in points] == pytest.approx([1, 10 / 19, 1 / 19])


def test_the_tail_gets_shorter_along_a_u_net():
    points = toys.frozen(toys.unet(), preparation=FLAT).guide_points
    shares = [point.tail_share for point in points]
    assert shares == sorted(shares, reverse=True)
    assert 0 < shares[-1] < 0.1
    assert {point.stride for point in points} == {1, 2, 4}


class Mixed(nn.Module):
    """Pools, joins, resamples and multiplies by a number that depends on the size."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(1, 2, 3, padding=1)
        self.norm = nn.BatchNorm2d(2)
        self.b = nn.Conv2d(2, 3, 1)
        self.weight = nn.Parameter(torch.rand(1, 3, 1, 1))
        self.classifier = nn.Conv2d(5, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = F.relu(self.norm(self.a(x)))
        coarse = self.b(F.max_pool2d(fine, 2)) * self.weight
        coarse = coarse.shape[-1] * coarse
        attention = torch.sigmoid(F.adaptive_avg_pool2d(fine, 1))
        up = F.interpolate(coarse, scale_factor=2.0)
        return self.classifier(torch.cat([up, fine * attention], 1))


def test_only_ends_of_chains_are_guide_points():
    points = toys.frozen(Mixed(), preparation=FLAT).guide_points
    assert [(p.name, p.channels, p.stride) for p in points] == [
        ("input", 1, 1),
        ("relu", 2, 1),
        # Two operations read `mul`: the product, and the one that asks for its size.
        ("mul", 3, 2),
        ("mul_1", 3, 2),
        ("mul_2", 2, 1),
        ("cat", 5, 1),
    ]


def test_an_opaque_network_has_its_input_alone():
    points = toys.frozen(toys.DataBranch()).guide_points
    assert points == (GuidePoint("input", 1, 1.0, 1.0),)


@pytest.mark.parametrize(
    "module", [toys.DataBranch(), toys.pixelwise([-1.0, 1.0], [1.0, 0.0])], ids=["opaque", "single"]
)
def test_where_only_the_logits_can_be_moved_no_maps_enter(module):
    network = toys.frozen(module, name="toy")
    with pytest.raises(InputError, match=r"cannot enter toy: .* rgb-brs"):
        _ = network.entry
    session = GuideSession(np.zeros((16, 16), np.float32), network, method="brs")
    session.add(Click((3, 3), "cell"))
    with pytest.raises(InputError, match="rgb-brs"):
        list(session.refine())
    assert not session.changed().any()


def test_dependents_are_all_that_comes_after():
    graph = fx.symbolic_trace(Mixed()).graph
    nodes = {node.name: node for node in graph.nodes}
    assert {node.name for node in dependents(nodes["mul_2"])} == {"cat", "classifier", "output"}
    assert dependents(nodes["output"]) == set()
    assert nodes["relu"] not in dependents(nodes["relu"])


class Rescaling(toys.Chain):
    """Scales its input before the first convolution."""

    def forward(self, x):
        return super().forward(x * 2 - 1)


def test_what_only_rescales_the_input_is_the_input():
    names = [point.name for point in toys.frozen(Rescaling()).guide_points]
    assert names == [point.name for point in toys.frozen(toys.Chain()).guide_points]
