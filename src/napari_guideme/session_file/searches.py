"""What a session on a found thing begins with: all that decides what is found in an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from napari_guideme.localize import DEFAULT_FINDING, usual_outline, usual_views
from napari_guideme.referring import OUTLINES
from napari_guideme.session_file.contents import NetworkReference

Limits = tuple[float, float]


@dataclass(frozen=True)
class NameSearch:
    """A name, and the labels of a classifier that stand in for it.

    Attributes
    ----------
    name
        Of the thing.
    classifier
        Whose labels they are.
    positive, negative
        Numbers of the labels that stand in for the name, and of those that distract.
    method, views, outline
        See :func:`~napari_guideme.localize.finding.find`.
    limits
        Values of the image that were seen black and white, ``None`` for pixels as they are.
    """

    name: str
    classifier: NetworkReference
    positive: tuple[int, ...]
    negative: tuple[int, ...]
    method: str = DEFAULT_FINDING
    views: int = usual_views(DEFAULT_FINDING)
    outline: str = usual_outline(DEFAULT_FINDING)
    limits: Limits | None = None

    def by(self, method: str) -> NameSearch:
        """Return the same search by a method; another one brings its usual views and outline."""
        if method == self.method:
            return self
        views, outline = usual_views(method), usual_outline(method)
        return replace(self, method=method, views=views, outline=outline)


@dataclass(frozen=True)
class SentenceSearch:
    """A sentence; the network of the session follows it.

    Attributes
    ----------
    sentence
        As it was told.
    outline
        One of :data:`~napari_guideme.referring.OUTLINES`.
    limits
        As of a :class:`NameSearch`.
    """

    sentence: str
    outline: str = OUTLINES[0]
    limits: Limits | None = None


Search = NameSearch | SentenceSearch


def source_of(told: str, *names: str) -> str | Path:
    """Return a name as it is, and what else was told as the path of a file."""
    return told if told in names or not Path(told).exists() else Path(told)
