"""Which class a word means: by its spelling, common synonyms, WordNet, word vectors."""

from __future__ import annotations

import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from nltk.metrics.distance import edit_distance
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.language.word_forms import british, plain, plural, singulars

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

#: A class has to be nearer than this to be meant, and nearer than others by `_LEAD`.
_FURTHEST = 2.0
_LEAD = 0.45
#: What the senses of a word for a thing are kinds of, and what they are not: oak is wood first.
_CONCRETE, _MATTER = "physical_entity.n.01", "matter.n.03"
#: What one step between two senses costs, and every sense that is commoner than it.
_STEP, _RARER = 0.2, 0.25
_MOST_STEPS = 7
_LEAST_COSINE, _COSINE_LEAD = 0.55, 0.05


@dataclass(frozen=True)
class WordVectors:
    """A table of words and their vectors (n, d), of length 1."""

    words: Mapping[str, int]
    vectors: NDArray[np.floating[Any]]

    @classmethod
    def read(cls, path: Path) -> WordVectors:
        """Read an ``.npz`` file with ``words`` (n,) and ``vectors`` (n, d), such as GloVe.

        Raises
        ------
        InputError
            If the file holds something else.
        """
        try:
            with np.load(path, allow_pickle=False) as table:
                words, vectors = table["words"], table["vectors"].astype(np.float32)
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        except FileNotFoundError:
            raise InputError(f"there is no file {path}") from None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
            raise InputError(
                f"{path.name} is no table of word vectors; "
                "an .npz file with words (n) and vectors (n, d) is"
            ) from error
        if vectors.ndim != 2 or words.shape != vectors.shape[:1] or words.dtype.kind != "U":
            raise InputError(f"{path.name} must hold words (n) and as many vectors (n, d)")
        listed = {word: row for row, word in enumerate(words.tolist())}
        return cls(listed, vectors / np.maximum(lengths, 1e-9))

    def of(self, phrase: str) -> NDArray[np.floating[Any]] | None:
        """Direction of a phrase, ``None`` if a word is not in the table."""
        rows = [self.words.get(word) for word in phrase.split()]
        if not rows or None in rows:
            return None
        total = self.vectors[rows].astype(np.float32).sum(0)  # type: ignore[index]
        return np.asarray(total / np.linalg.norm(total))


@dataclass(frozen=True)
class Vocabulary:
    """What the words for some classes are.

    Parameters
    ----------
    classes
        Names of the classes.
    wordnet
        From :func:`~napari_guideme.language.wordnet.find_wordnet`; may be missing.
    vectors
        A table of word vectors; may be missing.
    """

    classes: tuple[str, ...]
    wordnet: WordNetCorpusReader | None = None
    vectors: WordVectors | None = None

    def meant(self, phrase: str, *, exact: bool = False) -> tuple[str, ...]:
        """Classes that a phrase can mean: none, one, or several equally well.

        Parameters
        ----------
        phrase
            Lower case, words parted by spaces.
        exact
            Only the names themselves, their plurals and common synonyms count.
        """
        forms = singulars(phrase)
        for known in (self._named, self._synonyms):
            if found := {known[form] for form in forms if form in known}:
                return tuple(sorted(set().union(*found), key=self.classes.index))
        if exact:
            return ()
        if parts := self._part_of_names(phrase):
            return parts
        return self.by_wordnet(phrase) or self._by_vectors(phrase)

    def by_wordnet(self, phrase: str) -> tuple[str, ...]:
        """Classes that WordNet takes a phrase for a kind, or a more general name of."""
        if self.wordnet is None:
            return ()
        senses = _common(self._senses(phrase)) or self._nouns_behind(phrase)
        ranked = sorted(
            (min(far), name)
            for name in self.classes
            if (far := _distances(senses, self._class_senses[name], _names(phrase, name)))
        )
        ranked = [(far, name) for far, name in ranked if far <= _FURTHEST]
        return tuple(name for far, name in ranked if far < ranked[0][0] + _LEAD)

    def named_after(self, noun: str) -> tuple[str, ...]:
        """Classes whose names end with a noun, if several do: live and dead "cells"."""
        forms = [f" {form}" for form in singulars(noun)]
        names = [name for name in self.classes if plain(name).endswith(tuple(forms))]
        return tuple(names) if len(names) > 1 else ()

    def misspelt(self, word: str) -> str | None:
        """Name or synonym that a phrase is a slip of, if it is only one."""
        if min(map(len, word.split())) < 4 or self._is_english(word):
            return None
        allowed = 1 if len(word) < 7 or self.wordnet is None else 2
        candidates: dict[tuple[str, ...], list[tuple[int, str]]] = {}
        for known in {**self._synonyms, **self._named}:
            for form in (known, plural(known)):
                if form.count(" ") == word.count(" ") and abs(len(form) - len(word)) <= allowed:
                    away = edit_distance(word, form, transpositions=True)
                    if away <= allowed and self._is_slip(word, form):
                        named = self.meant(known, exact=True)
                        candidates.setdefault(named, []).append((away, form))
        nearest = sorted((min(found), named) for named, found in candidates.items())
        if not nearest or (len(nearest) > 1 and nearest[0][0][0] == nearest[1][0][0]):
            return None
        return nearest[0][0][1]

    def _is_english(self, phrase: str) -> bool:
        """Whether all words of a phrase are words: "house" is no slip of "horse"."""
        return self.wordnet is not None and all(map(self.wordnet.synsets, phrase.split()))

    def _is_slip(self, word: str, form: str) -> bool:
        """Whether only the hand can have gone wrong; without WordNet "house" is no "horse"."""
        if self.wordnet is not None:
            return True
        swapped = len(word) != len(form) or sorted(word) == sorted(form)
        return swapped and word[0] == form[0]

    def is_action(self, word: str) -> bool:
        """Whether a word says what somebody is doing, such as "crossing"."""
        if not word.endswith("ing") or self.wordnet is None:
            return False
        return self.wordnet.morphy(word, "v") not in (None, word)

    @cached_property
    def longest(self) -> int:
        """Words in the longest name or synonym."""
        return max(len(known.split()) for known in {**self._named, **self._synonyms})

    @cached_property
    def first_words(self) -> frozenset[str]:
        """With which names of several words begin."""
        return frozenset(name.split()[0] for name in self._named if " " in name)

    @cached_property
    def _named(self) -> dict[str, tuple[str, ...]]:
        """Spellings of the classes' own names."""
        named: dict[str, tuple[str, ...]] = {}
        for name in self.classes:
            for form in {plain(name), *singulars(plain(name)), british(plain(name))}:
                named[form] = tuple(dict.fromkeys((*named.get(form, ()), name)))
        return named

    @cached_property
    def _synonyms(self) -> dict[str, tuple[str, ...]]:
        meant: dict[str, tuple[str, ...]] = {}
        for word, synonyms in common_synonyms().items():
            for name in self._named.get(plain(word), self._named.get(british(plain(word)), ())):
                for synonym in map(plain, synonyms):
                    meant[synonym] = tuple(dict.fromkeys((*meant.get(synonym, ()), name)))
        return meant

    def _part_of_names(self, phrase: str) -> tuple[str, ...]:
        """Classes that have the phrase as words of their names, such as "kidney"."""
        forms = [form.split() for form in singulars(phrase)]
        return tuple(
            name
            for name in self.classes
            for words in [plain(name).split()]
            if any(len(form) < len(words) and set(form) <= set(words) for form in forms)
        )

    @cached_property
    def _class_senses(self) -> dict[str, list[tuple[Any, dict[Any, int]]]]:
        """Senses of the classes, each with what it is a kind of."""
        return {
            name: [(s, _ancestors(s)) for s in self._senses(plain(name), of_class=True)[:3]]
            for name in self.classes
        }

    def _nouns_behind(self, phrase: str) -> list[Any]:
        """Senses of the noun that an adjective is about, as "cortical" is about the cortex."""
        if self.wordnet is None:
            return []
        lemmas = [lemma for sense in self.wordnet.synsets(phrase, "a") for lemma in sense.lemmas()]
        return [noun.synset() for lemma in lemmas for noun in lemma.pertainyms()]

    def _senses(self, phrase: str, *, of_class: bool = False) -> list[Any]:
        """Senses of a noun, the commonest first; of a class, at least of its last word."""
        wordnet = self.wordnet
        if wordnet is None:
            return []
        for form in (phrase, *singulars(phrase)):
            for joined in ("_", "-"):
                if senses := wordnet.synsets(form.replace(" ", joined), "n"):
                    return list(senses)
        if not of_class:
            return []
        if " " in phrase:
            return self._senses(phrase.rpartition(" ")[2], of_class=True)
        for cut in range(3, len(phrase) - 2):
            if wordnet.synsets(phrase[:cut]) and wordnet.synsets(phrase[cut:], "n"):
                together = wordnet.synsets(f"{phrase[:cut]}_{phrase[cut:]}", "n")
                return list(together or wordnet.synsets(phrase[cut:], "n"))
        return []

    def _by_vectors(self, phrase: str) -> tuple[str, ...]:
        """Classes by word vectors, of what WordNet does not know as another thing."""
        return () if any(map(_is_thing, self._senses(phrase)[:1])) else self.alike(phrase)

    def alike(self, phrase: str) -> tuple[str, ...]:
        """Classes that are near a phrase by word vectors, as "lung" is near "liver"."""
        own = self.vectors.of(phrase) if self.vectors else None
        if self.vectors is None or own is None:
            return ()
        directions = {name: self.vectors.of(plain(name)) for name in self.classes}
        alike = {name: float(own @ d) for name, d in directions.items() if d is not None}
        best = max(alike.values(), default=0.0)
        if best < _LEAST_COSINE:
            return ()
        return tuple(name for name, cosine in alike.items() if cosine > best - _COSINE_LEAD)


def _common(senses: list[Any]) -> list[Any]:
    """Return the first senses of a noun, up to the first that is a thing: a bear is an animal."""
    first = next((rank for rank, sense in enumerate(senses[:4]) if _is_thing(sense)), 3)
    return senses[: first + 1]


def _is_thing(sense: Any) -> bool:
    """Whether a sense is a kind of concrete thing, unlike a quality, an event or a matter."""
    kinds = {above.name() for path in sense.hypernym_paths() for above in path}
    return _CONCRETE in kinds and _MATTER not in kinds


def _names(phrase: str, name: str) -> bool:
    """Whether a phrase has the name of a class in it, as "tree trunk" has."""
    return f" {plain(name)} " in f" {phrase} "


def _distances(
    said: list[Any], wanted: list[tuple[Any, dict[Any, int]]], parts: bool
) -> list[float]:
    """How far senses of a word are from those of a class, which may be kinds or parts of it."""
    found = []
    for rank, sense in enumerate(said):
        kinds = _ancestors(sense)
        for other, (target, general) in enumerate(wanted):
            cost = _RARER * (rank + other)
            if target in kinds:
                found.append(cost + _STEP * kinds[target])
            elif general.get(sense, _MOST_STEPS) <= 3:
                found.append(cost + 0.5 + _STEP * general[sense])
            elif parts and target in sense.part_holonyms():
                found.append(cost + 0.8)
    return found


def _ancestors(sense: Any) -> dict[Any, int]:
    """Return what a sense is a kind of, with the steps to it."""
    found, edge = {sense: 0}, [sense]
    for steps in range(1, _MOST_STEPS + 1):
        edge = [above for own in edge for above in own.hypernyms() if above not in found]
        found.update((above, steps) for above in edge)
    return found


@cache
def common_synonyms() -> dict[str, list[str]]:
    """Return what people say for some words, whatever WordNet knows of them."""
    text = (files(__package__) / "synonyms.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
