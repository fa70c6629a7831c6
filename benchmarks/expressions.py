"""Tell which expressions the masks of a folder give, and whether the reader finds what is meant.

``python benchmarks/expressions.py DIR [DIR ...]``; ``DIR=NAME`` for ids of objects that all are a
NAME, ``DIR=1:NAME,2:NAME`` for classes.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from napari_guideme.cli.options.values import named_objects
from napari_guideme.errors import InputError
from napari_guideme.evaluation.named_objects import NamedItem, open_named_objects
from napari_guideme.referring.checking import find_referred
from napari_guideme.referring.claims import KINDS
from napari_guideme.referring.expressions import LEAST, Expression, expressions


def main() -> None:
    """Report on each folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", metavar="DIR[=NAMES]")
    parser.add_argument("--limit", type=int, help="images per folder, chosen by chance")
    parser.add_argument("--show", type=int, default=0, help="sentences to print")
    options = parser.parse_args()
    for given in options.folders:
        folder, _, told = given.partition("=")
        names = named_objects(told) if told else None
        items = open_named_objects(folder, names, limit=options.limit)
        report(folder, list(items), options.show)


def report(folder: str, items: list[NamedItem], show: int) -> None:
    """Print how many sentences there are of each kind, and some of them."""
    random = np.random.default_rng(0)
    made: list[tuple[str, Expression]] = []
    choosing = wrong = 0
    for item in items:
        found = expressions(
            item.image, item.ids, item.names, random, channel_axis=item.channel_axis
        )
        made += [(item.name, expression) for expression in found]
        scene = item.scene
        several = Counter(thing.name for thing in scene.objects if thing.share >= LEAST).values()
        choosing += any(2 <= n <= 6 for n in several)
        wrong += sum(_referred(e.sentence, scene) != e.object_id for e in found)
    counts = Counter(kind for _, e in made for kind in e.kinds)
    two = sum(len(e.kinds) > 1 for _, e in made)
    print(f"{folder}: {len(items)} images, {choosing} with 2 to 6 objects of a class")
    print(f"  {len(made)} sentences, {two} of two kinds, the reader differs on {wrong}")
    print("  " + ", ".join(f"{kind} {counts[kind]}" for kind in KINDS))
    for i in random.permutation(len(made))[:show]:
        name, expression = made[i]
        kinds = ", ".join(expression.kinds)
        print(f"  {name} {expression.object_id}: {expression.sentence} ({kinds})")


def _referred(sentence: str, scene) -> int | None:
    try:
        return find_referred(sentence, scene)
    except InputError:
        return None


if __name__ == "__main__":
    main()
