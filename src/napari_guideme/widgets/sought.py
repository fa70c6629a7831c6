"""What is looked for in an image: to the widget a network like any other, with two classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.localize import DEFAULT_FINDING
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER
from napari_guideme.referring import PROXIES, REFERRING
from napari_guideme.session_file import NetworkReference, Search, Setup
from napari_guideme.widgets.channels import ALONG, has_channels
from napari_guideme.widgets.known import Known
from napari_guideme.widgets.rearranged import full_resolution
from napari_guideme.widgets.slices import Slice

if TYPE_CHECKING:
    from napari_guideme.localize.finding import Found
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.referring.following import Followed
    from napari_guideme.session import GuideSession
    from napari_guideme.session_file.finding import Finding

#: Who answers; `which_answers` decides unless the user did.
AUTOMATIC, BY_SENTENCE, BY_NAME = "automatic", REFERRING, PROXIES


@dataclass(frozen=True)
class Query:
    """What is typed, and what shall answer it.

    Attributes
    ----------
    text
        A name or a sentence.
    answering
        Who answers: `AUTOMATIC`, `BY_SENTENCE` or `BY_NAME`.
    classifier, method
        Of names: whose labels stand in, and which of the `FINDING_NAMES`.
    referring
        Of sentences: the bundled network, or the path of a file.
    """

    text: str = ""
    answering: str = AUTOMATIC
    classifier: str = DEFAULT_CLASSIFIER
    method: str = DEFAULT_FINDING
    referring: str = REFERRING


@dataclass(frozen=True, eq=False, kw_only=True)
class Sought(Known, ABC):
    """Something that is looked for, in any image, one slice after the other.

    Looked for in another way it is another `Sought` of the same label.

    Attributes
    ----------
    query
        What was typed, and what was to answer it.
    search
        All that decides what is found, but for how an image is seen.
    """

    #: What is told while it is looked for, with steps done and steps in all.
    doing: ClassVar[str]

    query: Query
    search: Search

    @property
    def carries(self) -> bool:
        """Each slice is looked at by itself."""
        return False

    @property
    @abstractmethod
    def steps(self) -> int:
        """Of which looking consists."""

    @abstractmethod
    def answering(self, device: str) -> Finding[Any, Any]:
        """Return who answers, loaded; this can take seconds."""

    @abstractmethod
    def progress(self, done: int, total: int) -> None:
        """Tell how far looking has come."""

    def seen(self, part: Slice) -> Search:
        """What is looked for in a slice, as that is seen now."""
        return replace(self.search, limits=limits_of(part))

    def begin(
        self, search: Search, setup: Setup, pixels: NDArray[Any], device: str
    ) -> tuple[Found | Followed, GuideSession]:
        """Look for it in an image, and open a session on what was found; this takes seconds."""
        begun: tuple[Found | Followed, GuideSession]
        begun = self.answering(device).begin(search, setup, pixels, self.progress)
        return begun

    def reference(self, network: FrozenNetwork) -> NetworkReference:
        """Tell a session file which network clicks correct."""
        return NetworkReference(self.source, network.fingerprint)

    def finds_as(self, other: Sought | None) -> bool:
        """Whether another one finds the same in every image."""
        if type(self) is not type(other) or other is None:
            return False
        return (self.source, self.search) == (other.source, other.search)


def channel_axis(part: Slice) -> int | None:
    """Return the axis of channels of a slice."""
    return -1 if has_channels(part.layer) else None


def check_channels(network: FrozenNetwork, part: Slice) -> None:
    """Raise `InputError` if a network takes channels that a layer has not."""
    layer, wanted = part.layer, network.preparation.channels
    count = full_resolution(layer).shape[-1] if has_channels(layer) else 1
    if wanted == count or (wanted in (1, 3) and count in (1, 3, 4)):
        return
    if wanted in (1, 3):
        raise InputError(
            f"{network.name} takes a grey or a coloured picture, {layer.name} has {count} "
            "channels; choose No channels below the image, and label the one that the slider shows"
        )
    raise InputError(
        f"{network.name} takes {wanted} channels, {layer.name} has {count}; put them into "
        "one layer, as Merge to Stack in napari's menu of layers does, and choose "
        f"{ALONG} 0, or along which they lie"
    )


def as_seen(part: Slice) -> NDArray[Any]:
    """Read a slice as it is seen: who knows photographs knows not what a camera counts."""
    from napari_guideme.localize.photographs import as_photograph

    return as_photograph(part.pixels(), limits_of(part))


def limits_of(part: Slice) -> tuple[float, float] | None:
    """Values that are seen black and white; colours are seen as they are."""
    if part.layer.rgb:
        return None
    low, high = part.layer.contrast_limits
    return float(low), float(high)
