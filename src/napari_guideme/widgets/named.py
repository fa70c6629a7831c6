"""A name that is looked for: to the widget a network like any other, with two classes."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.guidance import DEFAULT_METHOD, FOUND_METHODS
from napari_guideme.localize import DEFAULT_FINDING
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER
from napari_guideme.widgets.known import Known
from napari_guideme.widgets.slices import Slice

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_guideme.localize.finding import Found
    from napari_guideme.localize.known_labels import KnownLabels
    from napari_guideme.localize.proxies import StandIns
    from napari_guideme.networks.card import NetworkCard
    from napari_guideme.networks.classifier import FrozenClassifier
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.session import GuideSession


@dataclass(frozen=True)
class Query:
    """What is looked for, by which classifier and which of the `FINDING_NAMES`."""

    name: str = ""
    classifier: str = DEFAULT_CLASSIFIER
    method: str = DEFAULT_FINDING


@dataclass(frozen=True, eq=False)
class Looked:
    """What a classifier says about a name.

    Attributes
    ----------
    labels, known
        What the classifier knows, as it calls it and by all names.
    part
        The slice it looked at; ``None`` if nothing was asked.
    probabilities
        Of the labels there.
    stand_ins
        What stands in for the name there, and what distracts.
    card
        Of the network that finds the name.
    why
        Why nothing stands in, if nothing does.
    """

    query: Query
    labels: tuple[str, ...]
    known: KnownLabels
    part: Slice | None = None
    probabilities: NDArray[np.float32] | None = None
    stand_ins: StandIns | None = None
    card: NetworkCard | None = None
    why: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Named(Known):
    """A name with the labels that stand in for it: it can be looked for in any image.

    With other labels it is another `Named` of the same label.
    """

    query: Query
    stand_ins: StandIns
    finder: Finder

    @property
    def usual_method(self) -> str:
        """What corrects it best, as measured."""
        return DEFAULT_METHOD

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods that mean something to it."""
        return FOUND_METHODS

    def open(self, device: str) -> FrozenNetwork:
        """Return the class-agnostic network, which calls its class by the name."""
        return self.finder.network(device).calling(self.query.name)

    def begin(self, part: Slice, device: str) -> tuple[Found, GuideSession]:
        """Look for it in a slice, and open a session on what was found; this takes seconds."""
        return self.finder.begin(self, part, device)


class Finder:
    """Loads classifiers and the class-agnostic network once; to be asked in the background.

    Parameters
    ----------
    progress
        Called with maps done and maps in all, in the background.
    """

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self._progress = progress
        self._networks: dict[str, FrozenNetwork] = {}
        self._classifiers: dict[tuple[str, str], FrozenClassifier] = {}
        self._known: dict[FrozenClassifier, KnownLabels] = {}
        self._likely: tuple[Any, NDArray[np.float32]] | None = None
        self._turn = Lock()

    def reread(self) -> None:
        """Place the labels anew, as there is more to read now."""
        self._known.clear()

    def network(self, device: str) -> FrozenNetwork:
        """Return the class-agnostic network; loading it takes seconds."""
        from napari_guideme.localize.attention import open_attention

        with self._turn:
            if device not in self._networks:
                self._networks[device] = open_attention(device=device)
            return self._networks[device]

    def look(self, query: Query, part: Slice | None, device: str) -> Looked:
        """Find what stands in for a name in a slice; without a slice load what it takes.

        Raises
        ------
        InputError
            If classifier or image cannot be used.
        """
        from napari_guideme.errors import InputError
        from napari_guideme.localize.finding import MOST
        from napari_guideme.localize.proxies import StandIns, stand_ins

        classifier = self._classifier(query.classifier, device)
        told = query, classifier.labels, self._known_labels(classifier)
        if part is None:
            return Looked(*told)
        likely = self._probabilities(classifier, part)
        card = self.network(device).calling(query.name).card
        try:
            chosen, why = stand_ins(query.name, told[2], likely, most=MOST), ""
        except InputError as error:
            others = np.argsort(-likely, kind="stable")[:MOST].tolist()
            chosen, why = StandIns((), tuple(others)), str(error)
        return Looked(*told, part, likely, chosen, card, why)

    def begin(self, named: Named, part: Slice, device: str) -> tuple[Found, GuideSession]:
        """Look for a name in a slice, and open a session on what was found."""
        from napari_guideme.localize.finding import find, scene_of
        from napari_guideme.session import GuideSession

        query, network = named.query, self.network(device)
        classifier = self._classifier(query.classifier, device)
        pixels, axis = as_seen(part), channel_axis(part)
        found = find(
            query.name,
            pixels,
            classifier,
            named.stand_ins,
            network=network,
            method=query.method,
            channel_axis=axis,
            progress=self._progress,
        )
        scene = scene_of(found, pixels, network, axis)
        return found, GuideSession.on(scene, method=named.usual_method)

    def _classifier(self, source: str, device: str) -> FrozenClassifier:
        from napari_guideme.networks.classifier import open_classifier

        with self._turn:
            if (source, device) not in self._classifiers:
                self._classifiers[source, device] = open_classifier(source, device)
            return self._classifiers[source, device]

    def _known_labels(self, classifier: FrozenClassifier) -> KnownLabels:
        from napari_guideme.localize.proxies import known_labels

        if classifier not in self._known:
            self._known[classifier] = known_labels(classifier)
        return self._known[classifier]

    def _probabilities(self, classifier: FrozenClassifier, part: Slice) -> NDArray[np.float32]:
        """Probabilities of the labels in a slice; those of the last one are remembered."""
        key = classifier, id(part.layer.data), part.key, _limits(part)
        if self._likely is None or self._likely[0] != key:
            likely = classifier.probabilities(as_seen(part), channel_axis(part))
            self._likely = key, likely
        return self._likely[1]


def channel_axis(part: Slice) -> int | None:
    """Return the axis of colours of a slice."""
    return -1 if part.layer.rgb else None


def as_seen(part: Slice) -> NDArray[Any]:
    """Read a slice as it is seen: classifiers know photographs, not what a camera counts."""
    pixels, limits = part.pixels(), _limits(part)
    if limits is None or not np.isfinite(pixels).all():
        return pixels
    low, high = limits
    seen: NDArray[np.uint8] = np.clip(
        255 * (pixels.astype(np.float32) - low) / (high - low or 1), 0, 255
    ).astype(np.uint8)
    return seen


def _limits(part: Slice) -> tuple[float, float] | None:
    """Values that are seen black and white; colours are seen as they are."""
    if part.layer.rgb:
        return None
    low, high = part.layer.contrast_limits
    return float(low), float(high)
