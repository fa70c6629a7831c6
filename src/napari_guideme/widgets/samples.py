"""Sample data: pictures that the wheel of scikit-image carries, so no download."""

from __future__ import annotations

from typing import Any

from skimage import data


def stained_tissue() -> list[tuple[Any, dict[str, Any], str]]:
    """Colon tissue, brown membranes and blue nuclei, 512 x 512 RGB."""
    return [(data.immunohistochemistry(), {"name": "stained tissue", "rgb": True}, "image")]


def cell() -> list[tuple[Any, dict[str, Any], str]]:
    """Return one cell without stain in quantitative phase, 660 x 550."""
    return [(data.cell(), {"name": "cell"}, "image")]
