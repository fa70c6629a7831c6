"""Make the table of kinds of things that `localize` reads, from WordNet.

    NLTK_DATA=FOLDER python training/kinds.py SYNSETS WORDS --also NAMES --licence FILE

SYNSETS lists the WordNet ids of ImageNet's 1000 labels, one a line, in the order of a
classifier's outputs. WORDS is an ``.npz`` file whose ``words`` are sorted by how common they
are, such as GloVe's. Kept are the labels, all that they are kinds of, and of the physical things
every one that is called by common words (the first `--common`) or by a name of a file NAMES
(lines ``index name``), with what they are kinds of. No name is added or removed by hand.
FILE holds WordNet's licence, which stands at the head of the table.
"""

from __future__ import annotations

import argparse
import gzip
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from command import run

from napari_guideme.errors import InputError
from napari_guideme.evaluation.names import read_class_list
from napari_guideme.language.word_forms import plain
from napari_guideme.language.wordnet import HOW_TO_GET, find_wordnet
from napari_guideme.localize.kinds import COLUMNS, TABLE, joined

PHYSICAL = "n00001930"

Sense = Any


def main() -> None:
    """Write the table."""
    options = parser().parse_args()
    wordnet = find_wordnet()
    if wordnet is None:
        raise InputError(HOW_TO_GET)
    wanted = options.synsets.read_text().split()
    labels = [wordnet.synset_from_pos_and_offset("n", int(number[1:])) for number in wanted]
    with np.load(options.words, allow_pickle=False) as table:
        common = set(table["words"][: options.common].tolist())
    also = {joined(name) for file in options.also for name in read_class_list(file).values()}
    kept, names = chosen(wordnet, labels, common, also)
    licence = "".join(f"# {line}\n" for line in options.licence.read_text().splitlines())
    rows = sorted("\t".join(row(sense, labels, kept, names)) for sense in kept)
    text = licence + "\t".join(COLUMNS) + "\n" + "\n".join(rows) + "\n"
    options.out.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(rows)} kinds, {options.out.stat().st_size} bytes")


def parser() -> argparse.ArgumentParser:
    """What the script can be told."""
    told = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    told.add_argument("synsets", type=Path)
    told.add_argument("words", type=Path)
    told.add_argument("--common", type=int, default=20_000)
    told.add_argument("--also", type=Path, action="append", default=[])
    told.add_argument("--licence", type=Path, required=True)
    told.add_argument("--out", type=Path, default=Path(str(TABLE)))
    return told


def chosen(
    wordnet: Any, labels: list[Sense], common: Collection[str], also: Collection[str]
) -> tuple[set[Sense], dict[Sense, list[str]]]:
    """Senses to keep, and their names, those that are not the commonest sense with a rank."""
    above_labels = {above for label in labels for above in [label, *label.closure(hypernyms)]}

    def is_common(name: str) -> bool:
        words = plain(name).split()
        return joined(name) in also or (bool(words) and all(word in common for word in words))

    ranks: Counter[str] = Counter()
    names: dict[Sense, list[str]] = {}
    for name in sorted(wordnet.all_lemma_names("n")):
        for sense in wordnet.synsets(name, "n"):
            told = [own for own in sense.lemma_names() if own.lower() == name]
            if not told or not (sense in above_labels or (is_thing(sense) and is_common(name))):
                continue
            ranks[name] += 1
            rank = f"#{ranks[name]}" if ranks[name] > 1 else ""
            names.setdefault(sense, []).append(told[0].replace("_", " ") + rank)
    kept = {above for sense in names for above in [sense, *sense.closure(hypernyms)]}
    return kept, names


def row(
    sense: Sense, labels: list[Sense], kept: Collection[Sense], names: dict[Sense, list[str]]
) -> Iterator[str]:
    """Columns of one kind."""
    order = [name.replace("_", " ") for name in sense.lemma_names()]
    own = sorted(names.get(sense, ()), key=lambda name: order.index(name.partition("#")[0]))
    yield number(sense)
    yield str(labels.index(sense)) if sense in labels else ""
    yield str(len(set(sense.closure(lambda kind: kind.hyponyms()))) or "")
    yield " ".join(map(number, hypernyms(sense)))
    yield " ".join(sorted(number(member) for member in sense.member_meronyms() if member in kept))
    yield "|".join(own)


def hypernyms(sense: Sense) -> list[Sense]:
    """What a sense is a kind of."""
    return sorted(sense.hypernyms(), key=number)


@cache
def is_thing(sense: Sense) -> bool:
    """Whether something can be seen: a physical thing, and a kind, not one of its instances."""
    return number(sense) == PHYSICAL or any(map(is_thing, hypernyms(sense)))


def number(sense: Sense) -> str:
    """Id of a sense as ImageNet writes it."""
    return f"n{sense.offset():08}"


if __name__ == "__main__":
    run(main)
