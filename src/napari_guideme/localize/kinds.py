"""What is a kind of what: the part of WordNet that lies around the labels of ImageNet.

The table beside this file holds the 1000 labels, all they are kinds of, and things with common
names. WordNet itself, where it is installed, is asked only for names that the table lacks, so
that one with and one without it get the same answer. `training/kinds.py` made the table.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from napari_guideme.language.word_forms import plain, singulars

TABLE = files(__package__) / "kinds.tsv.gz"

#: `label` is the place among ImageNet's labels, `extent` how many kinds WordNet knows below.
COLUMNS = ("id", "label", "extent", "above", "members", "names")


@dataclass(frozen=True)
class Kind:
    """A kind of thing: one sense of its names.

    Attributes
    ----------
    id
        Of WordNet 3.0, such as ``"n02123045"``.
    names
        Synonyms, the first the most usual.
    above
        Ids of what it is a kind of.
    members
        Ids of the things that it is made of, as a train is of cars.
    extent
        How many kinds of it WordNet knows.
    """

    id: str
    names: tuple[str, ...]
    above: tuple[str, ...]
    members: tuple[str, ...] = ()
    extent: int = 0


@dataclass(frozen=True)
class Kinds:
    """Kinds by their ids, and the senses of names.

    Parameters
    ----------
    table
        Kinds by their ids.
    senses
        Ids by names as of :func:`joined`, the commonest sense first.
    imagenet
        Ids of ImageNet's labels, in the order of a classifier's outputs.
    wordnet
        Asked for what the table lacks; may be missing.
    """

    table: Mapping[str, Kind]
    senses: Mapping[str, tuple[str, ...]]
    imagenet: tuple[str, ...] = ()
    wordnet: Any = None
    _looked_up: dict[str, Kind] = field(default_factory=dict, repr=False, compare=False)

    def __getitem__(self, id: str) -> Kind:
        return self.table.get(id) or self._looked_up[id]

    def meanings(self, name: str) -> tuple[str, ...]:
        """Ids of what a name, or what it may be the plural of, means; none if it is not known."""
        for form in (plain(name), *singulars(plain(name))):
            if found := self.senses.get(joined(form)) or self._by_wordnet(form):
                return found
        return ()

    def above(self, id: str) -> dict[str, int]:
        """Return what something is a kind of, itself included, with the steps to it."""
        found, edge = {id: 0}, [id]
        while edge:
            higher = [(up, found[own] + 1) for own in edge for up in self[own].above]
            edge = []
            for up, steps in higher:
                if up not in found:
                    found[up] = steps
                    edge.append(up)
        return found

    def _by_wordnet(self, form: str) -> tuple[str, ...]:
        if self.wordnet is None:
            return ()
        spelt = dict.fromkeys((form.replace(" ", "_"), form.replace(" ", "-"), joined(form)))
        found = (self.wordnet.synsets(spelling, "n") for spelling in spelt)
        senses: list[Any] = next(filter(None, found), [])
        return tuple(self._looked(sense) for sense in senses)

    def _looked(self, sense: Any) -> str:
        """Take a sense from WordNet, with what it is a kind of."""
        id = f"n{sense.offset():08}"
        if id not in self.table and id not in self._looked_up:
            above = tuple(sorted(self._looked(up) for up in sense.hypernyms()))
            names = tuple(name.replace("_", " ") for name in sense.lemma_names())
            self._looked_up[id] = Kind(id, names, above)
        return id


def joined(name: str) -> str:
    """Return a name without what makes no difference: case, spaces, hyphens."""
    return "".join(re.findall(r"[a-z0-9]+", name.lower()))


@cache
def read_kinds(wordnet: Any = None) -> Kinds:
    """Read the table; WordNet, if there is one, is asked for what it lacks."""
    table: dict[str, Kind] = {}
    labels: dict[int, str] = {}
    ranked: dict[str, list[tuple[int, str]]] = {}
    for id, label, extent, above, members, names in _rows():
        told = [name.partition("#")[::2] for name in names.split("|") if name]
        table[id] = Kind(
            id,
            tuple(name for name, _ in told),
            tuple(above.split()),
            tuple(members.split()),
            int(extent or 0),
        )
        if label:
            labels[int(label)] = id
        for name, rank in told:
            ranked.setdefault(joined(name), []).append((int(rank or 1), id))
    senses = {name: tuple(id for _, id in sorted(found)) for name, found in ranked.items()}
    return Kinds(table, senses, tuple(labels[i] for i in range(len(labels))), wordnet)


def _rows() -> Iterator[list[str]]:
    lines = gzip.decompress(TABLE.read_bytes()).decode().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    assert tuple(rows[0]) == COLUMNS
    yield from rows[1:]
