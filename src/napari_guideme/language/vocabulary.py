"""Which class a word means: by its spelling, common synonyms, WordNet, word vectors."""

from __future__ import annotations

import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from nltk.metrics.distance import edit_distance
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.language.word_forms import british, plain, plural, side_first, singulars

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

#: A class has to be nearer than this to be meant, and nearer than others by `_LEAD`.
_FURTHEST = 2.0
_LEAD = 0.45
#: What the senses of a word for a thing are kinds of, and what they are not: oak is wood first.
_CONCRETE, _MATTER = "physical_entity.n.01", "matter.n.03"
_FOOD = ("food.n.01", "food.n.02")
#: What one step between two senses costs, and every sense that is commoner than it.
_STEP, _RARER = 0.2, 0.25
#: What it costs more if the class is a kind of the word.
_GENERAL = 0.5
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
class _ClassSense:
    """A sense of a class: all it is a kind of, and whether it is of the whole name."""

    sense: Any
    general: dict[Any, int]
    whole: bool


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
        """Classes that WordNet takes a phrase for a kind or a part of, or a general name of."""
        senses = self._meanings(phrase)
        ranked = sorted(
            (min(far), name)
            for name in self.classes
            if (far := _distances(senses, self._class_senses[name], _names(phrase, name)))
        )
        ranked = [(far, name) for far, name in ranked if far <= _FURTHEST]
        general = self.kinds_of(phrase)
        # "Animal" is all animals there are, however near to it; "artery" is more than an aorta.
        if ranked and ranked[0][0] >= _GENERAL and ranked[0][1] in general:
            return general if len(general) > 1 else ()
        return tuple(name for far, name in ranked if far < ranked[0][0] + _LEAD)

    def kinds_of(self, phrase: str) -> tuple[str, ...]:
        """Classes that are kinds of what a phrase means, near or far: "animal", "vehicle"."""
        senses = self._meanings(phrase)
        return tuple(
            name
            for name in self.classes
            if any(sense in kind.general for kind in self._class_senses[name] for sense in senses)
        )

    def _meanings(self, phrase: str) -> list[Any]:
        """Senses that count: the common ones of a noun, or of the noun behind an adjective."""
        senses = _without_rare_persons(self._senses(phrase), phrase)
        return _common(senses) or self._nouns_behind(phrase)

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

    def slip_of(self, word: str, known: Iterable[str]) -> str | None:
        """Which of some known words another one is a slip of by one letter, if it is only one."""
        if len(word) < 4 or self._is_english(word):
            return None
        near = {
            right
            for right in known
            if len(right) > 3 and abs(len(right) - len(word)) <= 1 and self._is_slip(word, right)
            if edit_distance(word, right, transpositions=True) == 1
        }
        return near.pop() if len(near) == 1 else None

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
            said, turned = plain(name), side_first(name)
            for form in {*singulars(said), *singulars(turned), british(said), british(turned)}:
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
    def _class_senses(self) -> dict[str, list[_ClassSense]]:
        """The commonest senses of the classes."""
        return {name: self._senses_of_class(plain(name)) for name in self.classes}

    def _senses_of_class(self, name: str) -> list[_ClassSense]:
        """Senses of a name, else of its last word; a kind of plant is no potted plant."""
        whole = self._senses(name)
        if not whole and " " not in name:
            name = self._parted(name)
            whole = self._senses(name)
        if whole:
            return [_ClassSense(sense, _ancestors(sense, None), whole=True) for sense in whole[:3]]
        _, parted, last = name.rpartition(" ")
        return [replace(of, whole=False) for of in self._senses_of_class(last)] if parted else []

    def _parted(self, name: str) -> str:
        """Part a name into the two words that it is made of, as "diningtable" is."""
        if (wordnet := self.wordnet) is None:
            return name
        for cut in range(3, len(name) - 2):
            if wordnet.synsets(name[:cut]) and wordnet.synsets(name[cut:], "n"):
                return f"{name[:cut]} {name[cut:]}"
        return name

    def _nouns_behind(self, phrase: str) -> list[Any]:
        """Senses of the noun that an adjective is about, as "cortical" is about the cortex."""
        if self.wordnet is None:
            return []
        lemmas = [lemma for sense in self.wordnet.synsets(phrase, "a") for lemma in sense.lemmas()]
        return [noun.synset() for lemma in lemmas for noun in lemma.pertainyms()]

    def _senses(self, phrase: str) -> list[Any]:
        """Senses of a noun, the commonest first."""
        if self.wordnet is None:
            return []
        for form in (phrase, *singulars(phrase)):
            for joined in ("_", "-"):
                if senses := self.wordnet.synsets(form.replace(" ", joined), "n"):
                    return list(senses)
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


def _without_rare_persons(senses: list[Any], phrase: str) -> list[Any]:
    """Leave out persons that a word is said of no oftener than of a thing or a food: tigers."""
    forms = {form.replace(" ", "") for form in singulars(phrase)}

    def said(sense: Any) -> int:
        named = (lemma for lemma in sense.lemmas() if plain(lemma.name()).replace(" ", "") in forms)
        return max((lemma.count() for lemma in named), default=0)

    persons = [sense for sense in senses if _is_a(sense, "person.n.01")]
    things = [s for s in senses[:4] if s not in persons and (_is_thing(s) or _is_a(s, *_FOOD))]
    most = max(map(said, things), default=-1)
    return [sense for sense in senses if sense not in persons or said(sense) > most]


def _is_a(sense: Any, *kinds: str) -> bool:
    """Whether a sense is a kind of something."""
    return any(above.name() in kinds for above in _ancestors(sense, None))


def _is_thing(sense: Any) -> bool:
    """Whether a sense is a kind of concrete thing, unlike a quality, an event or a matter."""
    return _is_a(sense, _CONCRETE) and not _is_a(sense, _MATTER)


def _names(phrase: str, name: str) -> bool:
    """Whether a phrase has the name of a class in it, as "tree trunk" has."""
    return f" {plain(name)} " in f" {phrase} "


def _distances(said: list[Any], wanted: list[_ClassSense], parts: bool) -> list[float]:
    """How far senses of a word are from those of a class, which may be kinds or parts of it."""
    found = []
    for rank, sense in enumerate(said):
        kinds = _ancestors(sense)
        for other, target in enumerate(wanted):
            cost = _RARER * (rank + other)
            if target.sense == sense or (target.whole and target.sense in kinds):
                found.append(cost + _STEP * kinds[target.sense])
            elif target.general.get(sense, _MOST_STEPS) <= 3:
                found.append(cost + _GENERAL + _STEP * target.general[sense])
            elif parts and target.sense in sense.part_holonyms():
                found.append(cost + 0.8)
    return found


@lru_cache(maxsize=10_000)
def _ancestors(sense: Any, steps: int | None = _MOST_STEPS) -> dict[Any, int]:
    """Return what a sense is a kind of, with the steps to it."""
    found, edge, step = {sense: 0}, [sense], 0
    while edge and step != steps:
        step += 1
        edge = [above for own in edge for above in own.hypernyms() if above not in found]
        found.update((above, step) for above in edge)
    return found


@cache
def common_synonyms() -> dict[str, list[str]]:
    """Return what people say for some words, whatever WordNet knows of them."""
    text = (files(__package__) / "synonyms.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
