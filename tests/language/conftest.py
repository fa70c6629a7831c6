from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nltk
import pytest

from napari_guideme.language import understanding
from napari_guideme.language import wordnet as where
from napari_guideme.language.wordnet import find_wordnet


def forget() -> None:
    find_wordnet.cache_clear()
    understanding._cached_vocabulary.cache_clear()


@pytest.fixture
def wordnet(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """WordNet as nltk would have fetched it."""
    monkeypatch.setattr(nltk.data, "path", [str(shared / "models" / "wordnet30")])
    forget()
    assert find_wordnet() is not None
    yield
    forget()


@pytest.fixture
def no_wordnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither nltk nor Debian have WordNet."""
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    monkeypatch.setattr(where, "DEBIAN", tmp_path)
    forget()
    assert find_wordnet() is None
    yield
    forget()
