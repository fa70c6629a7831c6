"""Images that go through the network in tiles: guiding starts from the labels that are shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from napari_guideme import Click, GuideSession
from napari_guideme.guidance.scene import Scene
from napari_guideme.networks.preparation import Preparation
from tests import toys


class Normalising(nn.Module):
    """Finds what is bright beside the rest of what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.normalise = nn.InstanceNorm2d(4)
        self.second = nn.Conv2d(4, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(F.relu(self.normalise(self.first(x))))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    preparation = Preparation(channels=1, value_range="none")
    return toys.frozen(Normalising(), preparation=preparation)


@pytest.fixture
def scene(network):
    image = np.random.default_rng(0).random((1400, 60), np.float32)
    image[:500] *= 0.2
    return lambda: Scene(network, image, at_once=40_000)


def session(scene, method):
    return GuideSession.on(scene(), method=method, point_is_chosen=True)


def test_the_network_says_something_else_of_tiles(network, scene):
    tiled = scene()
    whole = Scene(network, tiled._image)
    assert (tiled.logits.argmax(0) != whole.logits.argmax(0)).float().mean() > 0.01


@pytest.mark.parametrize("method", ["residual", "f-brs", "guide-me", "brs", "rgb-brs"])
def test_it_does_not_matter_whether_labels_were_shown_first(scene, method):
    shown = session(scene, method)
    before = shown.predict()
    click = Click((1000, 30), shown.network.classes[1 - before[1000, 30]])
    unseen = session(scene, method)
    for one in (shown, unseen):
        one.add(click)
        list(one.refine())
        assert one.satisfied() == [True]
    np.testing.assert_array_equal(shown.labels(), unseen.labels())
    np.testing.assert_array_equal(unseen.predict(), before)


def test_an_activation_that_is_not_moved_changes_nothing(scene):
    tiled = scene()
    assert torch.equal(tiled.guided(tiled.head.activation), tiled.logits)
    elsewhere = tiled.at("second" if tiled.point == "input" else "input")
    assert torch.equal(elsewhere.guided(elsewhere.head.activation), tiled.logits)
