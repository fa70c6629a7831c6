from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from napari_guideme.guidance.scene import at_pixels
from napari_guideme.guidance.zoom import Window, around, still_fits, whole

SQUARE = (1.0, 1.0)


def test_the_whole_image_keeps_its_proportions_on_the_grid():
    window = whole((480, 640), SQUARE, 256, 32)
    assert (window.start, window.stop) == ((0, 0), (480, 640))
    assert window.grid == (192, 256)
    assert whole((480, 640), (2.0, 1.0), 256, 32).grid == (256, 160)
    assert whole((1, 5000), SQUARE, 256, 32).grid == (32, 256)


def test_a_window_is_larger_than_the_object_by_the_margin():
    window = around(np.array([[100, 200], [199, 299]]), (512, 512), SQUARE, 256, 32, 0)
    assert window.shape == (140, 140)
    assert window.start == (80, 180)


def test_a_window_ends_at_the_image_but_keeps_its_size():
    window = around(np.array([[0, 500], [99, 511]]), (512, 512), SQUARE, 256, 32, 0)
    assert window.start == (0, 442)
    assert window.stop == (140, 512)
    assert around(np.array([[0, 0], [9, 9]]), (10, 12), SQUARE, 64, 32, 0).shape == (10, 12)


def test_a_window_around_one_pixel_is_as_large_as_asked():
    window = around(np.array([[50, 60]]), (100, 100), SQUARE, 256, 32, 40)
    assert window.shape == (40, 40)
    assert window.start == (30, 40)


def test_a_window_of_pixels_that_are_not_square_is_square_in_the_world():
    window = around(np.array([[10, 10], [19, 109]]), (200, 200), (10.0, 1.0), 64, 32, 0)
    assert window.shape == (14, 140)
    assert window.grid == (64, 64)
    np.testing.assert_allclose(window.spacing((10.0, 1.0)), (1, 1))


def test_spacing_tells_the_proportions_of_the_grid():
    window = Window((0, 0), (10, 40), (32, 32))
    np.testing.assert_allclose(window.spacing(SQUARE), (0.5, 2))


@pytest.mark.parametrize("shape", [(7, 9), (40, 24), (32, 64)])
def test_hints_are_where_the_drawn_object_is(shape):
    """What is sampled at a hint's place is what is painted at its pixel."""
    window = Window((2, 3), (2 + shape[0], 3 + shape[1]), (32, 64))
    logits = torch.randn(32, 64, generator=torch.Generator().manual_seed(0))
    target = np.zeros((50, 80), dtype=bool)
    window.paint(logits, target)
    pixels = torch.cartesian_prod(
        torch.arange(*map(int, (2, 2 + shape[0]))), torch.arange(3, 3 + shape[1])
    )
    sampled = at_pixels(logits[None], window.places(pixels))[:, 0]
    clear = sampled.abs() > 1e-4
    painted = torch.from_numpy(target[tuple(pixels.T)])
    assert torch.equal(painted[clear], sampled[clear] > 0)
    stretched = F.interpolate(logits[None, None], shape, mode="bilinear")[0, 0]
    torch.testing.assert_close(window.stretched(logits), stretched, atol=1e-5, rtol=1e-4)
    target[window.slices] = False
    assert not target.any()


def test_painting_in_parts_is_painting_at_once():
    window = Window((0, 0), (700, 5), (32, 32))
    logits = torch.randn(32, 32, generator=torch.Generator().manual_seed(1))
    target = np.zeros((700, 5), dtype=bool)
    window.paint(logits, target)
    np.testing.assert_array_equal(target, window.stretched(logits).numpy() > 0)


@pytest.mark.parametrize("channel_axis", [None, 0, 2])
def test_a_window_is_seen_at_the_size_of_the_grid(channel_axis):
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8), (48, 64))
    image = ramp if channel_axis is None else np.stack([ramp, 2 * ramp, ramp], channel_axis)
    spatial = [axis for axis in range(image.ndim) if axis != channel_axis]
    seen = Window((8, 32), (40, 64), (16, 16)).seen(image, spatial)
    channel = seen if channel_axis is None else seen.take(0, channel_axis)
    assert channel.shape == (16, 16)
    # Pairs of columns are averaged; the ends have no neighbour beyond the window.
    np.testing.assert_allclose(channel[3, 1:-1], np.arange(34.5, 62, 2))


def test_an_offset_is_not_rounded_away():
    image = np.arange(64 * 64).reshape(64, 64)
    window = Window((0, 0), (64, 64), (32, 32))
    moved = window.seen(image + 10**9, (0, 1)) - 1e9
    np.testing.assert_allclose(moved, window.seen(image, (0, 1)), atol=1e-3)


def test_what_is_much_finer_than_the_grid_is_thinned_before_it_is_copied():
    class Counting(np.ndarray):
        taken = 0

        def __getitem__(self, key):
            part = super().__getitem__(key)
            Counting.taken = max(Counting.taken, part.size)
            return part

    image = np.zeros((2048, 2048), np.uint8).view(Counting)
    assert whole(image.shape, SQUARE, 64, 32).seen(image, (0, 1)).shape == (64, 64)
    assert Counting.taken <= (2 * 64 + 1) ** 2


def test_a_window_stays_until_the_object_outgrows_it():
    shape = (512, 512)
    window = around(np.array([[100, 100], [199, 199]]), shape, SQUARE, 256, 32, 0)
    grown = np.array([[95, 95], [205, 205]])
    assert still_fits(window, grown, around(grown, shape, SQUARE, 256, 32, 0))
    beyond = np.array([[60, 100], [199, 199]])
    assert not still_fits(window, beyond, around(beyond, shape, SQUARE, 256, 32, 0))
    small = np.array([[140, 140], [160, 160]])
    assert not still_fits(window, small, around(small, shape, SQUARE, 256, 32, 0))
