from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_guideme.guidance.features import Features
from napari_guideme.networks.preparation import Placement, Preparation

LEFT_RIGHT = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]] * 4]])
TOP_BOTTOM = LEFT_RIGHT.transpose(2, 3)


def features(*levels: Tensor, shape: tuple[int, ...] = (4, 4)) -> Features:
    placement = Placement(shape, shape, shape)
    named = {f"level_{i}": level for i, level in enumerate(levels)}
    return Features(named, Preparation(ndim=len(shape)), placement)


def pixels(*positions: tuple[int, ...]) -> Tensor:
    return torch.tensor(positions)


def test_features_are_standardised_and_of_length_1():
    at = features(1000 + LEFT_RIGHT).at(pixels((0, 0), (3, 3)))
    torch.testing.assert_close(at, [torch.tensor([[-1.0], [1.0]])])


def test_similarity_is_the_mean_over_levels():
    both = features(LEFT_RIGHT, TOP_BOTTOM)
    corners = both.at(pixels((0, 0), (0, 3), (3, 3)))
    expected = torch.tensor([[1.0, 0, -1], [0, 1, 0], [-1, 0, 1]])
    torch.testing.assert_close(both.between(corners), expected)


def test_maps_hold_the_similarity_of_every_pixel():
    both = features(LEFT_RIGHT, TOP_BOTTOM)
    (similarity,) = both.maps(both.at(pixels((0, 0))))
    expected = torch.tensor([[1.0, 1, 0, 0]] * 2 + [[0.0, 0, -1, -1]] * 2)
    torch.testing.assert_close(similarity, expected)


def test_likeness_is_the_largest_similarity_and_never_negative():
    likeness = features(LEFT_RIGHT).likeness(pixels((0, 0)))
    torch.testing.assert_close(likeness, torch.tensor([[1.0, 1, 0, 0]] * 4))
    likeness = features(LEFT_RIGHT).likeness(pixels((0, 0), (1, 3)))
    torch.testing.assert_close(likeness, torch.ones(4, 4))


def test_likeness_of_many_hints():
    everywhere = torch.cartesian_prod(torch.arange(8), torch.arange(8))
    likeness = features(torch.rand(1, 3, 8, 8), shape=(8, 8)).likeness(everywhere)
    torch.testing.assert_close(likeness, torch.ones(8, 8))


def test_coarse_levels_are_interpolated():
    coarse = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])
    level = features(coarse, shape=(2, 8))
    at = level.at(pixels((0, 0), (1, 3), (0, 4), (1, 7)))
    torch.testing.assert_close(at, [torch.tensor([[-1.0], [-0.5], [0.5], [1.0]])])


def test_hints_are_found_in_a_resized_and_padded_image():
    # Image columns 0, 1 lie at 0.5 and 2.5 of the network's 4, and 4 more are padding.
    activation = torch.tensor([[[[1.0, 1, 0, 0, 0, 0, 1, 1]] * 2]])
    placement = Placement((2, 2), (2, 4), (2, 8))
    level = Features({"a": activation}, Preparation(), placement)
    at = level.at(pixels((0, 0), (1, 1)))
    torch.testing.assert_close(at, [torch.tensor([[1.0], [-1.0]])])
    (similarity,) = level.maps([at[0][:1]])
    assert similarity.shape == (2, 2)
    assert (similarity[:, 0] > 0).all()
    assert (similarity[:, 1] < 0).all()


def test_a_volume_has_features():
    activation = torch.zeros(1, 1, 2, 3, 4)
    activation[:, :, 1] = 1
    level = features(activation, shape=(2, 3, 4))
    (similarity,) = level.maps(level.at(pixels((1, 2, 3))))
    assert similarity.shape == (2, 3, 4)
    torch.testing.assert_close(similarity[0], -torch.ones(3, 4))
    torch.testing.assert_close(similarity[1], torch.ones(3, 4))


def test_similarity_is_a_kernel():
    level = features(torch.randn(1, 5, 4, 4), torch.randn(1, 2, 2, 2))
    everywhere = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    gram = level.between(level.at(everywhere))
    torch.testing.assert_close(gram, gram.T)
    assert torch.linalg.eigvalsh(gram.double()).min() > -1e-6
    assert gram.max() <= 1 + 1e-6


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (4, 4)])
def test_an_image_without_contrast_has_no_nan(size):
    level = features(torch.ones(1, 3, *size), shape=size)
    assert torch.isfinite(level.likeness(pixels((0, 0)))).all()
