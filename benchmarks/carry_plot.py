"""Draw what carrying brought to each slice, with and without the check.

    python benchmarks/carry_plot.py em=em.json ct=ct.json brain=brain.json --out carry.png

The files are those of `napari-guideme evaluate --protocol carry --json`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

CHECKED, BLIND, CLICKED = "#0072b2", "#e69f00", "#009e73"


def draw(axes: Any, name: str, result: dict[str, Any]) -> None:
    """Draw one volume: the gain of every slice."""
    rows = sorted(result["slices"], key=lambda row: row["index"])
    places = [row["index"] for row in rows]
    for key, colour, label in (
        ("unchecked", BLIND, "without the check"),
        ("after", CHECKED, "carried"),
    ):
        gains = [100 * (row[key] - row["before"]) for row in rows]
        axes.plot(places, gains, color=colour, label=label, linewidth=1.5)
    clicked = 100 * (result["clicked_after"] - result["clicked_before"])
    axes.plot([rows[0]["clicked"]], [clicked], "o", color=CLICKED, label="clicked")
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set(title=name, xlabel="slice", ylabel="gain of mean IoU (points)")


def main(files: list[str], out: Path) -> None:
    """Draw all volumes beside each other."""
    figure, axes = plt.subplots(1, len(files), figsize=(4 * len(files), 3), squeeze=False)
    for part, told in zip(axes[0], files, strict=True):
        name, _, path = told.partition("=")
        draw(part, name, json.loads(Path(path).read_text(encoding="utf-8")))
    axes[0][0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(out, dpi=100)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="NAME=JSON")
    parser.add_argument("--out", type=Path, required=True)
    a = parser.parse_args()
    main(a.files, a.out)
