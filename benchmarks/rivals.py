"""Guidance beside what people would use instead, with the very same clicks.

    python benchmarks/rivals.py run DATA --json OUT.json [options]
    python benchmarks/rivals.py plot OUT.json... --png docs/rivals.png

A simulated user clicks the largest errors of our method; every click is replayed
for a random walker (scikit-image), GrabCut (OpenCV) and a random forest on the
frozen network's own features (scikit-learn; the recipe of ConvPaint), once alone
and once with the network's prediction. With `--own-clicks` each of them is also
given clicks at its own largest errors, starting from the prediction.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from alternatives import TOOLS, Given, Labels, Tool, discs, forest
from matplotlib.figure import Figure
from tqdm import tqdm

from napari_guideme import GuideSession, open_network
from napari_guideme.evaluation.datasets import Item, open_dataset
from napari_guideme.evaluation.protocol import correct, simulated_users
from napari_guideme.evaluation.scores import Confusion, confusion, foreground_iou, mean_iou
from napari_guideme.evaluation.user import Answer, Position, largest_error_click
from napari_guideme.files import write_json
from napari_guideme.guidance import DEFAULT_METHOD, METHOD_NAMES
from napari_guideme.hints import Click, Hint
from napari_guideme.networks.card import read_card
from napari_guideme.networks.frozen import FrozenNetwork

#: What labels count: their confusion matrix, and the seconds they took.
Score = tuple[Confusion, float]

NETWORK = "network alone"
COLOURS = {
    NETWORK: "tab:gray",
    "ours": "tab:red",
    "random walker": "tab:blue",
    "GrabCut": "tab:green",
    "random forest": "tab:orange",
}
STYLES = {"clicks alone": "o:", "with prediction": "o-", "own clicks": "s--"}
FIGURES = {"foreground_iou": "foreground IoU", "miou": "mean IoU"}


def compare(
    item: Item,
    network: FrozenNetwork,
    method: str,
    counts: Sequence[int],
    tools: Mapping[str, Tool],
    own_clicks: bool,
) -> dict[str, list[Score]]:
    """Let everybody correct one image; a figure for each number of clicks."""
    clicks: list[Answer] = []

    def user(session: GuideSession, item: Item, asked: set[Position]) -> Hint | None:
        click = simulated_users()["errors"](session, item, asked)
        if isinstance(click, Click):
            position = tuple(int(x) for x in click.at)
            clicks.append((position, network.classes.index(click.class_name)))
        return click

    course = correct(item, network, method, user, max(counts))
    start, last = (course.confusions[0], 0.0), len(course.confusions) - 1
    seconds = statistics.median(course.seconds) if course.seconds else 0.0
    told = {
        NETWORK: [start] * len(counts),
        f"ours, {method}": [(course.confusions[min(n, last)], seconds) for n in counts],
    }
    given = Given.of(item, network)
    ways = {"clicks alone": given.without_prediction(), "with prediction": given}
    for way, known in ways.items():
        for name, tool in tools.items():
            told[f"{name}, {way}"] = [
                _answered(tool, known, item, clicks[:n])[1] if clicks else start for n in counts
            ]
    for name, tool in tools.items() if own_clicks else ():
        figures = own_course(tool, given, item, max(counts))
        told[f"{name}, own clicks"] = [figures[min(n, len(figures) - 1)] for n in counts]
    return told


def own_course(tool: Tool, given: Given, item: Item, n_clicks: int) -> list[Score]:
    """Correct the prediction by clicks at this tool's own largest errors."""
    labels = given.said
    figures = [(confusion(item.truth, labels, len(item.merged)), 0.0)]
    clicks: dict[Position, int] = {}
    while len(clicks) < n_clicks and (
        answer := largest_error_click(labels, item.truth, clicks.keys())
    ):
        clicks[answer[0]] = answer[1]
        labels, figure = _answered(tool, given, item, list(clicks.items()))
        figures.append(figure)
    return figures


def _answered(
    tool: Tool, given: Given, item: Item, clicks: Sequence[Answer]
) -> tuple[Labels, Score]:
    """Labels of a tool and what they count."""
    start = time.perf_counter()
    labels = tool.labels(given, discs(clicks, item.truth.shape, tool.radius))
    seconds = time.perf_counter() - start
    return labels, (confusion(item.truth, labels, len(item.merged)), seconds)


def run(options: argparse.Namespace) -> None:
    """Compare on a folder of images, print a table and write the figures."""
    card = read_card(options.card) if options.card else None
    network = open_network(options.network, options.device, card)
    items = open_dataset(
        options.folder,
        network,
        instances=options.instances,
        class_map=options.class_map,
        only=options.only,
        limit=options.limit,
    )
    tools = {**TOOLS, "random forest": Tool(forest, options.forest_disc)}
    told: dict[str, list[list[Score]]] = {}
    for item in tqdm(items, desc="images", disable=None):
        course = compare(item, network, options.method, options.hints, tools, options.own_clicks)
        for name, figures in course.items():
            told.setdefault(name, []).append(figures)
    result = {
        "title": f"{options.folder.resolve().name}, {len(items)} images, {network.name}",
        "hints": options.hints,
        "methods": {name: summed(figures) for name, figures in told.items()},
    }
    write_json(options.json, result)
    print(table(result))


def summed(images: Sequence[Sequence[Score]]) -> dict[str, list[float]]:
    """Figures over all images, for each number of clicks."""
    by_count = list(zip(*images, strict=True))
    return {
        "foreground_iou": [statistics.fmean(foreground_iou(c) for c, _ in n) for n in by_count],
        "miou": [mean_iou(np.sum([c for c, _ in n], axis=0)) for n in by_count],
        "seconds": [statistics.median(s for _, s in n) for n in by_count],
    }


def table(result: dict[str, Any]) -> str:
    """Figures in Markdown, side by side for the numbers of clicks."""
    counts = ", ".join(map(str, result["hints"]))
    head = ["", f"foreground IoU after {counts} clicks", f"mIoU after {counts} clicks", "s"]
    rows = [
        [
            name,
            ", ".join(f"{value:.3f}" for value in told["foreground_iou"]),
            ", ".join(f"{value:.3f}" for value in told["miou"]),
            f"{told['seconds'][-1]:.2f}",
        ]
        for name, told in result["methods"].items()
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([result["title"], "", *(f"| {' | '.join(line)} |" for line in lines)])


def plot(options: argparse.Namespace) -> None:
    """Draw results beside each other."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in options.results]
    figure = Figure(figsize=(6 * len(results), 4.5), layout="constrained")
    axes = figure.subplots(1, len(results), squeeze=False)
    for axis, result in zip(axes[0], results, strict=True):
        for name, told in reversed(result["methods"].items()):
            who, _, way = name.partition(", ")
            style = "-." if who == NETWORK else STYLES.get(way, "o-")
            axis.plot(result["hints"], told[options.figure], style, color=COLOURS[who], label=name)
        axis.set(title=result["title"], xlabel="clicks", ylabel=FIGURES[options.figure])
        axis.set_xticks(result["hints"])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
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
    running.add_argument("--card", type=Path, help="what the network expects and returns")
    running.add_argument("--method", choices=METHOD_NAMES, default=DEFAULT_METHOD)
    running.add_argument("--hints", type=int, nargs="+", default=[5, 10, 20])
    running.add_argument(
        "--forest-disc", type=int, default=0, help="radius around a click that the forest learns"
    )
    running.add_argument("--own-clicks", action="store_true")
    running.add_argument("--instances", action="store_true")
    running.add_argument("--class-map", type=Path)
    running.add_argument("--only", type=Path, help="CSV with a column stem")
    running.add_argument("--limit", type=int)
    running.add_argument("--device", default="auto")
    plotting = commands.add_parser("plot", help="draw what was written")
    plotting.set_defaults(run=plot)
    plotting.add_argument("results", type=Path, nargs="+")
    plotting.add_argument("--figure", choices=tuple(FIGURES), default="foreground_iou")
    plotting.add_argument("--png", type=Path, required=True)
    options = parser.parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    main()
