"""Where is the thing that is named? Maps of a classifier alone, outlined in three ways.

    python benchmarks/localisation.py OBJECTS --out DIR [--classifier NAME|PATH] [--part I/N]

OBJECTS is laid out as `objects_coco128`. Every map is made once and outlined in all ways.
Results go to DIR, an image at a time, and a run goes on where an earlier one was stopped;
parts of the images can be run beside each other. The table is printed at the end.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.finding import NamedDataset, compared, open_named
from napari_guideme.evaluation.finding_results import Figures, Sought
from napari_guideme.files import write_json
from napari_guideme.localize import OUTLINE_NAMES, SALIENCY_NAMES
from napari_guideme.localize.finding import chosen_stand_ins, find, outlined
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER
from napari_guideme.networks.classifier import FrozenClassifier, open_classifier

#: A table is printed for things of so much of the image, at least.
SHARES = (0, 0.01, 0.05)


def sought(
    item: Item,
    data: NamedDataset,
    classifier: FrozenClassifier,
    methods: Sequence[str],
    views: int | None,
) -> Iterator[dict]:
    """Seek all that an image shows, by every method, outlined in every way."""
    present = data.present(item)
    for one in present:
        try:
            labels = chosen_stand_ins(one.name, classifier, item.image, item.channel_axis)
        except InputError:
            continue  # Nothing stands in for it.
        for method in methods:
            found = find(
                one.name,
                item.image,
                classifier,
                labels,
                method=method,
                channel_axis=item.channel_axis,
                views=views,
                outline="threshold",
            )
            for how in OUTLINE_NAMES:
                own = outlined(found, item.image, how, item.channel_axis, str(classifier.device))
                yield {
                    "method": method,
                    "outline": how,
                    "share": float(one.mask.mean()),
                    "sought": asdict(compared(item.name, one, own, len(present) > 1)),
                }


def table(rows: Sequence[dict], methods: Sequence[str]) -> str:
    """Errors of all images and of those with several classes, and what a method saves of them."""
    lines = ["method, mask: pointing error (saved of the gradient's), box error (saved)"]
    for several in (False, True):
        lines.append("several classes" if several else "all images")
        base: dict[str, Figures] = {}
        for method in methods:
            for outline in OUTLINE_NAMES:
                own = [
                    Sought(**r["sought"])
                    for r in rows
                    if (r["method"], r["outline"]) == (method, outline)
                ]
                figures = Figures.of([one for one in own if one.several or not several])
                first = base.setdefault(outline, figures)
                cells = [
                    f"{100 * error:5.1f} % ({100 * (1 - error / known):+4.0f} %)"
                    for error, known in (
                        (figures.pointing_error, first.pointing_error),
                        (figures.box_error, first.box_error),
                    )
                    if error is not None and known
                ]
                told = f"mean IoU {100 * (figures.miou or 0):4.1f}, {figures.n_sought} sought"
                lines.append(f"  {method:14} {outline:9} {'  '.join(cells)}  {told}")
    return "\n".join(lines)


def main(a: argparse.Namespace) -> None:
    """Seek in all images of a part; print the table of what is there."""
    part, parts = (int(number) for number in a.part.split("/"))
    data = open_named(a.objects, least_pixels=a.least_pixels)
    a.out.mkdir(parents=True, exist_ok=True)
    classifier = open_classifier(a.classifier, a.device)
    for number, item in enumerate(tqdm(data.items, mininterval=10)):
        path = a.out / f"{item.name}.json"
        if number % parts == part - 1 and not path.exists():
            write_json(path, {"rows": list(sought(item, data, classifier, a.methods, a.views))})
    rows = [row for path in sorted(a.out.iterdir()) for row in json.loads(path.read_text())["rows"]]
    for least in SHARES:
        print(f"\nThings of at least {least:.0%} of the image")
        print(table([row for row in rows if row["share"] >= least], a.methods))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("objects", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--classifier", default=DEFAULT_CLASSIFIER)
    parser.add_argument("--methods", nargs="+", choices=SALIENCY_NAMES, default=[*SALIENCY_NAMES])
    parser.add_argument("--views", type=int, help="of the image (default: all)")
    parser.add_argument("--least-pixels", type=int, default=100)
    parser.add_argument("--part", default="1/1", metavar="I/N")
    parser.add_argument("--device", default="auto")
    main(parser.parse_args())
