from __future__ import annotations

import pytest
import torch

from napari_guideme.networks.click_net import ClickNet
from tests.untouched import state


@pytest.mark.parametrize("maps", [2, 3])
@pytest.mark.parametrize("shape", [(64, 96), (32, 32), (256, 64)])
def test_the_logit_of_the_object_has_the_size_of_the_image(maps, shape):
    network = ClickNet(maps, width=16).eval()
    x = torch.rand(2, 3 + maps, *shape)
    with torch.no_grad():
        coarse, fine = network.stages(x)
        assert coarse.shape == (2, 1, shape[0] // 8, shape[1] // 8)
        assert fine.shape == (2, 1, *shape)
        assert torch.equal(network(x), fine)


def test_the_encoder_has_one_activation_for_each_stride():
    encoder = ClickNet().encoder.eval()
    with torch.no_grad():
        found = encoder(torch.rand(1, 6, 64, 64))
    assert [tuple(a.shape[1:]) for a in found] == [
        (16, 32, 32),
        (24, 16, 16),
        (40, 8, 8),
        (112, 4, 4),
        (320, 2, 2),
    ]


def test_maps_without_weights_change_nothing_in_the_encoder():
    encoder = ClickNet().encoder.eval()
    torch.nn.init.zeros_(encoder.maps_stem.weight)
    x, y = torch.rand(2, 1, 6, 32, 32)
    y[:, :3] = x[:, :3]
    with torch.no_grad():
        for a, b in zip(encoder(x), encoder(y), strict=True):
            assert torch.equal(a, b)


def test_convolutions_are_padded_as_in_tensorflow():
    """With stride 2 and an even side nothing is padded before, one pixel behind."""
    stem = ClickNet().encoder.image_stem
    torch.nn.init.zeros_(stem.weight)
    stem.weight.data[:, :, 0, 0] = 1
    x = torch.zeros(1, 3, 4, 4)
    x[:, 0, 0, 2] = 1
    assert stem(x)[0, 0].tolist() == [[0, 1], [0, 0]]


def test_it_is_read_without_being_changed():
    network = ClickNet().eval()
    before = state(network.encoder.maps_stem)
    network(torch.rand(1, 6, 32, 32))
    assert state(network.encoder.maps_stem) == before
