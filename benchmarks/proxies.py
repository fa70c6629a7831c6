"""How many of the labels that stand in for a name would rather distract from it.

    python benchmarks/proxies.py --vectors GLOVE.npz

For each of the 20 classes of PASCAL VOC the first five labels of ImageNet, as in table 2 of Golub
et al., by WordNet and by word vectors, before any image prunes them. One distracts if it is
another thing that can be in the same picture. Judged by rule: what WordNet calls a kind of the
class does not distract, a kind of another of the 20 classes does. As our first relation is just
that, the rule favours WordNet. All others were judged by the author by reading, one by one, with
a reason, in `proxies_read.csv`; who reads them otherwise changes that file.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_guideme.errors import InputError
from napari_guideme.language.vocabulary import WordVectors
from napari_guideme.localize.known_labels import KnownLabels
from napari_guideme.localize.proxies import By, related

READ = Path(__file__).with_name("proxies_read.csv")
FIRST = 5

VOC = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "dining table",
    "dog",
    "horse",
    "motorbike",
    "person",
    "potted plant",
    "sheep",
    "sofa",
    "train",
    "tv monitor",
)


@dataclass(frozen=True)
class Judged:
    """A label that stands in for a class, and whether it distracts (``None``: not judged)."""

    target: str
    proxy: str
    distracts: bool | None
    why: str


def judged(known: KnownLabels, by: By, vectors: WordVectors | None) -> Iterator[Judged]:
    """Judge the first labels of every class."""
    kinds = {name: kinds_of(name, known) for name in VOC}
    with READ.open(newline="", encoding="utf-8") as file:
        read = {(row["target"], row["proxy"]): row for row in csv.DictReader(file)}
    for target in VOC:
        for label in labels_of(target, known, by, vectors)[:FIRST]:
            proxy = known.title(label)
            others = [name for name in VOC if name != target and label in kinds[name]]
            if label in kinds[target]:
                yield Judged(target, proxy, False, "rule: a kind of it")
            elif others:
                yield Judged(target, proxy, True, f"rule: a kind of {others[0]}")
            elif (target, proxy) in read:
                row = read[target, proxy]
                yield Judged(target, proxy, row["distracts"] == "yes", f"read: {row['why']}")
            else:
                yield Judged(target, proxy, None, f"not judged, add it to {READ.name}")


def kinds_of(name: str, known: KnownLabels) -> set[int]:
    """Labels that WordNet calls kinds of a thing, in its commonest sense that has any."""
    kinds = (set(known.below(id)) for id in known.kinds.meanings(name))
    return next(filter(None, kinds), set())


def labels_of(
    name: str, known: KnownLabels, by: By = "wordnet", vectors: WordVectors | None = None
) -> list[int]:
    """Labels that stand in for a name, those of its commonest sense first."""
    try:
        return [label for labels in related(name, known, by, vectors).senses for label in labels]
    except InputError:
        return []


def main() -> None:
    """Print every judgement and the two shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=Path, required=True, metavar="NPZ")
    vectors = WordVectors.read(parser.parse_args().vectors)
    known = KnownLabels.imagenet()
    ways: tuple[By, ...] = ("wordnet", "vectors")
    for by in ways:
        rows = list(judged(known, by, vectors))
        print(f"\n{by}")
        for row in rows:
            says = {True: "distracts", False: "", None: "?"}[row.distracts]
            print(f"{row.target:14}{row.proxy:26}{says:10}{row.why}")
        count = sum(row.distracts is True for row in rows)
        by_rule = sum(row.why.startswith("rule") for row in rows)
        lacking = sorted(set(VOC) - {row.target for row in rows})
        print(
            f"{by}: {count} of {len(rows)} distract ({count / len(rows):.0%}), {by_rule} judged by "
            f"rule, {sum(row.distracts is None for row in rows)} not judged"
            + (f"; none for {', '.join(lacking)}" if lacking else "")
        )


if __name__ == "__main__":
    main()
