"""What ``segment`` found, whoever answered."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.cli.opening import watched
from napari_guideme.errors import InputError
from napari_guideme.session_file import Setup

if TYPE_CHECKING:
    from napari_guideme.files import Picture
    from napari_guideme.hints import Hints
    from napari_guideme.session import GuideSession
    from napari_guideme.session_file import NetworkReference, Search


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
    session, search, network
        In which hints corrected it, what it began with, and which network that corrected;
        ``None`` if nobody asked for it.
    """

    labels: NDArray[np.uint8]
    maps: Mapping[tuple[str, str], NDArray[np.float32]]
    told: Sequence[Mapping[str, Any]]
    lines: Sequence[str]
    notices: Sequence[str] = ()
    session: GuideSession | None = None
    search: Search | None = None
    network: NetworkReference | None = None


def is_corrected(options: argparse.Namespace) -> bool:
    """Whether a session is to be opened on what is found."""
    return bool(options.hints or options.save_session)


def setup_of(options: argparse.Namespace, picture: Picture) -> Setup:
    """Tell which channels of a picture are looked at, and how large its pixels are."""
    channels = tuple(options.channels) if options.channels else None
    spacing = picture.geometry.spacing[-2:] if picture.geometry else None
    return Setup(channel_axis=picture.channel_axis, channels=channels, spacing=spacing)


def corrected(session: GuideSession, hints: Hints | None) -> NDArray[np.bool_]:
    """Let clicks correct what was found."""
    if hints is not None:
        session.add(*hints)
        watched(session.refine(), session.method)
    mask: NDArray[np.bool_] = session.labels() == 1
    return mask


def method_of(options: argparse.Namespace, default: str, methods: Sequence[str]) -> str:
    """Return how hints correct what was found."""
    method: str = options.correct or default
    if method not in methods:
        raise InputError(f"{method} cannot correct that; choose --correct {', '.join(methods)}")
    return method
