"""How labels of a classifier are related to a name, by what WordNet knows.

The first of these relations counts that any label has:

- ``kinds``: it is the thing, a kind of it, or what it is made of (a train of cars), also by a
  common synonym;
- ``general``: the thing is a kind of it;
- ``words``: it ends with the same word, else has it;
- ``synonyms``: it has a name in common with it, else the last word of one;
- ``siblings``: both are kinds of the same, which is no wide field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set

from napari_guideme.language.vocabulary import common_synonyms
from napari_guideme.language.word_forms import plain
from napari_guideme.localize.kinds import joined
from napari_guideme.localize.known_labels import KnownLabels

#: Of so many kinds a name means anything: artifact has 10,504, organism 16,110.
ANYTHING = 10_000
#: Two things that share a word, or are siblings, have something in common with fewer kinds:
#: container has 744, device 2,760; furniture has 196, clothing 560.
WORD_EXTENT, SIBLING_EXTENT = 1000, 300
#: Rarer senses of a name count only if a label has it as its first name.
SENSES = 3

#: For each sense of a name its labels, the most related first.
Senses = tuple[tuple[int, ...], ...]


def senses_of(name: str, known: KnownLabels) -> tuple[str, ...]:
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
    """Labels with the last word of the name, unless they are a rare sense of either."""
    word = (plain(name).split() or [""])[-1]
    rare = {*known.kinds.meanings(name)} - {*meant}
    # "Red blood cell" is no telephone, as "cell" is none.
    rare |= {*known.kinds.meanings(word)} - {*senses_of(word, known)}
    labels = _with_word(word, known)
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
    return _parted([known.below(up) for up in ups[:1] if known.kinds[up].extent < SIBLING_EXTENT])


def _parted(senses: Sequence[Iterable[int]]) -> Senses:
    """Senses that have labels, each label once, and each once among the same ones."""
    tuples = [tuple(dict.fromkeys(labels)) for labels in senses]
    return tuple(dict.fromkeys(labels for labels in tuples if labels))


RELATIONS: dict[str, Callable[[str, Sequence[str], KnownLabels], Senses]] = {
    "kinds": _kinds_of,
    "general": _more_general,
    "words": _sharing_words,
    "synonyms": _sharing_names,
    "siblings": _siblings,
}
