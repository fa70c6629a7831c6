"""Which of a network's guide points stand for its levels, and for the depths of f-BRS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from napari_guideme.networks.guide_points import GuidePoint

#: The three depths of f-BRS, the deepest first.
Depth = Literal["a", "b", "c"]

#: Where a network without a decoder is guided: the share of the computation behind that.
_SHARES = {"a": 1 / 4, "b": 1 / 20}


def usual(points: Sequence[GuidePoint]) -> GuidePoint:
    """The last point with a stride of at least 4, or of the largest there is."""
    least = min(4.0, max(point.stride for point in points))
    return [point for point in points if point.stride >= least][-1]


def levels(points: Sequence[GuidePoint]) -> list[GuidePoint]:
    """The last point before every change of stride: one per level, down and up.

    Levels as fine as the input itself only count if there are no others.
    """
    following = [point.stride for point in points[1:]]
    ends = [p for p, after in zip(points, [*following, None], strict=True) if p.stride != after]
    return [point for point in ends if point.stride > 1] or ends


def at_depth(points: Sequence[GuidePoint], own: GuidePoint, depth: Depth) -> GuidePoint:
    """The point at one of the three depths of f-BRS.

    ``a`` is the end of the encoder, ``c`` the last activation that is worth guiding, ``b``
    the network's `own` guide point. In a network without a decoder a quarter of the
    computation lies behind ``a``, a twentieth behind ``b``.
    """
    deepest = max(point.stride for point in points)
    depths = {
        "a": [point for point in points if point.stride == deepest][-1],
        "b": own,
        "c": points[-1],
    }
    if depth != "c" and depths[depth] == points[-1]:
        return [point for point in points if point.tail_share >= _SHARES[depth]][-1]
    return depths[depth]
