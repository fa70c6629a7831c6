"""Windows of Hounsfield units by the names that radiologists use.

Centre and width are the usual ones of CT workstations, as listed in Radiopaedia's
article "Windowing (CT)", radiopaedia.org/articles/windowing-ct.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from napari_guideme.errors import InputError

#: Centre and width, in Hounsfield units.
WINDOWS: Mapping[str, tuple[float, float]] = {
    "abdomen": (50, 400),
    "bone": (400, 1800),
    "brain": (40, 80),
    "liver": (30, 150),
    "lung": (-600, 1500),
    "mediastinum": (50, 350),
    "soft-tissue": (50, 400),
    "spine": (50, 250),
    "stroke": (32, 8),
    "subdural": (75, 215),
    "temporal-bones": (600, 2800),
}


def window_limits(told: Any) -> tuple[float, float]:
    """Return the lower and upper value of a window.

    Parameters
    ----------
    told
        A name of :data:`WINDOWS`, ``"CENTRE,WIDTH"``, or both as a pair of numbers.

    Raises
    ------
    InputError
        If it is none of these.
    """
    parts = told.split(",") if isinstance(told, str) else told
    if isinstance(told, str) and _plain(told) in WINDOWS:
        parts = WINDOWS[_plain(told)]
    try:
        centre, width = (float(part) for part in parts)
    except (TypeError, ValueError):
        centre, width = 0.0, 0.0
    if not (math.isfinite(centre) and math.isfinite(width) and width > 0):
        raise InputError(
            f"window {told!r} is unknown; choose {', '.join(WINDOWS)}, or CENTRE,WIDTH "
            "with a width above 0"
        )
    return centre - width / 2, centre + width / 2


def without_window(preparation: Mapping[str, Any]) -> dict[str, Any]:
    """Return entries of a preparation with the limits that its ``window`` stands for.

    Raises
    ------
    InputError
        If there is a range of values beside the window.
    """
    entries = dict(preparation)
    if "window" not in entries:
        return entries
    if beside := {"value_range", "limits", "percentiles"} & set(entries):
        raise InputError(f"give window or {', '.join(sorted(beside))}, not both")
    limits = window_limits(entries.pop("window"))
    return {**entries, "value_range": "limits", "limits": limits}


def _plain(name: str) -> str:
    return "-".join(name.lower().replace("_", " ").replace("-", " ").split())
