"""Draw how a trained text guide moves a network for each class: a map of its γ vectors.

    python benchmarks/gamma_map.py NETWORK.text-guide.safetensors --network NETWORK --out map.png

Each point is the vector of scales and biases that one phrase leads to, one for each class,
operation and cell of the grid; points that lie together move the network alike. The map is
made by t-SNE, as in figure 6 of Guide Me, with PCA beside it.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from napari_guideme import open_network
from napari_guideme.hints import GRID, TextHint
from napari_guideme.language.queries import phrase
from napari_guideme.language.text_guide import TextGuide, load

MARKS = {"find": "o", "remove": "x", "replace": "+"}


@torch.no_grad()
def gammas(guide: TextGuide) -> tuple[list[TextHint], NDArray[np.float32]]:
    """Hints and the scales and biases that they lead to, (n, 2 C)."""
    places = [(), *(((row, column),) for row, column in product(range(GRID), repeat=2))]
    hints = [
        TextHint(operation, name, place)
        for operation in guide.purpose.operations
        if operation != "replace"
        for name in guide.purpose.classes
        for place in places
    ]
    scale, bias, _ = zip(*map(guide.block.split, guide(map(phrase, hints))), strict=True)
    return hints, torch.cat([torch.stack(scale), torch.stack(bias)], dim=1).numpy()


def apart(hints: list[TextHint], vectors: NDArray[np.float32]) -> tuple[float, float]:
    """Mean distance between vectors of one class, and between those of two."""
    names = np.array([f"{hint.operation} {hint.class_name}" for hint in hints])
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)
    same = names[:, None] == names[None]
    within = same & ~np.eye(len(names), dtype=bool)
    return float(distances[within].mean()), float(distances[~same].mean())


def draw(hints: list[TextHint], vectors: NDArray[np.float32], path: Path) -> None:
    """Draw both maps, a colour for each class and a mark for each operation."""
    maps = {
        "PCA": PCA(2).fit_transform(vectors),
        "t-SNE": TSNE(2, perplexity=min(20, len(hints) // 4), random_state=0).fit_transform(
            vectors
        ),
    }
    names = list(dict.fromkeys(hint.class_name for hint in hints))
    colours = colormaps["tab20"](np.linspace(0, 1, len(names)))
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, (title, points) in zip(axes, maps.items(), strict=True):
        for hint, point in zip(hints, points, strict=True):
            colour = colours[names.index(hint.class_name)]
            axis.scatter(*point, color=colour, marker=MARKS[hint.operation], s=25)
        axis.set(title=title, xticks=[], yticks=[])
    shown = [Line2D([], [], marker="o", ls="", color=c) for c in colours]
    figure.legend(shown, names, loc="outside right center", frameon=False)
    figure.savefig(path, dpi=100)


def main(options: argparse.Namespace) -> None:
    """Draw the map and say how far apart classes are."""
    guide = load(options.guide, open_network(options.network, "cpu"))
    hints, vectors = gammas(guide)
    within, between = apart(hints, vectors)
    print(f"{len(hints)} phrases; mean distance within a class {within:.3f}, between {between:.3f}")
    draw(hints, vectors, options.out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("guide", type=Path)
    parser.add_argument("--network", required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    main(parser.parse_args())
