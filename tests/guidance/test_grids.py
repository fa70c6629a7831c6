from __future__ import annotations

import torch

from napari_guideme.guidance.grids import condensed, peaks
from napari_guideme.spacing import relative

#: Pixels as tall as wide.
SQUARE = (1.0, 1.0)


def test_peaks_are_the_highest_pixels_of_cells():
    values = torch.tensor([[1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 9.0]])
    assert peaks(values, 2, SQUARE).tolist() == [[0, 1], [1, 3]]
    assert peaks(values, 8, SQUARE).tolist() == [[0, 0], [0, 1], [1, 3]]


def test_without_any_doubt_there_is_still_a_pixel_to_ask_for():
    assert peaks(torch.tensor([[-1.0, 0.0], [-1.0, -1.0]]), 1, SQUARE).tolist() == [[0, 1]]


def test_condensed_places_are_middles_of_cells_and_cells_beyond_the_edge_are_cut():
    values = torch.tensor([[1.0, 3.0, 5.0], [1.0, 3.0, 7.0]])
    places, means = condensed(values, 2, SQUARE)
    assert places.tolist() == [[1, 1], [1, 2]]
    assert means.tolist() == [2.0, 6.0]


def test_cells_are_as_tall_as_wide_where_pixels_are_not():
    values = torch.zeros(4, 8)
    places, _ = condensed(values, 8, (1.0, 1.0))
    assert len(places.unique(dim=0)) == 8
    # Twice as tall as wide: cells of one row and three columns, cut at the edge.
    tall, _ = condensed(values, 8, relative((2, 1), 2))
    assert sorted(set(tall[:, 0].tolist())) == [0, 1, 2, 3]
    assert sorted(set(tall[:, 1].tolist())) == [1, 4, 7]
