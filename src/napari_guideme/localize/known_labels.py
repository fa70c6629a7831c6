"""The labels that a classifier knows, placed among the kinds of things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from napari_guideme.language.word_forms import plain
from napari_guideme.localize.kinds import Kinds, joined, read_kinds


@dataclass(frozen=True)
class KnownLabels:
    """Labels of a classifier, in the order of its outputs.

    Parameters
    ----------
    names
        What each label is called: all synonyms.
    ids
        WordNet ids, ``None`` for a label that WordNet lacks.
    kinds
        What is a kind of what.
    """

    names: tuple[tuple[str, ...], ...]
    ids: tuple[str | None, ...]
    kinds: Kinds

    @classmethod
    def of(
        cls, labels: Sequence[str], synsets: Sequence[str] = (), kinds: Kinds | None = None
    ) -> KnownLabels:
        """Place labels.

        Parameters
        ----------
        labels
            Names, synonyms parted by commas.
        synsets
            Their WordNet ids, if they are known; else the names tell. A name with several
            senses is ImageNet's where one of these is a label of ImageNet; labels that
            follow ImageNet's order are ImageNet's, also those with names of their own.
        kinds
            By default the table alone.
        """
        kinds = kinds or read_kinds()
        own = [tuple(part.strip() for part in label.split(",")) for label in labels]
        if synsets:
            ids: list[str | None] = [i if i in kinds.table else None for i in synsets]
        else:
            ids = _ids_of([names[0] for names in own], kinds)
        names = (
            tuple(dict.fromkeys((*told, *(kinds[id].names if id else ()))))
            for told, id in zip(own, ids, strict=True)
        )
        return cls(tuple(names), tuple(ids), kinds)

    @classmethod
    def imagenet(cls, kinds: Kinds | None = None) -> KnownLabels:
        """The 1000 labels of ImageNet."""
        kinds = kinds or read_kinds()
        return cls(tuple(kinds[id].names for id in kinds.imagenet), kinds.imagenet, kinds)

    def __len__(self) -> int:
        return len(self.names)

    def title(self, label: int) -> str:
        """Return what a label is called first."""
        return self.names[label][0]

    def below(self, id: str) -> dict[int, int]:
        """Labels that are something, or a kind of it, with the steps up to it; nearest first."""
        return self._below.get(id, {})

    def called(self, name: str) -> list[int]:
        """Labels that have a name."""
        return self._called.get(joined(name), [])

    @cached_property
    def above(self) -> tuple[dict[str, int], ...]:
        """Of each label, what it is a kind of, itself included, with the steps to it."""
        return tuple(self.kinds.above(id) if id else {} for id in self.ids)

    @cached_property
    def words(self) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """Of each label, the words of each of its names."""
        return tuple(tuple(tuple(plain(n).split()) for n in names) for names in self.names)

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Names of the labels, and of what they are kinds of."""
        higher = {id for above in self.above for id in above}
        spelt = {plain(name) for names in self.names for name in names}
        return tuple(sorted(spelt | {plain(n) for id in higher for n in self.kinds[id].names}))

    @cached_property
    def _called(self) -> dict[str, list[int]]:
        called: dict[str, list[int]] = {}
        for label, names in enumerate(self.names):
            for name in dict.fromkeys(map(joined, names)):
                called.setdefault(name, []).append(label)
        return called

    @cached_property
    def _below(self) -> dict[str, dict[int, int]]:
        steps: dict[str, list[tuple[int, int]]] = {}
        for label, above in enumerate(self.above):
            for id, away in above.items():
                steps.setdefault(id, []).append((away, label))
        return {id: {label: away for away, label in sorted(s)} for id, s in steps.items()}


def _ids_of(names: Sequence[str], kinds: Kinds) -> list[str | None]:
    """Return the senses that are meant by the names of labels."""
    senses = [kinds.meanings(name) for name in names]
    if len(names) == len(kinds.imagenet):
        in_order = sum(id in found for id, found in zip(kinds.imagenet, senses, strict=True))
        if in_order > 0.9 * len(names):
            return [*kinds.imagenet]
    known = {*kinds.imagenet}
    return [next((i for i in s if i in known), s[0] if s else None) for s in senses]
