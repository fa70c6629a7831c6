from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from napari_guideme.guidance.variables import (
    DistanceOffset,
    EnteringMaps,
    GuidingBlock,
    Offset,
)

A = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])


@pytest.mark.parametrize(
    ("channels", "cells", "size"), [(3, (), 6), (1, (8, 8), 18), (2, (2, 3, 4), 13)]
)
def test_the_number_of_values(channels, cells, size):
    assert GuidingBlock(channels, cells).size == size


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 1, 1), (2, 4, 3, 5)])
@pytest.mark.parametrize("cells", [0, 2, 8])
def test_the_initial_values_change_nothing(shape, cells):
    activation = torch.rand(1, *shape)
    block = GuidingBlock(2, (cells,) * (len(shape) - 1) if cells else ())
    values = block.initial()
    assert values.shape == (block.size,)
    assert torch.equal(block.apply(activation, values), activation)


def test_values_are_scale_bias_rows_columns():
    scale, bias, (rows, columns) = GuidingBlock(2, (3, 1)).split(torch.arange(8.0))
    assert scale.tolist() == [0, 1]
    assert bias.tolist() == [2, 3]
    assert rows.tolist() == [4, 5, 6]
    assert columns.tolist() == [7]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2, 0, 0, 0, 0, 0], 3 * A),
        ([0, 7, 0, 0, 0, 0], A + 7),
        # Rows: 0 on top, 1 below.
        ([0, 0, 0, 1, 0, 0], [[[[1, 2, 3], [8, 10, 12]]]]),
        # Columns: 0, 2, 4 by linear interpolation.
        ([0, 0, 0, 0, 0, 4], [[[[1, 6, 15], [4, 15, 30]]]]),
        # 1 + α + β + γˢ is 4, 5, 6 on top and 5, 6, 7 below; γᵇ is 10.
        ([2, 10, 0, 1, 1, 3], [[[[14, 20, 28], [30, 40, 52]]]]),
    ],
)
def test_equations_1_to_3_of_guide_me(values, expected):
    block = GuidingBlock(1, (2, 2))
    moved = block.apply(A, torch.tensor(values, dtype=torch.float32))
    torch.testing.assert_close(moved, torch.as_tensor(expected, dtype=torch.float32))


def test_attention_is_interpolated_linearly_from_edge_to_edge():
    values = torch.tensor([0.0, 0, 0, 0, 4, 0])
    moved = GuidingBlock(1, (1, 3)).apply(torch.ones(1, 1, 1, 5), values)
    assert moved.ravel().tolist() == [1, 3, 5, 3, 1]


def test_every_channel_has_its_own_scale_and_bias():
    moved = GuidingBlock(2).apply(torch.ones(1, 2, 1, 1), torch.tensor([1.0, 2.0, 10.0, 20.0]))
    assert moved.ravel().tolist() == [12.0, 23.0]


def test_attention_is_shared_by_the_channels():
    values = torch.tensor([0.0, 0, 0, 0, 1, 1, 0, 0])
    moved = GuidingBlock(2, (2, 2)).apply(torch.ones(1, 2, 2, 2), values)
    assert moved.tolist() == [[[[2, 2], [2, 2]]] * 2]


def test_a_volume_has_attention_along_three_axes():
    block = GuidingBlock(1, (2, 2, 2))
    values = torch.tensor([0.0, 0, 0, 100, 0, 10, 0, 1])
    moved = block.apply(torch.ones(1, 1, 2, 2, 2), values)
    assert moved.ravel().tolist() == [1, 2, 11, 12, 101, 102, 111, 112]


def test_the_block_is_differentiable_and_leaves_the_activation_alone():
    block, activation = GuidingBlock(1, (2, 2)), A.double()
    values = torch.rand(block.size, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: block.apply(activation, v), values)
    assert torch.equal(activation, A.double())


VARIABLES = {
    "offset": Offset(1, 2, (4, 5)),
    "distances": DistanceOffset(1, 2, (4, 5)),
    "entering": EnteringMaps(2, 3, (3, 3), (1, 1), (4, 5)),
    "block": GuidingBlock(3, (2, 2)),
}


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=VARIABLES)
def test_zero_changes_nothing_to_the_bit(variable):
    activation = torch.rand(1, 3, 4, 5)
    activation[0, 1, 0] = 1  # Distances without a click.
    assert torch.equal(variable.apply(activation, variable.initial()), activation)


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=VARIABLES)
def test_gradients_are_those_of_finite_differences(variable):
    activation = torch.rand(1, 3, 4, 5, dtype=torch.float64) * 0.9
    shape = variable.initial().shape
    values = (torch.rand(shape, dtype=torch.float64) - 0.5).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: variable.apply(activation, v), values)


def test_an_offset_moves_its_channels_alone():
    activation = torch.zeros(1, 4, 1, 2)
    moved = Offset(1, 2, (1, 2)).apply(activation, torch.tensor([[[[1.0, 2]], [[3, 4]]]]))
    assert moved.tolist() == [[[[0, 0]], [[1, 2]], [[3, 4]], [[0, 0]]]]


def test_an_offset_of_distances_moves_them_before_they_are_mapped():
    # A pixel half a reach away from a click, and one on it; both are moved by half a reach.
    maps = torch.tensor([[[[math.tanh(0.5), 0.0]]]])
    moved = DistanceOffset(0, 1, (1, 2)).apply(maps, torch.full((1, 1, 1, 2), 0.5))
    torch.testing.assert_close(moved, torch.tensor([[[[math.tanh(1), math.tanh(0.5)]]]]))


def test_maps_without_clicks_can_come_nearer_but_not_go_further_than_1():
    variable = DistanceOffset(0, 1, (1, 1))
    none = torch.ones(1, 1, 1, 1)
    assert float(variable.apply(none, torch.full((1, 1, 1, 1), -2.0))) < 0.1
    assert float(variable.apply(none, torch.full((1, 1, 1, 1), 9.0))) == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(("stride", "kernel"), [(1, 3), (2, 3), (2, 5), (1, 1)])
@pytest.mark.parametrize("ndim", [2, 3])
def test_entering_maps_fit_the_first_convolution(padding, stride, kernel, ndim):
    layer = {2: nn.Conv2d, 3: nn.Conv3d}[ndim](1, 4, kernel, stride, padding)
    shape = (9, 12, 10)[:ndim]
    activation = layer(torch.rand(1, 1, *shape)).detach()
    variable = EnteringMaps(2, 4, (kernel,) * ndim, (stride,) * ndim, shape)
    values = torch.rand(1, 2, *shape, requires_grad=True)
    moved = variable.apply(activation, values)
    assert moved.shape == activation.shape
    (gradient,) = torch.autograd.grad(moved.square().sum(), values)
    assert gradient.flatten(2).any(2).all()


def test_entering_maps_are_convolved_with_their_weights():
    variable = EnteringMaps(1, 2, (3, 3), (1, 1), (5, 5))
    impulse = torch.zeros(1, 1, 5, 5)
    impulse[0, 0, 2, 2] = 1
    activation = torch.stack([torch.zeros(5, 5), torch.ones(5, 5)])[None]
    moved = variable.apply(activation, impulse) - activation
    expected = variable.weights()[:, 0].flip(1, 2) * activation.std()
    torch.testing.assert_close(moved[0, :, 1:4, 1:4], expected)
    torch.testing.assert_close(variable.weights().flatten(1).norm(dim=1), torch.ones(2))
    assert torch.equal(variable.weights(), EnteringMaps(1, 2, (3, 3), (1, 1), (9, 9)).weights())
