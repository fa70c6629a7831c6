"""Pictures of what is found by name in the photographs that ship with scikit-image.

python benchmarks/gallery.py --out docs/names.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import skimage.data

from napari_guideme.localize.attention import open_attention
from napari_guideme.localize.finding import chosen_stand_ins, find
from napari_guideme.networks.classifier import open_classifier

#: Photographs of scikit-image, and what to find in them.
SOUGHT = (
    ("chelsea", "cat"),
    ("coffee", "cup"),
    ("coffee", "spoon"),
    ("rocket", "rocket"),
    ("camera", "tripod"),
    ("camera", "coat"),
    ("astronaut", "space shuttle"),
    ("astronaut", "flag"),
    ("clock", "clock"),
)


def main(a: argparse.Namespace) -> None:
    """Draw a row for each thing: photograph, both maps, likelihood, mask."""
    classifier, network = open_classifier(), open_attention()
    figure, axes = plt.subplots(len(a.sought), 5, figsize=(12.5, 2.3 * len(a.sought)))
    for row, (picture, name) in zip(axes, a.sought, strict=True):
        image = getattr(skimage.data, picture)()
        channel_axis = -1 if image.ndim == 3 else None
        labels = chosen_stand_ins(name, classifier, image, channel_axis)
        found = find(name, image, classifier, labels, network=network, channel_axis=channel_axis)
        seen = (
            (f"“{name}”", image, "gray"),
            (_told(classifier.labels, labels.positive), found.positive, "Greens_r"),
            (_told(classifier.labels, labels.negative), found.negative, "Reds_r"),
            ("likelihood", found.likelihood, "viridis"),
        )
        for axis, (title, values, colours) in zip(row, seen, strict=False):
            axis.imshow(values, cmap=colours)
            axis.set_title(title, fontsize=7)
        row[4].imshow(image, cmap="gray")
        row[4].imshow(np.ma.masked_equal(found.mask, 0), cmap="autumn", alpha=0.6)
        row[4].set_title(f"{found.mask.mean():.0%} of the image", fontsize=7)
    for axis in axes.flat:
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(a.out, dpi=80)


def _told(labels: tuple[str, ...], chosen: tuple[int, ...]) -> str:
    told = ", ".join(labels[label] for label in chosen)
    return told if len(told) < 48 else told[:45] + "..."


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.set_defaults(sought=SOUGHT)
    main(parser.parse_args())
