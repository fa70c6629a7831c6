"""The sessions of the slices that were worked on last: found, opened, refined."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer

from napari_guideme.hints import Hint, TextHint
from napari_guideme.widgets.exchange import Outcome, centre, tell
from napari_guideme.widgets.known import Choice, Known, Networks
from napari_guideme.widgets.slices import Slice

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.widgets.exchange import AnySession

#: Slices whose session, with its history, is kept.
LIMIT = 8


class Sessions:
    """Keeps one session for each slice and choice of network, of the last few."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._kept: OrderedDict[Any, tuple[Slice, AnySession]] = OrderedDict()

    def find(self, choice: Choice, part: Slice) -> AnySession | None:
        """Return the session of a slice, if it was opened."""
        _, session = self._kept.get(_key(choice, part), (part, None))
        return session

    def refined(
        self, choice: Choice, part: Slice, hints: list[Hint], method: str
    ) -> Generator[Step, None, Outcome]:
        """Refine a slice, in the background; one without a session gets one with these hints."""
        session = self.find(choice, part)
        if session is None:
            session = self._open(choice, part)
            tell(session, hints, method)
            self._remember(choice, part, session)
        yield from session.refine()
        report = session.report()
        listed = list(session.hints)
        unmet = [listed[index] for index in report.unmet]
        drawn = [centre(hint) for hint in unmet if not isinstance(hint, TextHint)]
        words = [hint for hint in unmet if isinstance(hint, TextHint)]
        labels = session.labels()
        shares = np.bincount(labels.ravel(), minlength=len(session.network.classes)) / labels.size
        return Outcome(part, session, labels, session.changed(), shares, drawn, words, report)

    def forget(self, layer: Layer) -> None:
        """Drop the sessions of an image."""
        for key in [key for key, (part, _) in self._kept.items() if part.layer is layer]:
            del self._kept[key]

    def forget_network(self, known: Known) -> None:
        """Drop the sessions of a network as one card described it."""
        for key in [key for key in self._kept if key[0].network is known]:
            del self._kept[key]

    def clear(self) -> None:
        """Drop all sessions."""
        self._kept.clear()

    def _open(self, choice: Choice, part: Slice) -> AnySession:
        network = self._networks.load(choice.network, choice.device)
        channel_axis = -1 if part.layer.rgb else None
        if network.interaction is not None:
            from napari_guideme.object_session import ObjectSession

            return ObjectSession(
                part.pixels(), network, channel_axis=channel_axis, spacing=part.spacing
            )
        from napari_guideme.session import GuideSession

        session = GuideSession(
            part.pixels(),
            network,
            channel_axis=channel_axis,
            guide_point=choice.guide_point,
            telling=choice.telling,
            text_guide=self._networks.text_guide(choice),
        )
        session.predict()
        return session

    def _remember(self, choice: Choice, part: Slice, session: AnySession) -> None:
        """Keep a session; the oldest one goes when there are too many."""
        self._kept[_key(choice, part)] = part, session
        while len(self._kept) > LIMIT:
            self._kept.popitem(last=False)


def _key(choice: Choice, part: Slice) -> Any:
    return choice, id(part.layer.data), part.key
