"""What one sentence could bring at most, and what it brings by how much is left as it was.

    python benchmarks/words_ceiling.py camvid --network NETWORK --operation find --split test

For each image one sentence is drawn, as in `napari-guideme evaluate --protocol text`. Beside
words with several weights of what is to stay, three things nobody can do without the truth:
`repair` corrects every pixel that the sentence is about; `count` moves as many pixels as are
wrong, and `best` as many as serve the image best, in the order in which the network's own
evidence would move them.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from napari_guideme.evaluation.datasets import Item, open_dataset
from napari_guideme.evaluation.results import HARM
from napari_guideme.evaluation.scores import confusion, mean_iou
from napari_guideme.guidance.scene import Scene
from napari_guideme.hints import TextHint
from napari_guideme.language import words
from napari_guideme.language.queries import Asked, draw_query
from napari_guideme.language.telling import lead
from napari_guideme.networks.card import read_card
from napari_guideme.networks.catalogue import open_network
from napari_guideme.networks.frozen import FrozenNetwork

INERTIAS = (15.0, 30.0, 45.0, 60.0, 90.0)
SHARES = (0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2)

Labels = NDArray[np.intp]


def told(item: Item, network: FrozenNetwork, operation: Asked, seed: int) -> dict[str, Labels]:
    """Labels of one image, by who corrected it; all alike if there is nothing to say."""
    scene = Scene(network, item.image, channel_axis=item.channel_axis)
    logits = scene.logits
    own = item.merged[logits.max(0).indices.numpy()]
    random = np.random.default_rng([seed, *item.name.encode()])
    hint = draw_query(own, item.truth, network.classes, random, operation)
    found = {"network": own}
    found.update(_corrected(logits, own, item, hint, network))
    return found


def _corrected(
    logits: torch.Tensor, own: Labels, item: Item, hint: TextHint | None, network: FrozenNetwork
) -> Iterator[tuple[str, Labels]]:
    names = ("repair", "count", "best", *(f"words, inertia {weight:g}" for weight in INERTIAS))
    if hint is None:
        yield from ((name, own) for name in names)
        return
    index = network.classes.index(hint.class_name)
    finds = hint.operation == "find"
    moved = hint.mask(own.shape) & ((own == index) != finds)
    wrong = moved & (item.truth >= 0) & ((item.truth == index) == finds)
    yield names[0], np.where(wrong, item.truth, own)
    others = logits.clone()
    others[index] = -torch.inf
    instead = np.full_like(own, index) if finds else item.merged[others.max(0).indices.numpy()]
    order = np.flatnonzero(moved)
    nearness = lead(logits, index).numpy().ravel()[order]
    order = order[np.argsort(-nearness if finds else nearness)]
    choices = [_first(own, instead, order, int(s * wrong.sum())) for s in SHARES]
    yield names[1], choices[SHARES.index(1)]
    yield names[2], max(choices, key=lambda labels: _iou(item, labels))
    for name, weight in zip(names[3:], INERTIAS, strict=True):
        with patch.object(words, "INERTIA", weight):
            *_, last = words.follow(hint, logits, network.classes)
        wish = words.Wish.of(hint, logits, network.classes)
        yield name, item.merged[wish.shifted(logits, last.values).max(0).indices.numpy()]


def _first(own: Labels, instead: Labels, order: Labels, count: int) -> Labels:
    labels = own.copy()
    labels.flat[order[:count]] = instead.flat[order[:count]]
    return labels


def _iou(item: Item, labels: Labels) -> float:
    return mean_iou(confusion(item.truth, labels, len(item.merged)))


def main(options: argparse.Namespace) -> None:
    """Print mean IoU and harm of each."""
    card = read_card(options.card) if options.card else None
    network = open_network(options.network, "cpu", card)
    items = open_dataset(
        options.data,
        network,
        instances=options.instances,
        split=options.split,
        only=options.only,
        limit=options.limit,
    )
    pooled: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros((1, 1), dtype=np.int64))
    harmful: dict[str, int] = defaultdict(int)
    for item in tqdm(items, disable=None):
        found = told(item, network, options.operation, options.seed)
        before = _iou(item, found["network"])
        for name, labels in found.items():
            pooled[name] = pooled[name] + confusion(item.truth, labels, len(item.merged))
            harmful[name] += before - _iou(item, labels) > HARM
    start = mean_iou(pooled["network"])
    print(f"{len(items)} images, {options.operation}: mean IoU {start:.1%}")
    for name, counts in pooled.items():
        gained, harm = 100 * (mean_iou(counts) - start), harmful[name] / len(items)
        print(f"{name:18} {gained:+6.2f}  harm {harm:.1%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--network", default="nuclei")
    parser.add_argument("--card", type=Path)
    parser.add_argument("--operation", choices=("find", "remove"), default="find")
    parser.add_argument("--instances", action="store_true")
    parser.add_argument("--split")
    parser.add_argument("--only", type=Path, metavar="CSV")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args())
