"""Networks whose output is smaller than their input: labels lie where they belong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from napari_guideme import Click, GuideSession
from napari_guideme.errors import InputError
from napari_guideme.guidance.scene import Scene
from napari_guideme.networks.margins import centred, mirrored
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.tiles import observe_tiled
from tests import toys

SIDES = Preparation(channels=1, value_range="none", multiple=4, offset=2)


class Threshold(nn.Module):
    """Finds what is bright, and loses 16 pixels on each side over it."""

    def __init__(self, ndim: int = 2) -> None:
        super().__init__()
        kind = nn.Conv2d if ndim == 2 else nn.Conv3d
        self.parts = nn.ModuleList(kind(1, 1, 17, bias=False) for _ in range(2))
        for part in self.parts:
            part.weight.data.zero_()
            part.weight.data[(0, 0, *(8,) * ndim)] = 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for part in self.parts:
            x = part(x).relu()
        return 20 * (x - 0.5)


@pytest.fixture
def squares():
    image = np.zeros((90, 75), np.float32)
    image[20:36, 20:36] = image[60:80, 50:72] = image[:5, :4] = 1
    return image


@pytest.mark.parametrize("scripted", [False, True])
def test_labels_lie_where_the_image_says(squares, scripted):
    module = torch.jit.script(Threshold()) if scripted else Threshold()
    network = toys.frozen(module)
    assert network.preparation.margin == (32, 32)
    np.testing.assert_array_equal(GuideSession(squares, network).predict(), squares)


def test_so_do_those_of_volumes(squares):
    image = np.repeat(squares[None, :40, :40], 9, axis=0)
    network = toys.frozen(Threshold(3), preparation=Preparation(3, 1, value_range="none"))
    np.testing.assert_array_equal(GuideSession(image, network).predict(), image)


def test_a_network_of_one_size_labels_all_of_the_image(squares):
    preparation = Preparation(channels=1, value_range="none", size=(122, 107))
    network = toys.frozen(Threshold(), preparation=preparation)
    assert network.preparation.margin == (32, 32)
    np.testing.assert_array_equal(GuideSession(squares, network).predict(), squares)


@pytest.mark.parametrize("shape", [(40, 60), (44, 64), (8, 12)])
def test_the_network_is_shown_the_mirrored_image(shape):
    module = toys.ValidUNet()
    network = toys.frozen(module, preparation=SIDES)
    assert network.preparation.margin == (20, 20)
    x, _ = network.preparation.prepare(np.random.default_rng(0).random(shape))
    assert tuple(x.shape[2:]) == shape
    wide = torch.from_numpy(np.pad(x.numpy(), [(0, 0)] * 2 + [(11, 11)] * 2, "symmetric"))
    expected = module(wide)[:, :, 1:-1, 1:-1]
    assert torch.equal(network.observe(x)[0], expected)
    for point in network.guide_points:
        assert torch.equal(network.tail(network.head(x, point.name)), expected), point


def test_strides_are_those_without_borders():
    network = toys.frozen(toys.ValidUNet(), preparation=SIDES)
    assert {point.stride for point in network.guide_points} == {1, 2, 4}
    assert [network.guide_point(p).stride for p in network.feature_points] == [2, 4, 2]


def test_an_activation_lies_on_the_pixels_that_it_is_of():
    place = torch.zeros(1, 1, 24, 24)
    place[0, 0, 10, 13] = 1
    at = mirrored(place, (20, 20))[:, :, 4:-4, 4:-4]
    assert torch.equal(centred(at, 1.0, (24, 24)).round(decimals=4), place)
    coarse = torch.arange(12.0).expand(1, 1, 12, 12)
    assert torch.allclose(centred(coarse, 2.0, (8, 8))[0, 0, 0], torch.arange(4.0, 8.0))


@pytest.mark.parametrize("method", ["residual", "f-brs", "guide-me", "brs", "rgb-brs"])
@pytest.mark.parametrize("at", [(1, 30), (25, 30)])
def test_a_click_is_followed_anywhere(method, at):
    image = np.random.default_rng(0).random((50, 61))
    network = toys.frozen(toys.ValidUNet(), preparation=SIDES)
    session = GuideSession(image, network, method=method)
    session.add(Click(at, network.classes[1 - session.predict()[at]]))
    list(session.refine())
    assert session.satisfied() == [True]


def test_tiles_are_the_whole():
    network = toys.frozen(toys.ValidUNet(), preparation=SIDES)
    scene = Scene(network, np.random.default_rng(0).random((201, 170)))
    points = network.feature_points
    whole, tiled = network.observe(scene._x, points), observe_tiled(network, scene._x, points, 9000)
    assert torch.allclose(whole[0], tiled[0], atol=1e-5)
    for point in points:
        assert torch.allclose(whole[1][point], tiled[1][point], atol=1e-5), point


def test_a_margin_that_hangs_on_the_size_is_told():
    with pytest.raises(InputError, match="tell multiple and offset of its sides"):
        toys.frozen(toys.ValidUNet())


def test_a_margin_that_is_told_must_be_that_of_the_network():
    told = Preparation(channels=1, value_range="none", margin=(6, 6))
    with pytest.raises(InputError, match="another margin"):
        toys.frozen(Threshold(), preparation=told)


def test_the_card_of_a_network_with_a_margin_describes_it():
    network = toys.frozen(toys.ValidUNet(), preparation=SIDES)
    told = Preparation.from_dict(network.card.preparation)
    assert told.margin == (20, 20)
    again = toys.frozen(toys.ValidUNet(), preparation=told)
    assert again.guide_points == network.guide_points


@pytest.mark.parametrize("build", [toys.unet, toys.Chain, toys.Residual])
def test_an_output_of_some_stride_has_no_margin(build):
    preparation = Preparation(channels=1, value_range="none", multiple=4)
    assert toys.frozen(build(), preparation=preparation).preparation.margin == ()


@pytest.mark.parametrize("margin", [(1,), (-1, 2), (1.5, 2), 3])
def test_what_is_no_margin_is_refused(margin):
    with pytest.raises(InputError, match=r"margin = .* is not a list of 2 whole numbers"):
        Preparation(margin=margin)


def test_a_margin_is_smaller_than_the_size():
    with pytest.raises(InputError, match="smaller than the size"):
        Preparation(size=(20, 20), margin=(20, 4))
