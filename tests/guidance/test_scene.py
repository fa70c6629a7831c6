from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_guideme.errors import InputError
from napari_guideme.guidance.scene import Scene, at_pixels, margins
from napari_guideme.networks.preparation import Preparation
from tests import toys


def test_logits_lie_on_the_pixels_of_the_image(network):
    scene = Scene(network, np.array([[0.0, 0.25, 1.0]]))
    assert scene.shape == (1, 3)
    assert scene.logits.tolist() == [[[1, 0.75, 0]], [[0, 0.25, 1]]]


def test_a_moved_activation_gives_other_logits(network):
    scene = Scene(network, np.array([[0.0, 0.25, 1.0]]))
    assert torch.equal(scene.guided(scene.head.activation), scene.logits)
    assert torch.equal(scene.guided(2 * scene.head.activation), 2 * scene.logits)


@pytest.mark.parametrize("shape", [(5, 3), (1, 17), (9, 8)])
def test_padding_is_cut_off(shape):
    network = toys.frozen(
        toys.DarkAndBright(), preparation=Preparation(channels=1, value_range="none", multiple=4)
    )
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    scene = Scene(network, image, point="relu")
    np.testing.assert_array_equal(scene.logits[1], image)
    np.testing.assert_array_equal(scene.guided(scene.head.activation)[1], image)


def test_the_head_runs_once(network, monkeypatch):
    scene, calls, run = Scene(network, np.zeros((2, 2))), [], network.observe_cut
    monkeypatch.setattr(network, "observe_cut", lambda *told: calls.append(told) or run(*told))
    monkeypatch.setattr(network, "head", lambda *told: calls.append(told))
    scene.guided(scene.head.activation)
    scene.guided(scene.head.activation)
    assert len(scene.logits) == 2
    assert len(calls) == 1


def test_channels_are_chosen(network):
    image = np.zeros((2, 2, 5))
    image[..., 3] = 1
    scene = Scene(network, image, channel_axis=2, channels=[3])
    assert (scene.logits[1] == 1).all()


def test_the_guide_point_is_the_networks_own_by_default(network):
    assert Scene(network, np.zeros((2, 2))).point == "relu"
    assert Scene(network, np.zeros((2, 2)), point="input").point == "input"
    with pytest.raises(InputError, match="input, relu"):
        Scene(network, np.zeros((2, 2)), point="encoder")


def test_values_at_pixels():
    maps = torch.arange(12).view(2, 2, 3)
    assert at_pixels(maps, torch.tensor([[0, 0], [1, 2]])).tolist() == [[0, 6], [5, 11]]
    volume = torch.arange(8).view(1, 2, 2, 2)
    assert at_pixels(volume, torch.tensor([[1, 0, 1]])).tolist() == [[5]]


def test_margins_compare_with_the_best_other_class():
    logits = torch.tensor([[1.0, 4.0, 2.0], [1.0, 4.0, 2.0]])
    assert margins(logits, torch.tensor([1, 2])).tolist() == [2, -2]
