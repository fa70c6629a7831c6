from __future__ import annotations

import math

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.interaction import InteractionMaps, distances


def test_distances_are_euclidean_and_exact_at_the_borders():
    found = distances(np.array([[0, 0], [2, 3]]), (3, 4))
    assert found.dtype == np.float32
    assert found[0, 0] == found[2, 3] == 0
    assert found[0, 3] == 2
    assert found[2, 0] == 2
    assert found[1, 1] == pytest.approx(math.sqrt(2))
    assert found[0, 2] == 2
    assert found[1, 2] == pytest.approx(math.sqrt(2))


def test_distances_are_physical_where_pixels_are_not_square():
    found = distances(np.array([[0, 0]]), (3, 3), (4.0, 0.5))
    assert found[1, 0] == 4
    assert found[0, 2] == 1
    assert found[2, 2] == pytest.approx(math.sqrt(65))


def test_distances_in_a_volume():
    assert distances(np.array([[0, 0, 0]]), (2, 2, 2))[1, 1, 1] == pytest.approx(math.sqrt(3))


def test_without_clicks_everything_is_infinitely_far():
    nothing = distances(np.empty((0, 2), dtype=int), (2, 5))
    assert nothing.shape == (2, 5)
    assert np.isinf(nothing).all()
    assert (InteractionMaps().draw(nothing) == 1).all()
    assert not InteractionMaps(kind="disc").draw(nothing).any()


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        (InteractionMaps(reach=2), [0, math.tanh(0.5), math.tanh(1), math.tanh(1.5)]),
        (InteractionMaps(kind="disc", reach=2), [1, 1, 1, 0]),
    ],
)
def test_maps_of_distances_and_discs(maps, expected):
    drawn = maps.draw(np.arange(4, dtype=np.float32))
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn, expected, rtol=1e-6)


def test_the_number_of_maps():
    assert InteractionMaps().count == 3
    assert InteractionMaps(previous=False).count == 2


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"kind": "blob"}, "distance, disc, saliency"),
        ({"reach": 0}, "positive number"),
        ({"reach": "far"}, "positive number"),
        ({"previous": 1}, "true nor false"),
        ({"side": 0}, "positive whole number"),
        ({"radius": 3}, "radius.*known are kind, reach"),
    ],
)
def test_bad_entries_are_told(entries, told):
    with pytest.raises(InputError, match=told):
        InteractionMaps.from_dict(entries)
    with pytest.raises(InputError, match=told):
        NetworkCard(interaction=entries)


def test_a_network_that_takes_clicks_has_two_classes():
    with pytest.raises(InputError, match="two classes"):
        NetworkCard(classes=("a", "b", "c"), interaction={"kind": "disc"})
