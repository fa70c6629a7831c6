from __future__ import annotations

import math

import pytest
import torch

from napari_guideme.guidance.distances import (
    away_from,
    depth_map,
    depth_within,
    depths,
    squared_between,
    squared_maps,
)

#: Pixels as tall as wide, and twice as tall as wide.
SQUARE, TALL = (1.0, 1.0), (2.0, 1.0)


def test_distances_between_pixels():
    places = torch.tensor([(0, 0), (3, 4), (3, 0)])
    assert squared_between(places, SQUARE).tolist() == [[0, 25, 9], [25, 0, 16], [9, 16, 0]]
    assert squared_between(places, TALL).tolist() == [[0, 52, 36], [52, 0, 16], [36, 16, 0]]


def test_distances_of_all_pixels():
    found = squared_maps(torch.tensor([(0, 1), (1, 0)]), (2, 3), TALL)
    assert found.tolist() == [[[1, 0, 1], [5, 4, 5]], [[4, 5, 8], [0, 1, 4]]]


def test_far_pixels_are_as_far_as_whole_numbers_say():
    # Beyond 2^24 single precision cannot hold the sum of two squares that were rounded.
    places = torch.tensor([(0, 0), (4099, 5003)])
    assert float(squared_between(places, SQUARE)[0, 1]) == float(
        torch.tensor(4099**2 + 5003**2, dtype=torch.float32)
    )


class TestDepths:
    #: 7 x 7 pixels: three columns of class 0, one of class 1, three of class 2.
    COLUMNS = torch.tensor([[0, 0, 0, 1, 2, 2, 2]] * 7)

    @pytest.mark.parametrize(
        ("position", "depth"),
        [((3, 0), 1), ((3, 1), 2), ((3, 2), 1), ((3, 3), 1), ((3, 5), 2), ((0, 1), 1), ((6, 5), 1)],
    )
    def test_it_is_the_way_to_the_next_label_or_out_of_the_image(self, position, depth):
        assert depths(self.COLUMNS, torch.tensor([position]), SQUARE).tolist() == [depth]

    def test_pixels_of_several_labels(self):
        positions = torch.tensor([(3, 5), (3, 3), (3, 1), (0, 0), (3, 5)])
        assert depths(self.COLUMNS, positions, SQUARE).tolist() == [2, 1, 2, 1, 2]

    def test_it_is_euclidean(self):
        labels = torch.zeros(9, 9, dtype=torch.long)
        labels[2, 3] = 1
        found = depths(labels, torch.tensor([(4, 4), (3, 4), (2, 3), (5, 5)]), SQUARE)
        assert found.tolist() == pytest.approx([math.sqrt(5), math.sqrt(2), 1, math.sqrt(13)])

    def test_one_label_everywhere(self):
        labels, positions = torch.zeros(5, 8).long(), torch.tensor([(2, 3), (1, 6), (0, 4)])
        found = depths(labels, positions, SQUARE)
        assert found.tolist() == [3, 2, 1]

    def test_volumes(self):
        labels = torch.zeros(5, 7, 7, dtype=torch.long)
        labels[2, 3, 5] = 1
        positions = torch.tensor([(2, 3, 3), (1, 3, 4), (2, 3, 5), (4, 3, 3)])
        found = depths(labels, positions, (1.0, 1.0, 1.0))
        assert found.tolist() == pytest.approx([2, math.sqrt(2), 1, 1])

    @pytest.mark.parametrize(("shape", "spacing"), [((9, 12), TALL), ((5, 6, 7), (3.0, 1.0, 1.0))])
    def test_of_one_pixel_among_others(self, shape, spacing):
        inside = torch.rand(shape, generator=torch.Generator().manual_seed(0)) > 0.05
        places = inside.nonzero()
        found = [depth_within(inside, place, spacing) for place in places.tolist()]
        assert found == pytest.approx(depths(inside.long(), places, spacing).tolist(), rel=1e-5)

    def test_of_no_pixels(self):
        assert depths(self.COLUMNS, torch.zeros(0, 2).long(), SQUARE).shape == (0,)

    def test_of_tall_pixels(self):
        labels = torch.zeros(5, 9).long()
        labels[2, 7] = 1
        found = depths(labels, torch.tensor([(2, 4), (3, 5), (2, 3), (0, 4)]), TALL)
        assert found.tolist() == pytest.approx([3, math.sqrt(8), 4, 2])

    def test_of_thick_slices(self):
        labels = torch.zeros(5, 9, 9).long()
        found = depths(labels, torch.tensor([(2, 4, 4), (0, 4, 4), (2, 4, 1)]), (3.0, 1.0, 0.5))
        assert found.tolist() == pytest.approx([2.5, 2.5, 1])


def test_depths_of_all_pixels_are_those_of_each():
    labels = torch.tensor([[0, 0, 0, 2], [0, 0, 0, 2], [0, 0, 0, 2]])
    expected = torch.tensor([[1.0, 1, 1, 1], [1, 2, 1, 1], [1, 1, 1, 1]])
    torch.testing.assert_close(depth_map(labels, SQUARE), expected)
    labels = torch.randint(0, 3, (5, 6, 7), generator=torch.Generator().manual_seed(0))
    every = torch.cartesian_prod(*map(torch.arange, labels.shape))
    for spacing in [(1.0, 1.0, 1.0), (2.0, 1.0, 0.5)]:
        found = depth_map(labels, spacing)
        torch.testing.assert_close(found.flatten(), depths(labels, every, spacing))


def test_away_from_is_a_disc():
    away = away_from([(0, 0), (4, 4)], (5, 5), 1.0, SQUARE)
    assert (~away).nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [3, 4], [4, 3], [4, 4]]
    assert away_from([], (2, 2), 5.0, SQUARE).all()


def test_away_from_is_flat_where_pixels_are_tall():
    away = away_from([(1, 2)], (3, 5), 2.0, TALL)
    assert (~away).nonzero().tolist() == [[0, 2], [1, 0], [1, 1], [1, 2], [1, 3], [1, 4], [2, 2]]
