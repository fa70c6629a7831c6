from __future__ import annotations

import pytest
import torch

from napari_guideme.networks.attention_net import AttentionNet, alike
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.interaction import MAPS, InteractionMaps
from napari_guideme.networks.preparation import Preparation


@pytest.fixture(scope="module")
def network() -> FrozenNetwork:
    torch.manual_seed(0)
    return FrozenNetwork(
        AttentionNet(width=8).eval(),
        ("background", "thing"),
        Preparation(value_range="dtype", size=(64, 64)),
        interaction=InteractionMaps("saliency", previous=False, side=64),
        device="cpu",
    )


def test_what_lies_under_a_map_is_alike():
    activation = torch.zeros(1, 2, 2, 2)
    activation[0, :, 0, 0] = torch.tensor([1.0, 0.0])
    activation[0, :, 0, 1] = torch.tensor([1.0, 0.0])
    activation[0, :, 1, 0] = torch.tensor([0.0, 1.0])
    activation[0, :, 1, 1] = torch.tensor([0.0, 1.0])
    maps = torch.zeros(1, 2, 2, 2)
    maps[0, 0, 0, 0] = 1
    found = alike(activation, maps)
    # Less their mean the features are (1, -1) / 2 above and (-1, 1) / 2 below.
    torch.testing.assert_close(found[0, 0], torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))
    assert not found[0, 1].any()


def test_maps_of_zero_are_defined():
    found = alike(torch.rand(2, 5, 4, 4), torch.zeros(2, 2, 4, 4))
    assert torch.isfinite(found).all()
    assert not found.any()


def test_the_tail_behind_the_maps_leaves_the_encoder_alone(network):
    x = torch.rand(1, 5, 64, 64)
    head = network.head(x, MAPS)
    assert torch.equal(head.activation, x[:, 3:])
    torch.testing.assert_close(network.tail(head), network.observe(x)[0])
    assert not any(node.name.startswith("encoder_image_stem") for node in head.crossing)
    moved = head.activation.clone().requires_grad_()
    (slope,) = torch.autograd.grad(network.tail(head, moved)[0, 1].sum(), moved)
    assert slope.abs().amax((0, 2, 3)).gt(0).all()


def test_a_network_is_called_by_another_name(network):
    other = network.calling("dog")
    assert other.classes == other.card.classes == ("background", "dog")
    assert network.classes == ("background", "thing")
    assert other.fingerprint != network.fingerprint
