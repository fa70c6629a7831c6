from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.spacing import checked, longest, relative


@pytest.mark.parametrize("spacing", [None, (1, 1), (0.3, 0.3), np.float32([7.5, 7.5])])
def test_equal_sizes_are_exactly_one(spacing):
    assert relative(spacing, 2) == (1.0, 1.0)


def test_what_an_affine_makes_of_equal_sizes_is_equal():
    assert relative((0.70309998, 0.7031), 2) == (1.0, 1.0)
    assert relative((0.7, 0.71), 2) != (1.0, 1.0)


@pytest.mark.parametrize("unit", [1.0, 1e-9, 1e9])
def test_sizes_are_in_typical_pixels_whatever_the_unit(unit):
    assert relative((4 * unit, unit), 2) == pytest.approx((2, 0.5))
    assert relative((8 * unit, unit, unit), 3) == pytest.approx((4, 0.5, 0.5))


def test_the_longest_side_is_told_by_sizes():
    assert longest((10, 15), (1.0, 1.0)) == 15
    assert longest((10, 15), (2.0, 0.5)) == 20


@pytest.mark.parametrize("spacing", [(1,), (1, 1, 1), (0, 1), (-1, 1), (np.nan, 1), (np.inf, 1)])
def test_what_is_no_spacing_is_refused(spacing):
    for read in (checked, relative):
        with pytest.raises(InputError, match="is not 2 positive numbers"):
            read(spacing, 2)
