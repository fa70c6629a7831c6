"""Carrying corrections from slice to slice, away from those that were corrected."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Literal, get_args

from torch import Tensor

from napari_guideme.guidance.applying import blended, carried_to, found_anywhere
from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.labelling import labels_of
from napari_guideme.motion import moved
from napari_guideme.networks import cancelling
from napari_guideme.planes import Planes
from napari_guideme.volumes.sayings import Heard, Saying, Tell, nearest
from napari_guideme.volumes.states import Carried, SliceState

Extent = Literal["slice", "onward", "volume"]
EXTENTS: tuple[str, ...] = get_args(Extent)


def ways(sources: Sequence[int], count: int) -> list[range]:
    """Stretches of slices that are not corrected, each walked away from the nearest that is."""
    found = [range(sources[0] - 1, -1, -1), range(sources[-1] + 1, count)]
    for below, above in itertools.pairwise(sources):
        middle = (below + above) // 2
        found += [range(below + 1, middle + 1), range(above - 1, middle, -1)]
    return [way for way in found if len(way)]


def along(
    way: Sequence[int],
    planes: Planes,
    sources: Sequence[int],
    anchors: Sequence[Anchors],
    sayings: Sequence[tuple[Saying, ...]],
    tell: Tell,
    *,
    everywhere: bool,
    check: bool,
) -> Iterator[Carried]:
    """Carry along slices that follow each other, away from a corrected one or between two.

    Parameters
    ----------
    way
        Of :func:`ways`.
    planes
        The volume.
    sources, anchors, sayings
        Numbers of the corrected slices, rising, and what they carry: clicks and words.
    tell
        Lets a slice follow words.
    everywhere
        Whether it goes on where nothing fits by its place, to what looks very much the same.
    check
        Whether it is only carried while it fits.
    """
    between = sources[0] < way[0] < sources[-1]
    near = min(range(len(sources)), key=lambda number: abs(sources[number] - way[0]))
    carrying = [one if number == near else one.alone() for number, one in enumerate(anchors)]
    fit: Tensor | None = None
    heard: Heard | None = None
    for last, index in itertools.pairwise([sources[near], *way]):
        cancelling.check()
        scene = planes.scene(index)
        said = nearest(sayings, sources, index)
        now = Heard.on(said, scene, index, planes.thickness, heard, check=check)
        told = tell(scene, [saying.hint for saying in now.told])
        motion = partial(moved, before=planes.brightness(last), after=planes.brightness(index))
        carrying[near] = carrying[near].followed(told, motion, check=check)
        given = blended(carrying, sources, index)
        result, acting, fits = carried_to(given, told, index, planes.thickness, fit, check=check)
        result = now.judged(result, scene.logits)
        anywhere = everywhere and result.state == "own"
        if anywhere:
            acting, result = given.alone(), found_anywhere(given, scene, check=check)
        state = SliceState(index, result.state, result.agreement, result.why)
        yield Carried(state, labels_of(result.logits), acting, anywhere, now.told)
        if not check or between:
            continue
        if result.state == "own" and not everywhere:
            return
        # What stopped fitting stays so further on.
        fit, heard = fits, now
