"""Pictures as other programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def write_with_palette(path: Path, numbers: NDArray[np.uint8]) -> None:
    """Write labels as those of PASCAL VOC are: a palette gives each number a colour."""
    picture = Image.fromarray(numbers)
    picture.putpalette([(37 * n) % 256 for n in range(3 * 256)])
    picture.save(path)
