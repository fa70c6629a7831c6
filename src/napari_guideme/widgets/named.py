"""A name that is looked for, by labels of a classifier that stand in for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.guidance import DEFAULT_METHOD, FOUND_METHODS
from napari_guideme.localize import usual_outline, usual_views
from napari_guideme.networks import cancelling
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER
from napari_guideme.session_file import ByLabels, NameSearch, NetworkReference, source_of
from napari_guideme.widgets.slices import Slice
from napari_guideme.widgets.sought import Query, Sought, as_seen, channel_axis, limits_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_guideme.localize.known_labels import KnownLabels
    from napari_guideme.networks.card import NetworkCard
    from napari_guideme.networks.classifier import FrozenClassifier
    from napari_guideme.networks.frozen import FrozenNetwork


@dataclass(frozen=True, eq=False)
class Looked:
    """What a classifier says about a name.

    Attributes
    ----------
    query, finder
        What was asked, and who was.
    labels, known
        What the classifier knows, as it calls it and by all names.
    part
        The slice it looked at; ``None`` if nothing was asked.
    probabilities
        Of the labels there.
    search
        What stands in for the name there, and what distracts.
    card
        Of the network that finds the name.
    why
        Why nothing stands in, if nothing does.
    """

    query: Query
    finder: Finder
    labels: tuple[str, ...]
    known: KnownLabels
    part: Slice | None = None
    probabilities: NDArray[np.float32] | None = None
    search: NameSearch | None = None
    card: NetworkCard | None = None
    why: str = ""

    def sought(self) -> Named | None:
        """What can be looked for now, if any label stands in."""
        if self.card is None or self.search is None or not self.search.positive:
            return None
        search = self.search.by(self.query.method)
        return Named.of(search, self.query, self.finder, self.card)

    def recalling(self, known: Sought | None) -> Looked:
        """The same with the labels that the name was found by before, if it was."""
        if not isinstance(known, Named) or self.search is None:
            return self
        same = known.search.classifier == self.search.classifier
        return replace(self, search=known.search) if same else self

    def without(self, label: int) -> Looked:
        """The same, but for a label that stands in or distracts no more."""
        told = self.search
        if told is None:
            return self
        left = _without(told.positive, label), _without(told.negative, label)
        return replace(self, search=replace(told, positive=left[0], negative=left[1]))

    def adding(self, title: str, *, distracts: bool) -> Looked:
        """The same with a label more that stands in for the name, or distracts from it.

        Raises
        ------
        InputError
            If the classifier has no such label.
        """
        label = self._label(title)
        told = self.without(label).search
        if told is None:
            return self
        if distracts:
            more = replace(told, negative=(*told.negative, label))
        else:
            more = replace(told, positive=(*told.positive, label))
        return replace(self, search=more)

    def _label(self, title: str) -> int:
        """Return the label that has a name."""
        called = [i for i, own in enumerate(self.labels) if own == title]
        called = called or self.known.called(title)
        if called:
            return called[0]
        near = get_close_matches(title, self.labels)
        told = f"; near are {', '.join(near)}" if near else ""
        raise InputError(f"the classifier has no label {title!r}{told}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Named(Sought):
    """A name with the labels that stand in for it."""

    doing: ClassVar[str] = "Looking at the image: {} of {} labels …"

    search: NameSearch
    finder: Finder

    @classmethod
    def of(cls, search: NameSearch, query: Query, finder: Finder, card: NetworkCard) -> Named:
        """Look for a name in this way; `card` is that of the network that finds it."""
        label = f'"{search.name}"'
        return cls(label, card.name, card, query=query, search=search, finder=finder)

    @property
    def steps(self) -> int:
        """Labels that are looked for."""
        return len(self.search.positive + self.search.negative)

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
        return self.finder.network(device).calling(self.search.name)

    def answering(self, device: str) -> ByLabels:
        """Return the classifier and the class-agnostic network; loading them takes seconds."""
        return self.finder.answering(self.search.classifier.source, device)

    def progress(self, done: int, total: int) -> None:
        """Tell how many labels were looked for."""
        self.finder.progress(done, total)


class Finder:
    """Loads classifiers and the class-agnostic network once; to be asked in the background.

    Parameters
    ----------
    progress
        Called with maps done and maps in all, in the background.
    """

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self.progress = progress
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
                cancelling.check()
                self._networks[device] = open_attention(device=device)
            return self._networks[device]

    def is_name(self, phrase: str, source: str, device: str) -> bool:
        """Whether a phrase as a whole names something that labels may stand in for."""
        from napari_guideme.localize.proxies import is_name

        return is_name(phrase, self._known_labels(self._classifier(source, device)))

    def look(self, query: Query, part: Slice | None, device: str) -> Looked:
        """Find what stands in for a name in a slice; without a slice load what it takes.

        Raises
        ------
        InputError
            If classifier or image cannot be used.
        """
        from napari_guideme.localize.finding import MOST
        from napari_guideme.localize.proxies import stand_ins

        classifier = self._classifier(query.classifier, device)
        told = query, self, classifier.labels, self._known_labels(classifier)
        if part is None:
            return Looked(*told)
        likely = self._probabilities(classifier, part)
        card = self.network(device).calling(query.text).card
        try:
            chosen, why = stand_ins(query.text, told[3], likely, most=MOST), ""
            labels = chosen.positive, chosen.negative
        except InputError as error:
            others = np.argsort(-likely, kind="stable")[:MOST].tolist()
            labels, why = ((), tuple(others)), str(error)
        source = source_of(query.classifier, DEFAULT_CLASSIFIER)
        reference = NetworkReference(source, classifier.fingerprint)
        usual = usual_views(query.method), usual_outline(query.method)
        search = NameSearch(query.text, reference, *labels, query.method, *usual)
        return Looked(*told, part, likely, search, card, why)

    def recalled(self, search: NameSearch, query: Query, device: str) -> Named:
        """Look for a name as it was looked for; this loads what it takes.

        Raises
        ------
        InputError
            If the classifier is not there, or is another one.
        """
        self.answering(search.classifier.source, device).check(search)
        return Named.of(search, query, self, self.network(device).calling(search.name).card)

    def answering(self, source: str | Path, device: str) -> ByLabels:
        """Return a classifier and the class-agnostic network; loading them takes seconds."""
        return ByLabels(self._classifier(str(source), device), self.network(device))

    def _classifier(self, source: str, device: str) -> FrozenClassifier:
        from napari_guideme.networks.classifier import open_classifier

        with self._turn:
            if (source, device) not in self._classifiers:
                cancelling.check()
                self._classifiers[source, device] = open_classifier(source, device)
            return self._classifiers[source, device]

    def _known_labels(self, classifier: FrozenClassifier) -> KnownLabels:
        from napari_guideme.localize.proxies import known_labels

        if classifier not in self._known:
            self._known[classifier] = known_labels(classifier)
        return self._known[classifier]

    def _probabilities(self, classifier: FrozenClassifier, part: Slice) -> NDArray[np.float32]:
        """Probabilities of the labels in a slice; those of the last one are remembered."""
        key = classifier, id(part.layer.data), part.key, limits_of(part)
        if self._likely is None or self._likely[0] != key:
            likely = classifier.probabilities(as_seen(part), channel_axis(part))
            self._likely = key, likely
        return self._likely[1]


def _without(labels: tuple[int, ...], label: int) -> tuple[int, ...]:
    return tuple(other for other in labels if other != label)
