"""A sentence that See-through-Text follows to one thing among others."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from napari_guideme.guidance import DEFAULT_FOLLOWED_METHOD, FOLLOWED_METHODS
from napari_guideme.networks.card import NetworkCard
from napari_guideme.widgets.slices import Slice
from napari_guideme.widgets.sought import Query, Sought, as_seen, channel_axis

if TYPE_CHECKING:
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.referring.following import Followed
    from napari_guideme.referring.see_through_text import SeeThroughText
    from napari_guideme.session import GuideSession


@dataclass(frozen=True, eq=False)
class Heard:
    """What is known about a sentence before it is followed.

    Attributes
    ----------
    query, follower
        What was asked, and who was.
    name
        Of the class that the sentence is about.
    unknown
        Words that the network does not know.
    steps
        In which it follows a sentence.
    """

    query: Query
    follower: Follower
    part: Slice
    name: str
    unknown: tuple[str, ...]
    steps: int

    def sought(self) -> Sentence:
        """What can be looked for now."""
        return Sentence(
            f'"{self.query.text}"',
            self.query.referring,
            NetworkCard(name="see-through-text", classes=("background", self.name)),
            heard=self,
        )

    def recalling(self, _: Sought | None) -> Heard:
        """Nothing of a sentence can be changed but the sentence."""
        return self


@dataclass(frozen=True, eq=False, kw_only=True)
class Sentence(Sought):
    """A sentence, as one network follows it."""

    doing: ClassVar[str] = "Following the sentence: step {} of {} …"

    heard: Heard

    @property
    def text(self) -> str:
        """What was typed."""
        return self.heard.query.text

    @property
    def way(self) -> Hashable:
        """The network that follows it."""
        return self.heard.query.referring

    @property
    def steps(self) -> int:
        """Levels of the encoder, as often as they are gone through."""
        return self.heard.steps

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
        return self.heard.follower.frozen(self, device)

    def begin(self, part: Slice, device: str) -> tuple[Followed, GuideSession]:
        """Follow it in a slice, and open a session on what it refers to."""
        return self.heard.follower.begin(self, part, device)


class Follower:
    """Loads referring networks once; to be asked in the background.

    Parameters
    ----------
    progress
        Called with steps done and steps in all, in the background.
    """

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self._progress = progress
        self._networks: dict[str, SeeThroughText] = {}
        self._turn = Lock()

    def knows_any(self, text: str, source: str) -> bool:
        """Whether a network knows any word."""
        from napari_guideme.referring.reader import words_of

        return len(self._network(source).reader.unknown_words(text)) < len(words_of(text))

    def hear(self, query: Query, part: Slice) -> Heard:
        """Read a sentence, without the image.

        Raises
        ------
        InputError
            If it has no words, or the file is no such network.
        """
        from napari_guideme.referring.naming import class_of

        network = self._network(query.referring)
        reader, text = network.reader, query.text
        unknown = tuple(dict.fromkeys(reader.unknown_words(text)))
        name = class_of(text, reader.known)
        return Heard(query, self, part, name, unknown, network.design.steps)

    def begin(self, sentence: Sentence, part: Slice, device: str) -> tuple[Followed, GuideSession]:
        """Follow a sentence in a slice, and open a session on what it refers to."""
        from napari_guideme.referring.following import follow, scene_of
        from napari_guideme.session import GuideSession

        network = self._network(sentence.heard.query.referring)
        pixels, axis = as_seen(part), channel_axis(part)
        followed = follow(
            sentence.text, pixels, network, channel_axis=axis, progress=self._progress
        )
        scene = scene_of(followed, pixels, network, axis, device)
        scene = scene.spaced(part.spacing)
        return followed, GuideSession.on(scene, method=sentence.usual_method)

    def frozen(self, sentence: Sentence, device: str) -> FrozenNetwork:
        """Return the network for one sentence alone."""
        from napari_guideme.referring.opening import frozen

        heard = sentence.heard
        return frozen(self._network(heard.query.referring), sentence.text, heard.name, device)

    def _network(self, source: str) -> SeeThroughText:
        from napari_guideme.referring.opening import open_referring

        with self._turn:
            if source not in self._networks:
                self._networks[source] = open_referring(source)
            return self._networks[source]
