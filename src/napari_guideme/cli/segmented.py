"""What ``segment`` found, whoever answered."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from napari_guideme.cli.opening import watched
from napari_guideme.errors import InputError

if TYPE_CHECKING:
    from napari_guideme.guidance.scene import Scene
    from napari_guideme.hints import Hints


T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Segmented:
    """What was found, and what there is to tell about it.

    Attributes
    ----------
    labels
        1 for the first name or sentence, and so on, (rows, columns).
    maps
        What can be shown, by what was asked and by what it is.
    told
        One entry of the report for each.
    lines
        One line for each.
    notices
        What else the user should know.
    """

    labels: NDArray[np.uint8]
    maps: Mapping[tuple[str, str], NDArray[np.float32]]
    told: Sequence[Mapping[str, Any]]
    lines: Sequence[str]
    notices: Sequence[str] = ()


def corrected(scene: Scene, hints: Hints, method: str) -> NDArray[np.bool_]:
    """Let clicks correct what was found."""
    from napari_guideme.session import GuideSession

    session = GuideSession.on(scene, method=method)
    session.add(*hints)
    watched(session.refine(), session.method)
    mask: NDArray[np.bool_] = session.labels() == 1
    return mask


def with_progress(what: str, unit: str, work: Callable[[Callable[[int, int], None]], T]) -> T:
    """Do some work that tells what is done and how much there is in all."""
    with tqdm(desc=what, unit=unit, disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return work(show)


def method_of(options: argparse.Namespace, default: str, methods: Sequence[str]) -> str:
    """Return how hints correct what was found."""
    method: str = options.correct or default
    if method not in methods:
        raise InputError(f"{method} cannot correct that; choose --correct {', '.join(methods)}")
    return method
