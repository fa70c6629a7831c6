"""A sentence becomes numbers: word vectors, read in both directions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from napari_guideme.errors import InputError
from napari_guideme.language.word_forms import british, plain, plural, singulars
from napari_guideme.referring.grammar import request

#: Further words of a sentence are not read.
MOST_WORDS = 20

#: Words that say nothing of an object by themselves.
_JOINING = re.compile("an?|and|at|from|in|i[st]|not|o[fnr]|that|the|this")

#: Share of the words that are hidden in training, from which unknown words are learned.
_HIDDEN = 0.02


@dataclass(frozen=True)
class Read:
    """Sentences as they were read.

    Attributes
    ----------
    hidden
        State after each word h_j, both directions side by side, (N, n, D).
    last
        State after the last word, each direction's own, (N, D).
    is_word
        False where a shorter sentence is filled up, (N, n).
    """

    hidden: Tensor
    last: Tensor
    is_word: Tensor


class Reader(nn.Module):
    """Frozen word vectors and a bidirectional LSTM; section 3.2 of See-through-Text.

    Parameters
    ----------
    known
        Words that it knows.
    vectors
        Their vectors, (words, dimensions), which are not trained. All others
        share one that is.
    hidden
        Size of the state in each direction, D / 2.
    """

    vectors: Tensor

    def __init__(self, known: Iterable[str], vectors: Tensor, hidden: int) -> None:
        super().__init__()
        self.known = tuple(known)
        self._rows = {word: row for row, word in enumerate(self.known)}
        self.register_buffer("vectors", vectors)
        self.unknown = nn.Parameter(torch.zeros(1, vectors.shape[1]))
        self.lstm = nn.LSTM(vectors.shape[1], hidden, batch_first=True, bidirectional=True)

    def forward(self, sentences: Sequence[str]) -> Read:
        """Read sentences, which are filled up to the length of the longest."""
        rows = [torch.tensor([self._row(w) for w in words_of(said)]) for said in sentences]
        lengths = torch.tensor([len(own) for own in rows])
        filled = pad_sequence(rows, batch_first=True)
        is_word = torch.arange(filled.shape[1]) < lengths[:, None]
        if self.training:
            filled = filled.where(torch.rand(filled.shape) >= _HIDDEN, len(self.known))
        vectors = torch.cat([self.vectors, self.unknown])[filled.to(self.vectors.device)]
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        states, (last, _) = self.lstm(packed)
        hidden, _ = pad_packed_sequence(states, batch_first=True)
        return Read(hidden, torch.cat([last[0], last[1]], 1), is_word.to(hidden.device))

    def unknown_words(self, sentence: str) -> list[str]:
        """Words of a sentence that it was not trained on, for all of which it reads the same."""
        return [word for word in words_of(sentence) if not self._known(word)]

    def knows_any(self, phrase: str) -> bool:
        """Whether it was trained on any word of a phrase, other than those that only join."""
        words = plain(phrase).split()[:MOST_WORDS]
        return any(self._known(word) for word in words if not _JOINING.fullmatch(word))

    def _row(self, word: str) -> int:
        return self._rows.get(self._known(word), len(self.known))

    def _known(self, word: str) -> str:
        """Return how a word is known: as it is, in another form, or as one that says the same."""
        forms = (word, british(word), *singulars(word), plural(word))
        same = (_readings()[form] for form in forms if form in _readings())
        return next((form for form in (*forms, *same) if form in self._rows), "")


@cache
def _readings() -> dict[str, str]:
    """What words can be read as."""
    text = (files(__package__) / "readings.toml").read_text(encoding="utf-8")
    return {word: known for known, said in tomllib.loads(text).items() for word in said.split()}


def is_too_long(sentence: str) -> bool:
    """Whether a sentence has words that are not read."""
    return len(plain(request(sentence)).split()) > MOST_WORDS


def words_of(sentence: str) -> list[str]:
    """The first words of a sentence, as they are read, without those that only ask.

    Raises
    ------
    InputError
        If there is none.
    """
    words = plain(request(sentence)).split()
    if not words:
        raise InputError(
            f"{sentence!r} has no word; say in English what is meant, such as 'the left dog'"
        )
    return words[:MOST_WORDS]
