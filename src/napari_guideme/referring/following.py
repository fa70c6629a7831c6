"""Follow a sentence: what it refers to in an image, why, and what clicks correct."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError, check_kind
from napari_guideme.grabcut import bounding_box
from napari_guideme.guidance.scene import Scene
from napari_guideme.localize.finding import masked
from napari_guideme.networks.modes import own_modes
from napari_guideme.referring.naming import (
    NAMELESS,
    class_of,
    names_nothing,
    names_several,
    without_articles,
)
from napari_guideme.referring.opening import Steps, frozen, steps_of
from napari_guideme.referring.outline import Clicker, outlined
from napari_guideme.referring.reader import words_of
from napari_guideme.referring.see_through_text import SeeThroughText

Answering = Literal["see-through-text", "proxies"]

#: By how many logits a pixel leads at least, where clicks start from: what the outline overruled
#: must not flip back with the first of them.
_LEAD = 0.5


@dataclass(frozen=True, eq=False)
class Followed:
    """What a sentence refers to in an image.

    Attributes
    ----------
    sentence
        As it was told.
    name
        The class that it names, such as "nucleus"; else "object".
    steps
        What happened on the way.
    likelihood
        The last refined heat map, (rows, columns) from 0 to 1.
    mask
        The one thing that most of it is on, see :func:`outlined`.
    unknown
        Words that the network did not learn.
    several
        Whether the sentence may mean more than the one thing.
    """

    sentence: str
    name: str
    steps: Steps
    likelihood: NDArray[np.float32]
    mask: NDArray[np.bool_]
    unknown: tuple[str, ...] = ()
    several: bool = False

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """First row and column and those behind the last ones; ``None`` if nothing was found."""
        return bounding_box(self.mask)


@own_modes()
def follow(
    sentence: str,
    image: NDArray[Any],
    network: SeeThroughText,
    *,
    channel_axis: int | None = None,
    follows_image: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Followed:
    """Find what a sentence refers to.

    Parameters
    ----------
    sentence
        Such as "the larger nucleus at the bottom"; its first 20 words count.
    image
        Two spatial axes and at most one channel axis; values of any kind.
    network
        From :func:`~napari_guideme.referring.opening.open_referring`.
    channel_axis
        The axis of `image` that holds channels, ``None`` for a grey image.
    follows_image
        Whether the bundled click network draws the outline; else it is the heat map's.
    progress
        Called with steps done and steps in all.

    Raises
    ------
    InputError
        If the sentence has no word, or the image cannot be used.
    """
    check_kind("sentence", sentence, str, "a text")
    steps = steps_of(network, sentence, image, channel_axis, progress)
    likelihood = steps.refined[-1]
    clicker = Clicker(image, channel_axis, str(network.device)) if follows_image else None
    return Followed(
        sentence,
        class_of(sentence, network.reader.known),
        steps,
        likelihood,
        outlined(likelihood, clicker),
        tuple(dict.fromkeys(network.reader.unknown_words(sentence))),
        names_several(sentence, network.reader.known),
    )


@own_modes()
def scene_of(
    followed: Followed,
    image: NDArray[Any],
    network: SeeThroughText,
    channel_axis: int | None = None,
    device: str = "auto",
) -> Scene:
    """What clicks correct: the network for this sentence, whose first labels are the mask.

    Open a session on it, ``GuideSession.on(scene_of(...), method=...)`` with one of
    :data:`~napari_guideme.guidance.FOLLOWED_METHODS`.

    Parameters
    ----------
    followed
        From :func:`follow`.
    image, network, channel_axis
        As :func:`follow` was given them.
    device
        ``"auto"`` or a name such as ``"cuda:1"``.
    """
    fixed = frozen(network, followed.sentence, followed.name, device)
    return masked(Scene(fixed, image, channel_axis=channel_axis), followed.mask, _LEAD)


def which_answers(
    sentence: str,
    is_name: Callable[[str], bool],
    knows_any: Callable[[str], bool] = lambda phrase: True,
) -> Answering:
    """Tell who answers: the proxies if a class is named and nothing else is said.

    Parameters
    ----------
    sentence
        Such as "dog", "the golden retriever" or "the dog left of the chair".
    is_name
        Whether the proxies know a phrase, as a whole, as the name of something; see
        :func:`~napari_guideme.localize.proxies.is_name`.
    knows_any
        Whether See-through-Text learned any word of a phrase; see
        :meth:`~napari_guideme.referring.reader.Reader.knows_any`.

    Raises
    ------
    InputError
        If there is no word, or more than a class is said and in words that See-through-Text
        does not know.
    """
    words_of(sentence)
    phrase = without_articles(sentence)
    if is_name(phrase) and not names_nothing(phrase):
        return "proxies"
    if knows_any(phrase):
        return "see-through-text"
    name = class_of(phrase)
    if name != NAMELESS and len(name.split()) < len(phrase.split()):
        raise InputError(
            f"see-through-text, which follows sentences, learned no word of {sentence!r}; "
            f"ask for {name!r}, or say in other words which one it is"
        )
    # They tell which names are known and near.
    return "proxies"
