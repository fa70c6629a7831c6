"""Which labels of a classifier stand in for a name that it never learnt, and which distract.

After Golub et al., *Leveraging Pretrained Image Classifiers for Language-Based Segmentation*,
section 3.1. By WordNet the first of the `relations` counts that any label has, by word vectors
the nearest labels do. The classifier's probabilities on the image tell which of several senses
is meant, and prune what stands in to the likeliest few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.language.vocabulary import WordVectors
from napari_guideme.language.word_forms import plain
from napari_guideme.language.wordnet import find_wordnet
from napari_guideme.localize.kinds import read_kinds
from napari_guideme.localize.known_labels import KnownLabels
from napari_guideme.localize.relations import ANYTHING, RELATIONS, Senses, senses_of

By = Literal["wordnet", "vectors"]

#: So many labels are nearest by word vectors.
NEAREST = 10


class UnknownName(InputError):
    """A name that is in no list of words."""


class Classifier(Protocol):
    """What has labels, and their WordNet ids if they are known."""

    @property
    def labels(self) -> Sequence[str]:
        """Names of the labels."""

    @property
    def synsets(self) -> Sequence[str]:
        """WordNet ids, or nothing."""


@dataclass(frozen=True)
class Related:
    """Labels that may stand in for a name.

    Attributes
    ----------
    relation
        Which of the `relations` they have, or ``vectors``.
    senses
        For each sense of the name its labels, the most related first.
    akin
        All these, and labels with the name among their words: they cannot distract.
    """

    relation: str
    senses: Senses
    akin: frozenset[int]


@dataclass(frozen=True)
class StandIns:
    """Labels that stand in for a name on one image, and those that distract from it.

    Attributes
    ----------
    positive, negative
        Labels, the likeliest first.
    relation
        How the positive ones are related to the name.
    """

    positive: tuple[int, ...]
    negative: tuple[int, ...]
    relation: str = ""


def known_labels(classifier: Classifier | KnownLabels) -> KnownLabels:
    """Place the labels of a classifier, with WordNet's help where it is installed."""
    if isinstance(classifier, KnownLabels):
        return classifier
    return _placed(tuple(classifier.labels), tuple(classifier.synsets), find_wordnet())


@lru_cache(maxsize=4)
def _placed(labels: tuple[str, ...], synsets: tuple[str, ...], wordnet: Any) -> KnownLabels:
    return KnownLabels.of(labels, synsets, read_kinds(wordnet))


def candidates(
    name: str,
    classifier: Classifier | KnownLabels,
    by: By = "wordnet",
    vectors: WordVectors | None = None,
) -> tuple[int, ...]:
    """Return labels that may stand in for a name, the most related first; none if there are none.

    Parameters
    ----------
    name
        Of a thing, singular or plural.
    classifier
        Its labels, or what has them.
    by, vectors
        See :func:`stand_ins`.

    Raises
    ------
    UnknownName
        If the name is not known.
    """
    found = related(name, known_labels(classifier), by, vectors)
    return tuple(dict.fromkeys(label for labels in found.senses for label in labels))


def is_name(
    name: str,
    classifier: Classifier | KnownLabels,
    by: By = "wordnet",
    vectors: WordVectors | None = None,
) -> bool:
    """Whether labels may stand in for a phrase as a whole, not only for its last word.

    Parameters
    ----------
    name, classifier, by, vectors
        See :func:`candidates`.
    """
    known = known_labels(classifier)
    whole = " " not in plain(name) or known.kinds.meanings(name) or known.called(name)
    try:
        return bool(whole and candidates(name, known, by, vectors))
    except UnknownName:
        return False


def stand_ins(
    name: str,
    classifier: Classifier | KnownLabels,
    probabilities: NDArray[np.floating],
    *,
    by: By = "wordnet",
    vectors: WordVectors | None = None,
    most: int = 5,
) -> StandIns:
    """Choose the labels that stand in for a name on an image, and those that distract.

    The paper takes for distractors the likeliest labels that do not stand in, and says of
    them that they "are not semantically related". So no label that is related to the name
    distracts, also where five others are likelier. Siblings may: a car beside a bus does.

    Parameters
    ----------
    name
        Of a thing, singular or plural.
    classifier
        Its labels, or what has them.
    probabilities
        Of the labels on the image, (K,).
    by
        ``"wordnet"``, or ``"vectors"``: cosine between mean word vectors.
    vectors
        Those, for ``"vectors"``.
    most
        How many labels stand in, and how many distract.

    Raises
    ------
    InputError
        If the name is not known, or no label stands in for it.
    """
    known = known_labels(classifier)
    if np.shape(probabilities) != (len(known),):
        raise InputError(
            f"there are {len(known)} labels but probabilities of shape {np.shape(probabilities)}"
        )
    found = related(name, known, by, vectors)
    if not found.senses:
        raise InputError(f"{_why_none(name, known)}{_near(name, known)}")
    meant = max(found.senses, key=lambda labels: float(probabilities[list(labels)].sum()))
    positive = sorted(meant, key=lambda label: -probabilities[label])[:most]
    likeliest = np.argsort(-probabilities, kind="stable").tolist()
    negative = [label for label in likeliest if label not in found.akin][:most]
    return StandIns(tuple(positive), tuple(negative), found.relation)


def related(
    name: str, known: KnownLabels, by: By = "wordnet", vectors: WordVectors | None = None
) -> Related:
    """Find the labels that may stand in for a name.

    Raises
    ------
    UnknownName
        If the name is not known.
    """
    if by == "vectors":
        return _by_vectors(name, known, vectors)
    if by != "wordnet":
        raise InputError(f"stand-ins cannot be found by {by!r}; choose wordnet or vectors")
    meant = senses_of(name, known)
    told = ((relation, rule(name, meant, known)) for relation, rule in RELATIONS.items())
    relation, senses = next(((how, senses) for how, senses in told if senses), ("", ()))
    if not senses and not meant:
        raise UnknownName(f"{name!r} is not known{_near(name, known)}{_more_words(known)}")
    akin = {label for labels in senses for label in labels} | set(_saying(name, known))
    return Related(relation, senses, frozenset(akin))


def _by_vectors(name: str, known: KnownLabels, vectors: WordVectors | None) -> Related:
    if vectors is None:
        raise InputError("stand-ins by word vectors need a file of them, such as GloVe as .npz")
    own = vectors.of(plain(name))
    if own is None:
        raise UnknownName(f"{name!r} is not among the word vectors{_near(name, known)}")
    alike = []
    for label, names in enumerate(known.names):
        found = [v for other in names if (v := vectors.of(plain(other))) is not None]
        if found:
            alike.append((-max(float(own @ v) for v in found), label))
    nearest = tuple(label for _, label in sorted(alike)[:NEAREST])
    return Related("vectors", (nearest,) if nearest else (), frozenset(nearest))


def _saying(name: str, known: KnownLabels) -> list[int]:
    """Labels with the whole name among the words of one of theirs, such as its parts."""
    said = f" {plain(name)} "
    return [
        label
        for label, names in enumerate(known.words)
        if any(said in f" {' '.join(words)} " for words in names)
    ]


def _near(name: str, known: KnownLabels) -> str:
    found = get_close_matches(plain(name), known.vocabulary, cutoff=0.7)
    near = [other for other in found if other != plain(name)]
    return f"; known and near: {', '.join(near)}" if near else ""


def _why_none(name: str, known: KnownLabels) -> str:
    if any(known.kinds[id].extent >= ANYTHING for id in senses_of(name, known)[:1]):
        return f"{name!r} can be anything; name a kind of thing"
    return f"no label of the classifier stands in for {name!r}"


def _more_words(known: KnownLabels) -> str:
    if known.kinds.wordnet is not None:
        return ""
    return "; `napari-guideme fetch-wordnet` downloads rarer words once (10 MB)"
