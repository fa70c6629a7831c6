"""How many clicks others need to outline an object: GrabCut (OpenCV), random walker (scikit-image).

    python benchmarks/noc_rivals.py DATA --json OUT.json [--side 256] [--beside OURS.json ...]

The protocol of `napari-guideme evaluate --protocol noc`: every tool is clicked at its
own errors, from nothing. With `--side` the tools see a smaller picture, as they are
slow; what they find is enlarged again, and is clicked and compared at full size.
`--beside` names results of `napari-guideme evaluate` for the same table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from alternatives import TOOLS, Given, Labels, Tool, discs
from tqdm import tqdm

from napari_guideme.evaluation.datasets import Item, open_objects
from napari_guideme.evaluation.noc import Outlining, objects_of, outlined
from napari_guideme.evaluation.noc_results import Clicked, summed
from napari_guideme.evaluation.user import Answer
from napari_guideme.files import write_json

#: Tools that need no network.
RIVALS = ("GrabCut", "random walker")


def by_tool(tool: Tool, item: Item, side: int | None) -> Outlining:
    """Outline an object by clicks with a tool that sees a picture of this longest side."""
    full = item.truth.shape
    share = 1.0 if side is None else min(side / max(full), 1.0)
    rows, columns = (max(round(length * share), 1) for length in full)
    given = Given.picture_only(item, (rows, columns))
    clicks: list[Answer] = []

    def outline(answer: Answer) -> Labels:
        (row, column), index = answer
        clicks.append(((int(row * rows / full[0]), int(column * columns / full[1])), index))
        found = tool.labels(given, discs(clicks, (rows, columns), tool.radius))
        enlarged = cv2.resize(found.astype(np.uint8), full[::-1], interpolation=cv2.INTER_NEAREST)
        return enlarged.astype(np.intp)

    return outline


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Figures in Markdown, one row for each result."""
    head = [
        "", "NoC@85", "NoC@90", "failed at 85", "failed at 90", "IoU after 1, 3, 5, 10 clicks",
        "unmet", "s a click", "objects",
    ]  # fmt: skip
    rows = [
        [
            told["method"] if told["network"] == "none" else f"{told['network']}, {told['method']}",
            f"{told['noc85']:.2f}",
            f"{told['noc90']:.2f}",
            str(told["failures85"]),
            str(told["failures90"]),
            ", ".join(
                f"{told['mean_iou_by_click'][str(n)]:.3f}"
                for n in (1, 3, 5, 10)
                if n <= told["hints"]
            ),
            f"{told['unmet']:.2%}",
            f"{told['seconds_per_click']['median']:.2f}",
            str(told["n_objects"]),
        ]
        for told in results
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Let every tool outline the same objects, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DATA")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--tools", nargs="+", choices=RIVALS, default=list(RIVALS))
    parser.add_argument("--side", type=int, help="longest side of what the tools see")
    parser.add_argument("--hints", type=int, default=20)
    parser.add_argument("--least-pixels", type=int, default=100)
    parser.add_argument("--objects", type=int, help="per image, drawn by the seed")
    parser.add_argument("--instances", action="store_true")
    parser.add_argument("--split")
    parser.add_argument("--only", type=Path, help="CSV with a column stem")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--beside", type=Path, nargs="+", default=[])
    options = parser.parse_args(arguments)
    names = ("instances", "split", "only", "limit", "seed")
    items = open_objects(options.folder, **{name: getattr(options, name) for name in names})
    about = {"network": "none", "hints": options.hints}
    about |= {"least_pixels": options.least_pixels, "objects_per_image": options.objects}
    about |= {"seed": options.seed}
    courses: dict[str, list[Clicked]] = {name: [] for name in options.tools}
    for item in tqdm(items, desc="images", disable=None):
        for truth in objects_of(item, options.least_pixels, options.objects, options.seed):
            for name, told in courses.items():
                outlining = by_tool(TOOLS[name], item, options.side)
                told.append(outlined(outlining, truth, options.hints, item))
    results = [summed(told, {**about, "method": name}).to_json() for name, told in courses.items()]
    write_json(options.json, {"side": options.side, "results": results})
    ours = [json.loads(path.read_text(encoding="utf-8")) for path in options.beside]
    print(f"{options.folder.resolve().name}\n\n{table([*results, *ours])}")


if __name__ == "__main__":
    main()
