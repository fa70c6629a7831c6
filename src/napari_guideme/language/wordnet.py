"""WordNet, through nltk: where it is found offline, and how it can be fetched once."""

from __future__ import annotations

import io
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import nltk
from nltk.corpus.reader.wordnet import WordNetCorpusReader

from napari_guideme.errors import InputError

#: Where Debian's package wordnet-base puts it.
DEBIAN = Path("/usr/share/wordnet")

HOW_TO_GET = (
    "WordNet is not installed, so only a class's own name and common synonyms are understood; "
    "`napari-guideme fetch-wordnet` downloads it once (10 MB), "
    "or install Debian's wordnet-base"
)


class _DebianReader(WordNetCorpusReader):  # type: ignore[misc]
    """Reads the files of WordNet itself; what only nltk adds is not needed here."""

    def map_wn(self, version: str = "wordnet") -> None:
        """Map no other version of WordNet to this one."""

    def open(self, file: str) -> Any:
        """Open a file, or what stands in for it."""
        if file == "lexnames":
            return io.StringIO("".join(f"{i:02}\tgroup.{i}\t1\n" for i in range(45)))
        return super().open(file)


@cache
def find_wordnet() -> WordNetCorpusReader | None:
    """Open WordNet where nltk or Debian keep it; ``None`` if it is nowhere."""
    with warnings.catch_warnings():
        # English alone is wanted, and said to be alone.
        warnings.simplefilter("ignore", UserWarning)
        for place in ("corpora/wordnet.zip/wordnet/", "corpora/wordnet"):
            try:
                return WordNetCorpusReader(nltk.data.find(place), None)
            except (LookupError, OSError):
                continue
        if (DEBIAN / "data.noun").is_file():
            # Newer versions of nltk read nothing from elsewhere.
            nltk.data.path.append(str(DEBIAN))
            return _DebianReader(str(DEBIAN), None)
    return None


def fetch_wordnet() -> None:
    """Download WordNet with nltk, for all that is run later.

    Raises
    ------
    InputError
        If it cannot be fetched.
    """
    # What nltk says of errors is said by ours.
    silent = {"quiet": True, "print_error_to": io.StringIO()}
    if not nltk.download("wordnet", raise_on_error=False, **silent):
        raise InputError("WordNet cannot be downloaded; is there a connection to the internet?")
    find_wordnet.cache_clear()
