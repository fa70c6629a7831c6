from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.referring.outline import outlined


@pytest.fixture
def dish():
    """Two bright squares of 20 pixels on dark ground; the ground and squares are noisy."""
    image = np.random.default_rng(0).integers(0, 20, (64, 96)).astype(np.uint8)
    image[20:40, 10:30] += 200
    image[20:40, 60:80] += 200
    return image


def around(row, column, peak, shape=(64, 96), width=10.0):
    rows, columns = np.indices(shape)
    distance = (rows - row) ** 2 + (columns - column) ** 2
    return (peak * np.exp(-distance / (2 * width**2))).astype(np.float32)


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("peak", [0.9, 0.3], ids=["sure", "unsure"])
def test_the_outline_follows_the_image_where_the_heat_is(dish, peak):
    meant = np.zeros(dish.shape, bool)
    meant[20:40, 60:80] = True
    heat = around(28, 68, peak)
    rough = outlined(dish, heat, grabcut=False)
    assert iou(outlined(dish, heat), meant) > 0.9 > iou(rough, meant)
    np.testing.assert_array_equal(rough, heat > 0.4 * heat.max())


@pytest.mark.parametrize("grabcut", [True, False])
def test_only_the_part_with_most_heat_is_kept(dish, grabcut):
    mask = outlined(dish, around(30, 20, 0.8) + around(30, 70, 0.5), grabcut)
    assert mask[30, 20]
    assert not mask[:, 48:].any()


def test_no_heat_outlines_nothing(dish):
    for grabcut in (True, False):
        assert not outlined(dish, np.full(dish.shape, 0.2, np.float32), grabcut).any()
