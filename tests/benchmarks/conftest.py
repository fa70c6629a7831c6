from __future__ import annotations

import numpy as np
import pytest
from imageio import v3 as imageio


@pytest.fixture
def folder(tmp_path):
    """A bright square that counts, and one of middle brightness that counts, too."""
    random = np.random.default_rng(0)
    picture = random.integers(0, 30, (48, 64)).astype(np.uint8)
    picture[8:24, 8:24] += 200
    picture[28:44, 36:56] += 100
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    imageio.imwrite(tmp_path / "images/a.png", picture)
    imageio.imwrite(tmp_path / "masks/a.png", (picture > 60).astype(np.uint8) * 255)
    return tmp_path
