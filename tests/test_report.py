"""What a report counts."""

from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.hints import Click, Hints, TextHint
from napari_guideme.report import reported

CLASSES = ("background", "cell")
TOP = TextHint("remove", "cell", ((0, 0), (0, 1), (0, 2)))


@pytest.mark.parametrize(
    ("hints", "far"),
    [
        ((TextHint("remove", "cell"),), 0),
        # Rows 0 to 9 were told, and 10 to 12 are near.
        ((TOP,), 17 * 30),
        ((TOP, Click((29, 15), "cell")), 17 * 30 - 18),
        ((), 30 * 30),
    ],
)
def test_a_place_that_was_told_is_near(hints, far):
    said = Hints(hints)
    changed = np.ones((30, 30), bool)
    pixels = said.pixels(changed.shape, CLASSES)
    report = reported([True] * len(said), changed, pixels, 0.0, (1, 1), said.texts)
    assert report.far_pixels == far
