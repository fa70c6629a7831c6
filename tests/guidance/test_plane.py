from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_guideme.guidance.plane import Plane
from napari_guideme.guidance.scene import Scene
from napari_guideme.networks.preparation import Placement, Preparation
from tests import toys

SHAPE = (7, 6, 9)


@pytest.fixture
def volumes():
    """A network whose inside is half as fine, for volumes of even sides."""
    preparation = Preparation(ndim=3, channels=1, value_range="none", multiple=2)
    return toys.frozen(toys.with_statistics(toys.Volume()), preparation=preparation)


@pytest.fixture
def whole(volumes) -> Scene:
    return Scene(volumes, np.random.default_rng(0).random(SHAPE, dtype=np.float32))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("first", [True, False], ids=["cut after", "cut before"])
def test_logits_of_a_plane_are_the_plane_of_the_logits(whole, axis, first):
    if first:
        assert whole.logits.shape == (2, *SHAPE)
    for index in range(SHAPE[axis]):
        plane = whole.plane(axis, index)
        assert plane.shape == SHAPE[:axis] + SHAPE[axis + 1 :]
        assert torch.equal(plane.logits, whole.logits.select(axis + 1, index))


def test_a_plane_is_guided_as_the_whole_is(whole):
    plane = whole.plane(1, 4)
    moved = plane.guided(plane.head.activation + 1)
    assert not torch.equal(moved, plane.logits)
    expected = whole.guided(whole.head.activation + 1)[:, :, 4]
    assert torch.equal(moved, expected)


def test_planes_are_cut_out_of_one_pass(whole, volumes, monkeypatch):
    calls, run = [], volumes.observe_cut
    monkeypatch.setattr(volumes, "observe_cut", lambda *told: calls.append(1) or run(*told))
    assert len(whole.logits) == 2
    for index in range(7):
        assert len(whole.plane(0, index).logits) == 2
    assert calls == [1]


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("padded", [8, 12])
def test_features_are_cut_where_the_slice_lies_in_a_coarse_level(axis, padded):
    """The value of each cell is where it lies: the cut must say where the slice lies."""
    sizes = [4, 4, 4]
    sizes[axis] = 8
    whole = [4, 4, 4]
    whole[axis] = padded
    placement = Placement(tuple(sizes), tuple(sizes), tuple(whole))
    stride = 2
    along = (torch.arange(padded // stride) + 0.5) * stride - 0.5
    view = [1] * 5
    view[2 + axis] = -1
    activation = along.view(view).expand(1, 2, *(n // stride for n in whole))
    for index in range(8):
        cut = Plane.at(axis, index, placement).of_network(activation)
        assert cut.shape == (1, 2, 2, 2)
        # Beyond the middle of the outermost cells there is nothing to go between.
        expected = min(max(index, 0.5), padded - 1.5)
        torch.testing.assert_close(cut, torch.full_like(cut, expected))


def test_a_resized_volume_is_cut_at_the_same_place():
    placement = Placement((4, 4, 4), (8, 4, 4), (8, 4, 4))
    activation = torch.arange(8.0).view(1, 1, 8, 1, 1)
    for index in range(4):
        cut = Plane.at(0, index, placement).of_network(activation)
        assert cut.item() == pytest.approx(2 * index + 0.5)


def test_a_plane_of_features_is_standardised_as_an_image_of_its_own(whole):
    plane = whole.plane(0, 3)
    positions = torch.tensor([[0, 0], [4, 7], [5, 2]])
    activation = whole.network.observe(whole._x, whole.network.feature_points)[1]
    for level, values in zip(plane.features.at(positions), activation.values(), strict=True):
        assert level.shape == (3, values.shape[1])
    cut = [Plane.at(0, 3, whole.placement).of_network(a)[0] for a in activation.values()]
    for (mean, deviation), values in zip(plane.features.spread, cut, strict=True):
        torch.testing.assert_close(mean, values.flatten(1).mean(1))
        torch.testing.assert_close(deviation, values.flatten(1).std(1, correction=0))


def test_what_is_forgotten_is_computed_anew(whole, volumes, monkeypatch):
    calls, run = [], volumes.observe_cut
    monkeypatch.setattr(volumes, "observe_cut", lambda *told: calls.append(1) or run(*told))
    before = whole.logits
    whole.forget()
    assert torch.equal(whole.logits, before)
    assert len(calls) == 2
    assert whole.logits is not before


def test_forgetting_keeps_what_was_carried_to_a_scene(network, picture):
    scene = Scene(network, picture).shifted(torch.full((2, 16, 16), 3.0))
    before = scene.logits
    scene.forget()
    assert torch.equal(scene.logits, before)
    assert not torch.equal(scene.logits, scene.own_logits)
