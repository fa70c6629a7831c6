"""What people's scribbles are worth: IoU of one object, by the network alone and with methods.

    python benchmarks/scribbles.py DATA [--network click] [--method none f-brs-b brs] --json OUT

DATA has, beside images and masks, a folder `scribblesN` for each annotator N (0 none,
1 on the object, 2 on the background), and may have `cases.csv` with columns stem and
source. All strokes of an annotator are given at once; `none` is the network that sees
them without being held to them.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from tqdm import tqdm

from napari_guideme import Scribble, open_network
from napari_guideme.evaluation.datasets import Item, open_objects
from napari_guideme.evaluation.names import read_rows
from napari_guideme.evaluation.noc import objects_of
from napari_guideme.evaluation.scores import confusion, foreground_iou
from napari_guideme.files import read_labels, write_json
from napari_guideme.guidance import METHOD_NAMES
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.object_session import ObjectSession

#: What a number in a file of scribbles says.
CLASSES = {1: "object", 2: "background"}

EVERYWHERE = "all"


def strokes(drawn: NDArray[np.integer]) -> Iterator[Scribble]:
    """Yield the strokes of a file: what hangs together, also by corners, is one."""
    for value, name in CLASSES.items():
        numbered, _ = ndimage.label(drawn == value, np.ones((3, 3)))
        for number, box in enumerate(ndimage.find_objects(numbered), start=1):
            corner = [part.start for part in box]
            yield Scribble.from_mask(numbered[box] == number, name, corner)


def measured(
    item: Item, drawn: NDArray[np.integer], network: FrozenNetwork, method: str
) -> dict[str, float]:
    """IoU and share of strokes that are satisfied, with one annotator's scribbles."""
    (truth,) = objects_of(item)
    session = ObjectSession(item.image, network, method=method, channel_axis=item.channel_axis)
    session.add(*strokes(drawn))
    for _ in session.refine():
        pass
    satisfied = session.satisfied()
    return {
        "iou": foreground_iou(confusion(truth, session.labels(), 2)),
        "satisfied": sum(satisfied) / len(satisfied),
        "seconds": session.report().seconds,
    }


def by_source(cases: Sequence[dict[str, Any]], methods: Sequence[str]) -> list[dict[str, Any]]:
    """Mean figures for each source and annotator, and for all sources together."""
    rows = []
    sources = sorted({case["source"] for case in cases})
    for source in [*sources, EVERYWHERE] if len(sources) > 1 else sources:
        for annotator in sorted({case["annotator"] for case in cases}):
            own = [
                case
                for case in cases
                if case["annotator"] == annotator and source in (case["source"], EVERYWHERE)
            ]
            means = {
                method: {
                    figure: statistics.fmean(case["methods"][method][figure] for case in own)
                    for figure in ("iou", "satisfied", "seconds")
                }
                for method in methods
            }
            rows.append({"source": source, "annotator": annotator, "n": len(own), **means})
    return rows


def table(
    rows: Sequence[dict[str, Any]], cases: Sequence[dict[str, Any]], methods: Sequence[str]
) -> str:
    """IoU in Markdown: a row for each source, the annotators side by side."""
    annotators = sorted({row["annotator"] for row in rows})
    head = ["source", "n", *(f"annotator {a}: {', '.join(methods)}" for a in annotators)]
    lines = [head, ["---"] * len(head)]
    for source in dict.fromkeys(row["source"] for row in rows):
        own = {row["annotator"]: row for row in rows if row["source"] == source}
        figures = [
            ", ".join(f"{own[a][method]['iou']:.3f}" for method in methods) for a in annotators
        ]
        lines.append([source, str(own[annotators[0]]["n"]), *figures])
    satisfied = {
        method: statistics.fmean(case["methods"][method]["satisfied"] for case in cases)
        for method in methods
    }
    told = ", ".join(f"{method} {share:.1%}" for method, share in satisfied.items())
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", f"strokes met: {told}"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Give every annotator's scribbles to every method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DATA")
    parser.add_argument("--network", default="click")
    parser.add_argument(
        "--method", choices=METHOD_NAMES, nargs="+", default=["none", "f-brs-b", "brs"]
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args(arguments)
    network = open_network(options.network, options.device)
    listed = options.folder / "cases.csv"
    sources = {row["stem"]: row["source"] for row in read_rows(listed)} if listed.is_file() else {}
    annotators = sorted(options.folder.glob("scribbles*"))
    cases = []
    for item in tqdm(open_objects(options.folder, limit=options.limit), disable=None):
        for folder in annotators:
            drawn = read_labels(folder / f"{item.name}.png")
            told = {m: measured(item, drawn, network, m) for m in options.method}
            source = sources.get(item.name, options.folder.name)
            annotator = folder.name.removeprefix("scribbles")
            cases.append(
                {"stem": item.name, "source": source, "annotator": annotator, "methods": told}
            )
    rows = by_source(cases, options.method)
    write_json(options.json, {"network": network.name, "by_source": rows, "cases": cases})
    print(table(rows, cases, options.method))


if __name__ == "__main__":
    main()
