"""Guidance beside what people would use instead, with the very same clicks.

    python benchmarks/rivals.py run DATA --json OUT.json [options]
    python benchmarks/rivals.py plot OUT.json... --png docs/rivals.png

A simulated user clicks the largest errors of our method; every click is replayed
for a random walker (scikit-image), GrabCut (OpenCV) and a random forest on the
frozen network's own features (scikit-learn; the recipe of ConvPaint). They get
each click as a small disc, once alone and once with the network's prediction.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import random_walker
from sklearn.ensemble import RandomForestClassifier
from tqdm import tqdm

from napari_guideme import GuideSession, open_network
from napari_guideme.evaluation.datasets import Item, open_dataset
from napari_guideme.evaluation.protocol import PROTOCOLS, correct, merged_probabilities
from napari_guideme.evaluation.scores import Confusion, confusion, foreground_iou, mean_iou
from napari_guideme.evaluation.user import Answer, Position
from napari_guideme.files import write_json
from napari_guideme.guidance import DEFAULT_METHOD, METHOD_NAMES
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.preparation import Preparation

Labels = NDArray[np.intp]

#: What one answer counts: its confusion matrix, and how many seconds it took.
Figure = tuple[Confusion, float]

#: What the rivals get; chosen in their favour, see docs/evidence.md.
DISC = 3
CONFIDENT = 0.95
FOREST_PIXELS = 500

COLOURS = {
    "the network alone": "tab:gray",
    "ours": "tab:red",
    "random walker": "tab:blue",
    "GrabCut": "tab:green",
    "random forest": "tab:orange",
}


@dataclass(frozen=True)
class Given:
    """What a rival has of an image, besides the clicks.

    Attributes
    ----------
    picture
        (rows, columns, 3), 8 bits.
    features
        The network's, (rows, columns, C).
    said
        The network's class of every pixel, ``None`` if there are only clicks.
    sure
        The same where the network is confident, -1 elsewhere.
    """

    picture: NDArray[np.uint8]
    features: NDArray[np.float32]
    said: Labels | None
    sure: Labels

    @classmethod
    def of(cls, item: Item, network: FrozenNetwork) -> Given:
        """Run the network once over an image."""
        preparation = network.preparation
        x, placement = preparation.prepare(item.image, channel_axis=item.channel_axis)
        logits, activations = network.observe(x, network.feature_points)
        levels = [preparation.restore(a, placement)[0].cpu() for a in activations.values()]
        probabilities = preparation.restore(logits, placement)[0].softmax(0).cpu().numpy()
        features = np.ascontiguousarray(torch.cat(levels).permute(1, 2, 0).numpy())
        said = item.merged[probabilities.argmax(0)]
        confident = merged_probabilities(probabilities, item.merged).max(0) > CONFIDENT
        return cls(_picture(item), features, said, np.where(confident, said, -1))

    def without_prediction(self) -> Given:
        """Return what is left if only clicks count."""
        return replace(self, said=None, sure=np.full_like(self.sure, -1))


def random_walk(given: Given, clicked: Labels) -> Labels:
    """Spread seeds along paths without edges: the clicks, and confident pixels."""
    seeds = np.where(clicked < 0, given.sure, clicked)
    classes = np.unique(seeds[seeds >= 0])
    if len(classes) == 1 or (seeds >= 0).all():
        return np.where(seeds < 0, classes[0], seeds)
    numbered = np.where(seeds < 0, 0, np.searchsorted(classes, seeds) + 1)
    walked = random_walker(given.picture / 255, numbered, mode="cg_j", channel_axis=-1)
    found: Labels = classes[walked - 1]
    return found


def grab_cut(given: Given, clicked: Labels) -> Labels:
    """Cut every class out of the picture; of two that claim a pixel, the first guess wins.

    The first guess is the network's prediction, or the class of the nearest click.
    """
    nearest = ndimage.distance_transform_edt(
        clicked < 0, return_distances=False, return_indices=True
    )
    guess = clicked[tuple(nearest)] if given.said is None else given.said
    guess = np.where(clicked < 0, guess, clicked)
    found = np.zeros_like(guess)
    objects = [int(index) for index in np.unique(guess) if index]
    claims = [_cut(given.picture, clicked, guess, index) for index in objects]
    for index, claimed in zip(objects, claims, strict=True):
        found[claimed & ((found == 0) | (guess == index))] = index
    return found


def _cut(
    picture: NDArray[np.uint8], clicked: Labels, guess: Labels, index: int
) -> NDArray[np.bool_]:
    """GrabCut of one class against all others."""
    mask = np.where(guess == index, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[clicked == index] = cv2.GC_FGD
    mask[(clicked >= 0) & (clicked != index)] = cv2.GC_BGD
    if (guess == index).all():
        return guess == index
    cv2.setRNGSeed(0)
    cv2.grabCut(picture, mask, None, None, None, 5, cv2.GC_INIT_WITH_MASK)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD))


def forest(given: Given, clicked: Labels) -> Labels:
    """Classify pixels by the network's features, at the clicks and at some confident pixels."""
    classes = clicked.copy()
    trusted = np.flatnonzero((given.sure >= 0) & (clicked < 0))
    chosen = np.random.default_rng(0).permutation(trusted)[:FOREST_PIXELS]
    classes.flat[chosen] = given.sure.flat[chosen]
    # Both groups count alike, however many clicks there are.
    weights = np.where(clicked >= 0, len(chosen) / (clicked >= 0).sum() or 1.0, 1.0)
    known = classes >= 0
    trees = RandomForestClassifier(100, random_state=0)
    trees.fit(given.features[known], classes[known], weights[known])
    # Probabilities of all pixels at once take memory for every tree.
    strips = np.array_split(given.features, len(clicked) // 64 + 1)
    found = [trees.predict(strip.reshape(-1, strip.shape[-1])) for strip in strips]
    return np.concatenate(found).reshape(clicked.shape)


RIVALS: dict[str, Callable[[Given, Labels], Labels]] = {
    "random walker": random_walk,
    "GrabCut": grab_cut,
    "random forest": forest,
}


def compare(
    item: Item, network: FrozenNetwork, method: str, counts: Sequence[int]
) -> dict[str, list[Figure]]:
    """Let everybody correct one image; a figure for each number of clicks."""
    clicks: list[Answer] = []

    def user(session: GuideSession, item: Item, asked: set[Position]) -> Answer | None:
        answer = PROTOCOLS["errors"](session, item, asked)
        clicks.extend([answer] if answer else [])
        return answer

    course = correct(item, network, method, user, max(counts))
    start, last = (course.confusions[0], 0.0), len(course.confusions) - 1
    seconds = statistics.median(course.seconds) if course.seconds else 0.0
    told = {
        "the network alone": [start] * len(counts),
        f"ours ({method})": [(course.confusions[min(n, last)], seconds) for n in counts],
    }
    given = Given.of(item, network)
    for way, known in {
        "clicks alone": given.without_prediction(),
        "with the prediction": given,
    }.items():
        for name, rival in RIVALS.items():
            told[f"{name}, {way}"] = [
                _timed(rival, known, item, clicks[:n]) if clicks else start for n in counts
            ]
    return told


def _timed(
    rival: Callable[[Given, Labels], Labels], given: Given, item: Item, clicks: Sequence[Answer]
) -> Figure:
    clicked = discs(clicks, item.truth.shape)
    start = time.perf_counter()
    labels = rival(given, clicked)
    seconds = time.perf_counter() - start
    return confusion(item.truth, labels, len(item.merged)), seconds


def discs(clicks: Sequence[Answer], shape: tuple[int, ...]) -> Labels:
    """Class in a disc around each click, the newest on top, and -1 elsewhere."""
    clicked = np.full(shape, -1)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for (row, column), index in clicks:
        clicked[(rows - row) ** 2 + (columns - column) ** 2 <= DISC**2] = index
    return clicked


def _picture(item: Item) -> NDArray[np.uint8]:
    """The image in colours of 8 bits, its contrast stretched."""
    stretched = Preparation(channels=3, value_range="percentile", percentiles=(1.0, 99.8))
    x, _ = stretched.prepare(item.image, channel_axis=item.channel_axis)
    return np.ascontiguousarray((x[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))


def run(options: argparse.Namespace) -> None:
    """Compare on a folder of images, print a table and write the figures."""
    network = open_network(options.network, options.device)
    items = open_dataset(
        options.folder,
        network,
        instances=options.instances,
        class_map=options.class_map,
        only=options.only,
        limit=options.limit,
    )
    told: dict[str, list[list[Figure]]] = {}
    for item in tqdm(items, desc="images", disable=None):
        for name, figures in compare(item, network, options.method, options.hints).items():
            told.setdefault(name, []).append(figures)
    title = f"{options.folder.resolve().name}, {len(items)} images, network {network.name}"
    result = {
        "title": title,
        "hints": options.hints,
        "methods": {name: summed(figures) for name, figures in told.items()},
    }
    write_json(options.json, result)
    print(table(result))


def summed(images: Sequence[Sequence[Figure]]) -> dict[str, list[float]]:
    """Figures over all images, for each number of clicks."""
    by_count = list(zip(*images, strict=True))
    return {
        "foreground_iou": [
            statistics.fmean(foreground_iou(c) for c, _ in each) for each in by_count
        ],
        "miou": [mean_iou(np.sum([c for c, _ in each], axis=0)) for each in by_count],
        "seconds": [statistics.median(s for _, s in each) for each in by_count],
    }


def table(result: dict[str, Any]) -> str:
    """The figures in Markdown."""
    counts = [f"{n} clicks" for n in result["hints"]]
    head = ["", *(f"IoU, {n}" for n in counts), *(f"mIoU, {n}" for n in counts), "s"]
    rows = [
        [
            name,
            *(f"{value:.3f}" for value in told["foreground_iou"] + told["miou"]),
            f"{told['seconds'][-1]:.2f}",
        ]
        for name, told in result["methods"].items()
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([result["title"], "", *(f"| {' | '.join(line)} |" for line in lines)])


def plot(options: argparse.Namespace) -> None:
    """Draw results beside each other."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in options.results]
    figure, axes = plt.subplots(
        1, len(results), figsize=(5.5 * len(results), 4.2), squeeze=False, layout="constrained"
    )
    for axis, result in zip(axes[0], results, strict=True):
        for name, told in result["methods"].items():
            style = "--" if "clicks alone" in name else ":" if "network alone" in name else "-"
            colour = COLOURS[name.split(",")[0].split(" (")[0]]
            axis.plot(
                result["hints"], told[options.figure], style, marker="o", color=colour, label=name
            )
        axis.set(title=result["title"], xlabel="clicks", ylabel=options.figure.replace("_", " "))
        axis.set_xticks(result["hints"])
    axes[0][-1].legend(fontsize="small")
    figure.savefig(options.png, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run", help="compare on a folder of images")
    running.set_defaults(run=run)
    running.add_argument("folder", type=Path)
    running.add_argument("--json", type=Path, required=True)
    running.add_argument("--network", default="nuclei")
    running.add_argument("--method", choices=METHOD_NAMES, default=DEFAULT_METHOD)
    running.add_argument("--hints", type=int, nargs="+", default=[5, 10, 20])
    running.add_argument("--instances", action="store_true")
    running.add_argument("--class-map", type=Path)
    running.add_argument("--only", type=Path, help="CSV with a column stem")
    running.add_argument("--limit", type=int)
    running.add_argument("--device", default="auto")
    plotting = commands.add_parser("plot", help="draw what was written")
    plotting.set_defaults(run=plot)
    plotting.add_argument("results", type=Path, nargs="+")
    plotting.add_argument("--figure", choices=("foreground_iou", "miou"), default="foreground_iou")
    plotting.add_argument("--png", type=Path, required=True)
    options = parser.parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    main()
