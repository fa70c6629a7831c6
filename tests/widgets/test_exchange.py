"""What is read off the layers."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_guideme.hints import Scribble
from napari_guideme.widgets.exchange import strokes


def test_strokes_are_looked_at_one_by_one(monkeypatch):
    """Many of them in a large picture take no longer than what was painted."""
    painted = np.zeros((500, 500), np.uint8)
    painted[10:13, 10:480] = painted[20:24, 3:5] = 2
    painted[470, 480] = painted[471, 481] = 1
    seen, from_mask = [], Scribble.from_mask

    def watched(mask, *told):
        seen.append(mask.shape)
        return from_mask(mask, *told)

    monkeypatch.setattr(Scribble, "from_mask", watched)
    found = strokes(painted, ["cell", "background"])
    assert seen == [(2, 2), (3, 470), (4, 2)]
    assert [scribble.class_name for scribble in found] == ["cell", "background", "background"]
    drawn = np.zeros_like(painted)
    for scribble in found:
        drawn[tuple(scribble.pixels(painted.shape).T)] = 1 + (scribble.class_name != "cell")
    np.testing.assert_array_equal(drawn, painted)
    regions, _ = ndimage.label(painted == 2, np.ones((3, 3)))
    assert found[1].paths == from_mask(regions == 1, "background").paths
