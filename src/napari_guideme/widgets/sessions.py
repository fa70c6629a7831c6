"""The sessions of the slices that were worked on last: found, opened, refined."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer
from numpy.typing import NDArray

from napari_guideme.hints import Hint, TextHint
from napari_guideme.session_file import (
    FileReference,
    Part,
    Setup,
    digest,
    load_text_guide,
    open_session,
    reopened,
)
from napari_guideme.widgets.exchange import Outcome, centre, tell
from napari_guideme.widgets.known import Choice, Known, Networks
from napari_guideme.widgets.slices import Slice, full_resolution

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.widgets.exchange import AnySession

#: Slices whose session, with its history, is kept.
LIMIT = 8


@dataclass(frozen=True)
class Opened:
    """A session, and what it was opened with."""

    part: Slice
    session: AnySession
    setup: Setup
    pixels: NDArray[Any]

    @cached_property
    def sha256(self) -> str:
        """Of the pixels; for many of them this takes a while."""
        return digest(self.pixels)


class Sessions:
    """Keeps one session for each slice and choice of network, of the last few."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._kept: OrderedDict[Any, Opened] = OrderedDict()

    def find(self, choice: Choice, part: Slice) -> AnySession | None:
        """Return the session of a slice, if it was opened."""
        opened = self.opened(choice, part)
        return opened.session if opened else None

    def opened(self, choice: Choice, part: Slice) -> Opened | None:
        """Return the session of a slice, if it was opened, and with what it was."""
        return self._kept.get(_key(choice, part))

    def refined(
        self, choice: Choice, part: Slice, hints: list[Hint], method: str
    ) -> Generator[Step, None, Outcome]:
        """Refine a slice, in the background; one without a session gets one with these hints."""
        session = self.find(choice, part)
        if session is None:
            opened = self._open(choice, part)
            session = opened.session
            tell(session, hints, method)
            self._remember(choice, opened)
        yield from session.refine()
        return _outcome(part, session)

    def replayed(self, choice: Choice, part: Slice, saved: Part) -> Generator[Step, None, Outcome]:
        """Do again what was done to a slice, in the background."""
        network = self._networks.load(choice.network, choice.device)
        used = saved.setup.text_guide
        guide = load_text_guide(used, choice.network.source, network) if used else None
        session = reopened(saved, network, full_resolution(part.layer), guide)
        yield from session.replay(saved.history)
        self._remember(choice, Opened(part, session, saved.setup, part.pixels()))
        return _outcome(part, session)

    def forget(self, layer: Layer) -> None:
        """Drop the sessions of an image."""
        for key in [key for key, opened in self._kept.items() if opened.part.layer is layer]:
            del self._kept[key]

    def forget_network(self, known: Known) -> None:
        """Drop the sessions of a network as one card described it."""
        for key in [key for key in self._kept if key[0].network is known]:
            del self._kept[key]

    def clear(self) -> None:
        """Drop all sessions."""
        self._kept.clear()

    def _open(self, choice: Choice, part: Slice) -> Opened:
        network = self._networks.load(choice.network, choice.device)
        takes_clicks = network.interaction is not None
        guide = None if takes_clicks else self._networks.text_guide(choice)
        setup = Setup(
            channel_axis=-1 if part.layer.rgb else None,
            guide_point=choice.guide_point,
            telling=choice.telling,
            text_guide=_guide_file(choice) if guide else None,
            spacing=part.spacing if takes_clicks else None,
        )
        pixels = part.pixels()
        session = open_session(setup, network, pixels, guide)
        session.predict()
        return Opened(part, session, setup, pixels)

    def _remember(self, choice: Choice, opened: Opened) -> None:
        """Keep a session; the oldest one goes when there are too many."""
        self._kept[_key(choice, opened.part)] = opened
        while len(self._kept) > LIMIT:
            self._kept.popitem(last=False)


def _outcome(part: Slice, session: AnySession) -> Outcome:
    """Tell what a refined session shows."""
    report = session.report()
    listed = list(session.hints)
    unmet = [listed[index] for index in report.unmet]
    drawn = [centre(hint) for hint in unmet if not isinstance(hint, TextHint)]
    words = [hint for hint in unmet if isinstance(hint, TextHint)]
    labels = session.labels()
    shares = np.bincount(labels.ravel(), minlength=len(session.network.classes)) / labels.size
    return Outcome(part, session, labels, session.changed(), shares, drawn, words, report)


def _guide_file(choice: Choice) -> FileReference | None:
    """Refer to the file of the text guide, which lies beside its network."""
    from napari_guideme.language.text_guide import find

    path = find(choice.network.source)
    return FileReference.of(path, is_found=True) if path else None


def _key(choice: Choice, part: Slice) -> Any:
    return choice, id(part.layer.data), part.key
