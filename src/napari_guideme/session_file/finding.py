"""Finding a thing as a session file tells it, and a session in which clicks correct that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.guidance import DEFAULT_FOLLOWED_METHOD, DEFAULT_METHOD
from napari_guideme.referring import REFERRING, follows_image
from napari_guideme.session_file.contents import FileReference, NetworkReference, Part, Setup
from napari_guideme.session_file.searches import NameSearch, Search, SentenceSearch

if TYPE_CHECKING:
    from napari_guideme.guidance.scene import Scene
    from napari_guideme.localize.finding import Found
    from napari_guideme.networks.classifier import FrozenClassifier
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.referring.following import Followed
    from napari_guideme.referring.see_through_text import SeeThroughText
    from napari_guideme.session import GuideSession

S = TypeVar("S", bound=Search)
F = TypeVar("F", "Found", "Followed")

#: Called with steps done and steps in all.
Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Tell nobody."""


class Finding(ABC, Generic[S, F]):
    """Who answers a search, loaded; and how clicks correct the answer best."""

    method: str

    def find(self, search: S, setup: Setup, pixels: NDArray[Any], progress: Progress = silent) -> F:
        """Find what is searched for.

        Parameters
        ----------
        search
            What, and how.
        setup
            Which axis of the pixels holds channels, and which of them count.
        pixels
            Two spatial axes and at most one channel axis.
        progress
            Called after every step.

        Raises
        ------
        InputError
            If the search, or the image, cannot be used.
        """
        return self._find(search, _seen(search, setup, pixels), setup.channel_axis, progress)

    def session(
        self,
        found: F,
        search: S,
        setup: Setup,
        pixels: NDArray[Any],
        method: str | None = None,
    ) -> GuideSession:
        """Open a session in which clicks correct what :meth:`find` found.

        Parameters
        ----------
        found, search, setup, pixels
            What was found, and what :meth:`find` was given.
        method
            Name of a method; by default the one that corrects it best.
        """
        from napari_guideme.language.places import View
        from napari_guideme.session import GuideSession

        scene = self._scene(found, _seen(search, setup, pixels), setup.channel_axis)
        if setup.spacing is not None:
            scene = scene.spaced(setup.spacing)
        return GuideSession.on(
            scene.at(setup.calibrated) if setup.calibrated else scene,
            point_is_chosen=setup.calibrated is not None,
            method=method or self.method,
            view=View.upright(2, setup.patient),
        )

    def begin(
        self, search: S, setup: Setup, pixels: NDArray[Any], progress: Progress = silent
    ) -> tuple[F, GuideSession]:
        """Find what is searched for, and open a session on it."""
        found = self.find(search, setup, pixels, progress)
        return found, self.session(found, search, setup, pixels)

    @abstractmethod
    def reference(self, search: S) -> NetworkReference:
        """Tell which network clicks correct."""

    @abstractmethod
    def _find(
        self, search: S, seen: NDArray[Any], channel_axis: int | None, progress: Progress
    ) -> F: ...

    @abstractmethod
    def _scene(self, found: F, seen: NDArray[Any], channel_axis: int | None) -> Scene: ...


@dataclass(frozen=True)
class ByLabels(Finding[NameSearch, "Found"]):
    """Labels of a classifier stand in for a name.

    Attributes
    ----------
    classifier
        Whose labels they are.
    network
        The class-agnostic one; without it only maps are made, see `find` of `localize`.
    """

    classifier: FrozenClassifier
    network: FrozenNetwork | None
    method = DEFAULT_METHOD

    def reference(self, search: NameSearch) -> NetworkReference:
        """Tell which class-agnostic network it is; its class bears the name."""
        assert self.network is not None, "only what clicks correct is saved"
        network = self.network.calling(search.name)
        return NetworkReference(network.name, network.fingerprint)

    def check(self, search: NameSearch) -> None:
        """Raise `InputError` if a name was found by another classifier, or by no label of it."""
        if self.classifier.fingerprint != search.classifier.fingerprint:
            raise InputError(
                f"{self.classifier.name} is not the classifier that {search.name!r} was found "
                "by, or was changed since"
            )
        if not search.positive:
            raise InputError(f"no label stands in for {search.name!r}")
        for label in search.positive + search.negative:
            self.classifier.check_label(label)

    def _find(
        self, search: NameSearch, seen: NDArray[Any], channel_axis: int | None, progress: Progress
    ) -> Found:
        from napari_guideme.localize.finding import find
        from napari_guideme.localize.proxies import StandIns

        self.check(search)
        return find(
            search.name,
            seen,
            self.classifier,
            StandIns(search.positive, search.negative),
            network=self.network,
            method=search.method,
            channel_axis=channel_axis,
            views=search.views,
            outline=search.outline,
            progress=progress,
        )

    def _scene(self, found: Found, seen: NDArray[Any], channel_axis: int | None) -> Scene:
        from napari_guideme.localize.finding import scene_of

        assert self.network is not None, "clicks correct the network's answer"
        return scene_of(found, seen, self.network, channel_axis)


@dataclass(frozen=True)
class BySentence(Finding[SentenceSearch, "Followed"]):
    """See-through-Text follows a sentence.

    Attributes
    ----------
    network, weights
        The network, and its file.
    source
        Its name, or the path of that file.
    device
        Where clicks are computed; :meth:`open` takes the network there, too.
    """

    network: SeeThroughText
    weights: FileReference
    source: str | Path = REFERRING
    device: str = "auto"
    method = DEFAULT_FOLLOWED_METHOD

    @classmethod
    def open(cls, source: str | Path = REFERRING, device: str = "auto") -> BySentence:
        """Load a network that follows sentences.

        Raises
        ------
        InputError
            If there is no such network or device, or the file holds something else.
        """
        from napari_guideme.referring.opening import open_referring, weights_of

        network = open_referring(source, device)
        return cls(network, FileReference.of(weights_of(source)), source, device)

    def reference(self, search: SentenceSearch) -> NetworkReference:
        """Tell which network it is, by its file: what it reads depends on the machine a bit."""
        return NetworkReference(self.source, self.weights.sha256)

    def _find(
        self,
        search: SentenceSearch,
        seen: NDArray[Any],
        channel_axis: int | None,
        progress: Progress,
    ) -> Followed:
        from napari_guideme.referring.following import follow

        return follow(
            search.sentence,
            seen,
            self.network,
            channel_axis=channel_axis,
            follows_image=follows_image(search.outline),
            progress=progress,
        )

    def _scene(self, found: Followed, seen: NDArray[Any], channel_axis: int | None) -> Scene:
        from napari_guideme.referring.following import scene_of

        return scene_of(found, seen, self.network, channel_axis, self.device)


def open_finding(
    network: NetworkReference, search: Search, device: str = "auto"
) -> Finding[Any, Any]:
    """Load who answered a search.

    Parameters
    ----------
    network
        Which network clicks corrected.
    search
        What was searched for.
    device
        ``"auto"`` or a name such as ``"cuda:1"``.

    Raises
    ------
    InputError
        If a file is not there, or holds something else.
    """
    if isinstance(search, SentenceSearch):
        return BySentence.open(network.source, device)
    from napari_guideme.localize.attention import open_attention
    from napari_guideme.networks.classifier import open_classifier

    classifier = open_classifier(search.classifier.source, device)
    return ByLabels(classifier, open_attention(device=device))


def found_again(
    part: Part,
    finding: Finding[Any, Any],
    image: NDArray[Any],
    progress: Progress = silent,
) -> tuple[Found | Followed, GuideSession]:
    """Find a thing as it was found; ``replay(part.history)`` then does again what was clicked.

    Parameters
    ----------
    part
        That began with a search.
    finding
        Who answers it.
    image
        The whole image; of a lazy one only the part is read.
    progress
        Called after every step.

    Raises
    ------
    InputError
        If the pixels are others, or it cannot be found in that way.
    """
    assert part.search is not None, "the part began with a search"
    return finding.begin(part.search, part.setup, part.checked_pixels(image), progress)


def with_channels(
    pixels: NDArray[Any], channels: Sequence[int] | None, axis: int | None
) -> NDArray[Any]:
    """Return some channels of an image, in the order they are told in.

    Raises
    ------
    InputError
        If the image does not have them.
    """
    if channels is None:
        return pixels
    if axis is None:
        raise InputError("the image has no channels; --channels is for one that has")
    if max(channels) >= pixels.shape[axis] or min(channels) < 0:
        raise InputError(f"the image has channels 0 to {pixels.shape[axis] - 1}")
    return pixels.take(channels, axis)


def _seen(search: Search, setup: Setup, pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the pixels as they are looked at."""
    from napari_guideme.localize.photographs import as_photograph

    chosen = with_channels(np.asarray(pixels), setup.channels, setup.channel_axis)
    return as_photograph(chosen, search.limits)
