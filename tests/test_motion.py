from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_guideme.motion import brightness, moved


def scenery(seed: int = 0, side: int = 160) -> np.ndarray:
    """Something with structure everywhere, in Hounsfield units."""
    noise = np.random.default_rng(seed).normal(size=(side, side))
    return (4000 * ndimage.gaussian_filter(noise, 4)).astype(np.float32)


def disc(row: float, column: float, radius: float, side: int = 160) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def dice(some: np.ndarray, other: np.ndarray) -> float:
    return 2 * (some & other).sum() / (some.sum() + other.sum())


@pytest.mark.parametrize(("shift", "radius"), [((3, -4), 20), ((0, 3), 6), ((-6, 5), 30)], ids=str)
def test_a_thing_is_found_where_it_went(shift, radius):
    before = scenery()
    mask = disc(80, 80, radius)
    found = moved(mask, before, ndimage.shift(before, shift, order=1, mode="nearest"))
    there = np.roll(mask, shift, (0, 1))
    assert dice(found, there) > 0.95 > dice(mask, there)


def test_what_grows_is_found_larger():
    mask, larger = disc(80, 80, 20), disc(80, 80, 25)
    found = moved(mask, 300 * mask.astype(np.float32), 300 * larger.astype(np.float32))
    assert dice(found, larger) > 0.95 > dice(mask, larger)


def test_where_nothing_moves_nothing_changes():
    mask = disc(150, 4, 12)
    np.testing.assert_array_equal(moved(mask, scenery(), scenery()), mask)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 200), (900, 700)])
def test_slices_of_any_size(shape):
    flat = np.zeros(shape, np.float32)
    assert moved(np.ones(shape, bool), flat, flat).all()


def test_brightness_is_that_of_all_channels():
    colours = np.stack([np.full((2, 3), 10, np.uint8), np.full((2, 3), 30, np.uint8)])
    np.testing.assert_array_equal(brightness(colours, 0), np.full((2, 3), 20, np.float32))
    assert brightness(np.array([[np.nan, 1.0, np.inf]]), None).tolist() == [[0.0, 1.0, 0.0]]
