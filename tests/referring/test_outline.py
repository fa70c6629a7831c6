from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.referring.outline import Clicker, agreement, outlined, peaks


@pytest.fixture
def dish():
    """Two bright squares of 20 pixels on dark ground; the ground and squares are noisy."""
    image = np.random.default_rng(0).integers(0, 20, (64, 96)).astype(np.uint8)
    image[20:40, 10:30] += 200
    image[20:40, 60:80] += 200
    return image


def square(row, column, side=20, shape=(64, 96)):
    mask = np.zeros(shape, bool)
    mask[row : row + side, column : column + side] = True
    return mask


def around(row, column, peak, shape=(64, 96), width=10.0):
    rows, columns = np.indices(shape)
    distance = (rows - row) ** 2 + (columns - column) ** 2
    return (peak * np.exp(-distance / (2 * width**2))).astype(np.float32)


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("peak", [0.9, 0.3], ids=["sure", "unsure"])
def test_the_outline_follows_the_image_where_the_heat_is(dish, peak):
    meant, heat = square(20, 60), around(28, 68, peak)
    rough = outlined(heat)
    assert iou(outlined(heat, Clicker(dish)), meant) > 0.9 > iou(rough, meant)
    np.testing.assert_array_equal(rough, heat > 0.4 * heat.max())


@pytest.mark.parametrize("layout", ["first", "last"])
def test_channels_may_be_first_or_last(dish, layout):
    axis = {"first": 0, "last": -1}[layout]
    coloured = Clicker(np.stack([dish] * 3, axis), axis).thing_at((30, 70))
    np.testing.assert_array_equal(coloured, Clicker(dish).thing_at((30, 70)))
    assert iou(coloured, square(20, 60)) > 0.9


@pytest.mark.parametrize("follows", [True, False])
def test_only_the_part_with_most_heat_is_kept(dish, follows):
    clicker = Clicker(dish) if follows else None
    mask = outlined(around(30, 20, 0.8) + around(30, 70, 0.5), clicker)
    assert mask[30, 20]
    assert not mask[:, 48:].any()


def test_no_heat_outlines_nothing(dish):
    for clicker in (Clicker(dish), None):
        assert not outlined(np.full(dish.shape, 0.2, np.float32), clicker).any()


class Told:
    """A clicker that makes of each peak what it was told, and one thing where more is known."""

    def __init__(self, things, known):
        self.things, self.known, self.asked = things, known, []

    def thing_at(self, place, likely=None):
        if likely is None:
            return next((thing for thing in self.things if thing[place]), self.known)
        self.asked.append((place, likely))
        return self.known


@pytest.fixture
def heat():
    """Hottest in a corner of the left square; all of the right one is warm."""
    return np.maximum(around(30, 20, 0.8, width=4), 0.6 * square(20, 60)).astype(np.float32)


def test_the_thing_that_agrees_best_is_meant_and_drawn_once_more(heat):
    speck, meant, larger = square(28, 18, 6), square(20, 60), square(18, 58, 24)
    told = Told([speck, meant], larger)
    np.testing.assert_array_equal(outlined(heat, told), meant)
    ((place, likely),) = told.asked
    assert meant[place]
    np.testing.assert_allclose(likely, heat / heat.max())
    better = meant | (heat > 0.6)
    np.testing.assert_array_equal(outlined(heat, Told([speck, meant], better)), better)


def test_where_clicks_outline_nothing_the_hot_part_is_left(heat):
    nothing = np.zeros(heat.shape, bool)
    np.testing.assert_array_equal(outlined(heat, Told([], nothing)), outlined(heat))


def test_agreement_is_the_common_part_of_both():
    likely = np.array([[0.2, 0.6, 1.0, 0.2]], np.float32)
    mask = np.array([[False, True, True, False]])
    assert agreement(mask, likely) == pytest.approx(1.6 / 2.4)
    assert agreement(~mask, likely) == pytest.approx(0.4 / 3.6)


def test_peaks_are_the_hottest_pixels_in_order():
    heat = around(30, 20, 0.8, width=4) + around(30, 70, 0.5, width=4) + around(55, 45, 0.2)
    first, second = peaks(heat)
    assert np.abs(np.subtract(first, (30, 20))).max() <= 2
    assert np.abs(np.subtract(second, (30, 70))).max() <= 2
