"""The networks that the user can choose, and what is known about each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from napari_guideme.guidance import (
    CLICK_METHODS,
    DEFAULT_METHOD,
    DEFAULT_OBJECT_METHOD,
    GUIDE_METHODS,
)
from napari_guideme.language import DEFAULT_TELLING
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.catalogue import catalogue, open_network
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.session_file import NetworkReference

if TYPE_CHECKING:
    from napari_guideme.language.text_guide import TextGuide
    from napari_guideme.networks.frozen import FrozenNetwork


@dataclass(frozen=True, eq=False)
class Known:
    """A network with one card; with another card it is another `Known`.

    Attributes
    ----------
    label
        What the user chooses it by.
    source
        What :func:`open_network` takes: a name or a path.
    card
        What it finds and expects.
    assumed
        Entries of the card that nobody told.
    """

    label: str
    source: str | Path
    card: NetworkCard
    assumed: tuple[str, ...] = ()

    @property
    def outlines_objects(self) -> bool:
        """Whether it outlines what is clicked, one object after the other."""
        told = self.card.interaction
        return bool(told) and InteractionMaps.from_dict(told).are_drawn

    @property
    def carries(self) -> bool:
        """Whether corrections are carried through a stack; those of objects are not."""
        return not self.card.interaction

    @property
    def usual_method(self) -> str:
        """The method that suits it."""
        return DEFAULT_OBJECT_METHOD if self.outlines_objects else DEFAULT_METHOD

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods that mean something to it."""
        return CLICK_METHODS if self.outlines_objects else GUIDE_METHODS

    def open(self, device: str) -> FrozenNetwork:
        """Load it; this can take seconds."""
        return open_network(self.source, device, self.card)

    def reference(self, network: FrozenNetwork) -> NetworkReference:
        """Tell a session file which network is corrected."""
        card = None if self.is_bundled else self.card.to_dict()
        return NetworkReference(self.source, network.fingerprint, card)

    @property
    def is_bundled(self) -> bool:
        """Whether it ships with the package."""
        return self.source in catalogue()


@dataclass(frozen=True)
class Choice:
    """What a session is opened with."""

    network: Known
    device: str = "auto"
    guide_point: str | None = None
    telling: str = DEFAULT_TELLING


class Networks:
    """Bundled networks and opened ones; each is loaded once per device."""

    def __init__(self) -> None:
        self._known = {n: Known(n, n, entry.card) for n, entry in catalogue().items()}
        self._loaded: dict[tuple[Known, str], FrozenNetwork] = {}
        self._turn = Lock()

    def __iter__(self) -> Iterator[Known]:
        return iter(self._known.values())

    def __getitem__(self, label: str) -> Known:
        return self._known[label]

    def add(self, source: str | Path, network: FrozenNetwork, device: str) -> Known:
        """Know a network that was opened; the same source again takes its place."""
        label = self._label(source, network.name)
        known = Known(label, source, network.card, network.assumed)
        self.put(known, network, device)
        return known

    def put(self, known: Known, network: FrozenNetwork | None = None, device: str = "") -> None:
        """Let a label stand for this from now on."""
        self._known[known.label] = known
        if network is not None:
            self._loaded[known, device] = network

    def load(self, known: Known, device: str) -> FrozenNetwork:
        """Return the network, loaded; this can take seconds."""
        with self._turn:
            network = self._loaded.get((known, device))
            if network is None:
                network = self._loaded[known, device] = known.open(device)
            return network

    def text_guide(self, choice: Choice) -> TextGuide | None:
        """Return what follows words, loaded, unless evidence alone does.

        Raises
        ------
        InputError
            If it cannot be read, or is for another network.
        """
        if choice.telling == DEFAULT_TELLING:
            return None
        from napari_guideme.language.text_guide import find, load

        path = find(choice.network.source)
        return load(path, self.load(choice.network, choice.device)) if path else None

    def amended(self, known: Known, card: NetworkCard, device: str) -> tuple[Known, FrozenNetwork]:
        """Return a network with another card, loaded anew only if it has to be."""
        from napari_guideme.networks.amending import amended, is_amendable

        network = self.load(known, device)
        if is_amendable(network, card):
            other = amended(network, card)
        else:
            other = open_network(known.source, device, card)
        return Known(known.label, known.source, other.card), other

    def forget(self, known: Known) -> None:
        """Unload a network that is not chosen any more."""
        for key in [key for key in list(self._loaded) if key[0] is known]:
            del self._loaded[key]

    def unload(self) -> None:
        """Unload all networks; they are loaded again when they are needed."""
        self._loaded.clear()

    def _label(self, source: str | Path, name: str) -> str:
        """Return the first of ever longer names that stands for no other source."""
        path = Path(source)
        among_others = f"{name} ({path.parent.name}/{path.name})"
        for label in (name, among_others):
            if label not in self._known or self._known[label].source == source:
                return label
        return str(source)
