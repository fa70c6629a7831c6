"""A sentence that See-through-Text follows to one thing among others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from napari_guideme.guidance import DEFAULT_FOLLOWED_METHOD, FOLLOWED_METHODS
from napari_guideme.networks import cancelling
from napari_guideme.networks.card import NetworkCard
from napari_guideme.referring import REFERRING
from napari_guideme.session_file import BySentence, NetworkReference, SentenceSearch, source_of
from napari_guideme.widgets.slices import Slice
from napari_guideme.widgets.sought import Query, Sought

if TYPE_CHECKING:
    from napari_guideme.networks.frozen import FrozenNetwork


@dataclass(frozen=True, eq=False)
class Heard:
    """What is known about a sentence before it is followed.

    Attributes
    ----------
    query, part
        What was asked, and where.
    follows
        What can be looked for.
    unknown
        Words that the network does not know.
    several
        Whether more than one thing may be meant.
    """

    query: Query
    part: Slice
    follows: Sentence
    unknown: tuple[str, ...]
    several: bool = False

    def sought(self) -> Sentence:
        """What can be looked for now."""
        return self.follows

    def recalling(self, _: Sought | None) -> Heard:
        """Nothing of a sentence can be changed but the sentence."""
        return self


@dataclass(frozen=True, eq=False, kw_only=True)
class Sentence(Sought):
    """A sentence, as one network follows it.

    Attributes
    ----------
    weights
        SHA-256 of the network's file.
    total
        Steps in which it follows the sentence.
    """

    doing: ClassVar[str] = "Following the sentence: step {} of {} …"

    search: SentenceSearch
    follower: Follower
    weights: str
    total: int

    @property
    def steps(self) -> int:
        """Levels of the encoder, as often as they are gone through."""
        return self.total

    @property
    def usual_method(self) -> str:
        """What corrects it best, as measured."""
        return DEFAULT_FOLLOWED_METHOD

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods that mean something to it."""
        return FOLLOWED_METHODS

    def open(self, device: str) -> FrozenNetwork:
        """Return the network for this sentence alone."""
        from napari_guideme.referring.opening import frozen

        network = self.answering(device).network
        return frozen(network, self.search.sentence, self.card.classes[1], device)

    def answering(self, device: str) -> BySentence:
        """Return the network; loading it takes seconds."""
        return self.follower.answering(str(self.source), device)

    def progress(self, done: int, total: int) -> None:
        """Tell how many steps were gone."""
        self.follower.progress(done, total)

    def reference(self, network: FrozenNetwork) -> NetworkReference:
        """Tell a session file which network follows the sentence, by its file."""
        return NetworkReference(self.source, self.weights)


class Follower:
    """Loads referring networks once; to be asked in the background.

    Parameters
    ----------
    progress
        Called with steps done and steps in all, in the background.
    """

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self.progress = progress
        self._loaded: dict[tuple[str, str], BySentence] = {}
        self._turn = Lock()

    def knows_any(self, text: str, source: str, device: str) -> bool:
        """Whether a network knows any word that says something."""
        return self.answering(source, device).network.reader.knows_any(text)

    def hear(self, query: Query, part: Slice, device: str) -> Heard:
        """Read a sentence, without the image.

        Raises
        ------
        InputError
            If it has no words, or the file is no such network.
        """
        from napari_guideme.referring.naming import names_several

        reader = self.answering(query.referring, device).network.reader
        unknown = tuple(dict.fromkeys(reader.unknown_words(query.text)))
        follows = self.recalled(SentenceSearch(query.text), query, device)
        return Heard(query, part, follows, unknown, names_several(query.text, reader.known))

    def recalled(self, search: SentenceSearch, query: Query, device: str) -> Sentence:
        """Follow a sentence as it was followed, by the network that the query tells.

        Raises
        ------
        InputError
            If it has no words, or the file is no such network.
        """
        from napari_guideme.referring.naming import class_of

        answering = self.answering(query.referring, device)
        name = class_of(search.sentence, answering.network.reader.known)
        return Sentence(
            f'"{search.sentence}"',
            answering.source,
            NetworkCard(name="see-through-text", classes=("background", name)),
            query=query,
            search=search,
            follower=self,
            weights=answering.weights.sha256,
            total=answering.network.design.steps,
        )

    def answering(self, source: str, device: str) -> BySentence:
        """Return a network that follows sentences; loading it takes seconds."""
        with self._turn:
            if (source, device) not in self._loaded:
                cancelling.check()
                opened = BySentence.open(source_of(source, REFERRING), device)
                self._loaded[source, device] = opened
            return self._loaded[source, device]
