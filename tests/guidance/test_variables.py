from __future__ import annotations

import pytest
import torch

from napari_guideme.guidance.variables import GuidingBlock

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
