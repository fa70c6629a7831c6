from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.localize.photographs import as_photograph, limits_of


@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_an_offset_changes_nothing(dtype):
    grey = np.random.default_rng(0).integers(0, 1000, (20, 30)).astype(np.uint16)
    moved = grey.astype(dtype) + 10**9
    shown = [as_photograph(image, limits_of(image)) for image in (grey, moved)]
    np.testing.assert_array_equal(*shown)
