"""A click where a map is highest outlines what is there: on photographs of scikit-image."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest
import skimage.data
import skimage.filters
from scipy import ndimage

from napari_guideme.errors import InputError
from napari_guideme.localize.clicking import clicked
from napari_guideme.networks import cancelling

COINS = skimage.data.coins()


def peaked(shape: tuple[int, int], place: tuple[int, int]) -> np.ndarray:
    """A map that falls off around a place."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    away = (rows - place[0]) ** 2 + (columns - place[1]) ** 2
    return np.exp(-away / 30**2).astype(np.float32)


def coin_at(place: tuple[int, int]) -> np.ndarray:
    """The coin there, by its brightness."""
    bright = ndimage.binary_fill_holes(skimage.filters.threshold_local(COINS, 151) < COINS)
    parts, _ = ndimage.label(ndimage.binary_opening(bright, iterations=3))
    return parts == parts[place]


@pytest.mark.parametrize("place", [(125, 50), (265, 60), (270, 350)])
def test_one_small_thing_among_others_is_outlined(place):
    coin = coin_at(place)
    assert 0.005 < coin.mean() < 0.05
    found = clicked(COINS, peaked(COINS.shape, place))
    assert (found & coin).sum() / (found | coin).sum() > 0.75


def test_channels_may_be_anywhere_and_pixels_deep():
    cat, place = skimage.data.chelsea(), (120, 210)
    evidence = peaked(cat.shape[:2], place)
    last = clicked(cat, evidence, -1)
    assert last[place]
    assert 0.1 < last.mean() < 0.9
    first = clicked(np.moveaxis(cat, -1, 0), evidence, 0)
    np.testing.assert_array_equal(first, last)
    deep = clicked(cat.astype(np.uint16) * 257, evidence, -1)
    assert (deep & last).sum() / (deep | last).sum() > 0.9


def test_a_map_that_tells_nothing_finds_nothing():
    assert not clicked(COINS, np.zeros(COINS.shape, np.float32)).any()


@pytest.mark.parametrize(
    ("evidence", "why"),
    [
        (np.full(COINS.shape, np.nan, np.float32), "NaN or infinite"),
        (np.ones((3, 4), np.float32), r"a map of shape \(3, 4\) does not fit the image"),
    ],
)
def test_a_map_that_cannot_be_used_is_refused(evidence, why):
    with pytest.raises(InputError, match=why):
        clicked(COINS, evidence)


@pytest.mark.parametrize("place", [(0, 0), (302, 383), (0, 383)])
def test_a_map_may_be_highest_at_a_border(place):
    assert clicked(COINS, peaked(COINS.shape, place)).shape == COINS.shape


def test_it_can_be_cancelled():
    event = Event()
    event.set()
    with cancelling.cancellable(event), pytest.raises(cancelling.Cancelled):
        clicked(COINS, peaked(COINS.shape, (125, 50)))
