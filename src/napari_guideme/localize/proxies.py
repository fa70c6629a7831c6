"""Which labels of a classifier stand in for a name that it never learnt, and which distract.

After Golub, El-Kishky and Martín-Martín, *Leveraging Pretrained Image Classifiers for
Language-Based Segmentation*, section 3.1. By WordNet the first of these relations counts that
any label has:

- ``kinds``: it is the thing, a kind of it, or what it is made of (a train of cars), also by a
  common synonym;
- ``general``: the thing is a kind of it;
- ``words``: it ends with the same word, else has it;
- ``synonyms``: it has a name in common with it, else the last word of one;
- ``siblings``: both are kinds of the same, which is no wide field.

By word vectors the nearest labels count. The classifier's probabilities on the image tell
which of several senses is meant, and prune what stands in to the likeliest few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.language.vocabulary import WordVectors, common_synonyms, plain
from napari_guideme.language.wordnet import find_wordnet
from napari_guideme.localize.kinds import joined, read_kinds
from napari_guideme.localize.known_labels import KnownLabels

By = Literal["wordnet", "vectors"]

#: Of so many kinds a name means anything: artifact has 10,504, organism 16,110.
ANYTHING = 10_000
#: Two things that share a word, or are siblings, have something in common with fewer kinds:
#: container has 744, device 2,760; furniture has 196, clothing 560.
WORD_EXTENT, SIBLING_EXTENT = 1000, 300
#: Rarer senses of a name count only if a label has it as its first name.
SENSES = 3
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
        Which of the relations they have, see the module.
    senses
        For each sense of the name its labels, the most related first.
    akin
        All these, and labels with the name among their words: they cannot distract.
    """

    relation: str
    senses: tuple[tuple[int, ...], ...]
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
    return KnownLabels.of(classifier.labels, classifier.synsets, read_kinds(find_wordnet()))


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
    meant = _senses(name, known)
    told = ((relation, rule(name, meant, known)) for relation, rule in _RELATIONS.items())
    relation, senses = next(((how, senses) for how, senses in told if senses), ("", ()))
    if not senses and not meant:
        raise UnknownName(f"{name!r} is not known{_near(name, known)}{_more_words(known)}")
    akin = {label for labels in senses for label in labels} | set(_saying(name, known))
    return Related(relation, senses, frozenset(akin))


Senses = tuple[tuple[int, ...], ...]


def _senses(name: str, known: KnownLabels) -> tuple[str, ...]:
    """Senses of a name, or of its last word, that are common enough to be meant."""
    kinds = known.kinds
    meanings = kinds.meanings(name)
    if not meanings and not _synonyms(name):
        meanings = kinds.meanings((plain(name).split() or [""])[-1])
    own = set(known.ids)
    return tuple(
        id
        for rank, id in enumerate(meanings)
        if rank < SENSES or (id in own and joined(kinds[id].names[0]) == joined(name))
    )


def _synonyms(name: str) -> list[str]:
    """Return what people say for a name."""
    told = common_synonyms()
    return [other for word in told if joined(word) == joined(name) for other in told[word]]


def _kinds_of(name: str, meant: Sequence[str], known: KnownLabels) -> Senses:
    own = [_below(id, known) for id in meant] or [[]]
    own.append([label for label in known.called(name) if known.ids[label] is None])
    if not any(id in known.ids for id in meant):
        above = {up for id in meant for up in known.kinds.above(id)} - {*known.ids}
        told = above.union(known.kinds.meanings(name))
        more = [label for other in _synonyms(name) for label in _meant_by(other, told, known)]
        next((labels for labels in own if labels), own[0]).extend(more)
    return _parted(own)


def _below(id: str, known: KnownLabels) -> list[int]:
    """Labels that are kinds of something, or of what it is made of."""
    kind = known.kinds[id]
    made_of = [] if kind.extent >= ANYTHING else [id, *kind.members]
    return [label for part in made_of for label in known.below(part)]


def _meant_by(synonym: str, told: Set[str], known: KnownLabels) -> list[int]:
    """Labels that are what a synonym means, if that is one thing and was not told before."""
    senses = [id for id in known.kinds.meanings(synonym) if known.below(id)]
    named = [id for id in senses if joined(known.kinds[id].names[0]) == joined(synonym)]
    chosen = [id for id in named if id in known.ids] or senses
    return _below(chosen[0], known) if len(chosen) == 1 and told.isdisjoint(senses) else []


def _more_general(name: str, meant: Sequence[str], known: KnownLabels) -> Senses:
    """Of each sense the nearest label above it."""
    above = [[up for up in known.kinds.above(id) if up in known.ids][:1] for id in meant]
    return _parted([[known.ids.index(up) for up in ups] for ups in above])


def _sharing_words(name: str, meant: Sequence[str], known: KnownLabels) -> Senses:
    """Labels with the last word of the name, unless they are a rare sense of it."""
    rare = {*known.kinds.meanings(name)} - {*meant}
    labels = _with_word((plain(name).split() or [""])[-1], known)
    return _parted([[label for label in labels if known.ids[label] not in rare]])


def _sharing_names(name: str, meant: Sequence[str], known: KnownLabels) -> Senses:
    """Labels with a name of a sense, else those with its last word and more in common."""
    shared = [[i for n in known.kinds[id].names for i in known.called(n)] for id in meant]
    rare = {*known.kinds.meanings(name)} - {*meant}
    shared = [[label for label in labels if known.ids[label] not in rare] for labels in shared]
    if any(shared):
        return _parted(shared)
    for labels, id in zip(shared, meant, strict=True):
        last = [plain(other).split()[-1] for other in known.kinds[id].names]
        near = [label for word in last for label in _with_word(word, known)]
        labels += [label for label in near if _common_extent(id, label, known) < WORD_EXTENT]
    return _parted(shared)


def _with_word(word: str, known: KnownLabels) -> list[int]:
    """Labels that end with a word; if there are none, those that have it."""
    having = [label for label, names in enumerate(known.words) if any(word in n for n in names)]
    ending = [label for label in having if any(n[-1:] == (word,) for n in known.words[label])]
    return ending or having


def _common_extent(id: str, label: int, known: KnownLabels) -> int:
    """How many kinds there are of the nearest thing that two are kinds of."""
    both = known.kinds.above(id).keys() & known.above[label].keys()
    return min((known.kinds[up].extent for up in both), default=ANYTHING)


def _siblings(name: str, meant: Sequence[str], known: KnownLabels) -> Senses:
    """Labels under the nearest kind above the commonest sense."""
    ups = [up for id in meant[:1] for up in known.kinds.above(id) if known.below(up)]
    return _parted([known.below(up) for up in ups[:1] if _extent(up, known) < SIBLING_EXTENT])


def _extent(id: str, known: KnownLabels) -> int:
    return known.kinds[id].extent


def _parted(senses: Sequence[Iterable[int]]) -> Senses:
    """Senses that have labels, each label once, and each once among the same ones."""
    tuples = [tuple(dict.fromkeys(labels)) for labels in senses]
    return tuple(dict.fromkeys(labels for labels in tuples if labels))


_RELATIONS: dict[str, Callable[[str, Sequence[str], KnownLabels], Senses]] = {
    "kinds": _kinds_of,
    "general": _more_general,
    "words": _sharing_words,
    "synonyms": _sharing_names,
    "siblings": _siblings,
}


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
    near = get_close_matches(plain(name), known.vocabulary, cutoff=0.7)
    return f"; known and near: {', '.join(near)}" if near else ""


def _why_none(name: str, known: KnownLabels) -> str:
    if any(_extent(id, known) >= ANYTHING for id in _senses(name, known)[:1]):
        return f"{name!r} can be anything; name a kind of thing"
    return f"no label of the classifier stands in for {name!r}"


def _more_words(known: KnownLabels) -> str:
    if known.kinds.wordnet is not None:
        return ""
    return "; `napari-guideme fetch-wordnet` downloads rarer words once (10 MB)"
