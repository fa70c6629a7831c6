"""Outlines of organs that are carried through a volume: how much of each object they cover.

    python benchmarks/outlines.py FOLDER... [--window 40,400] [--clicks 10] --json OUT

A folder has `image` and `labels` as NIfTI files, the labels numbered. Every object of 50 pixels or
more in the middle slice is outlined there: by the truth, or by the network `click` after so many
clicks. `--every N` outlines it on every N-th slice on both sides, too, by the truth. Printed is
the mean IoU of whole objects, in three dimensions.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from tqdm import tqdm

from napari_guideme import Click, ObjectSession, carry_outlines, open_network
from napari_guideme.evaluation.user import object_click
from napari_guideme.files import open_image, read_labels, write_json

Mask = NDArray[np.bool_]
LEAST = 50


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--window", type=lambda text: tuple(map(float, text.split(","))))
    parser.add_argument("--clicks", type=int)
    parser.add_argument("--every", type=int)
    parser.add_argument("--json", type=Path, required=True)
    asked = parser.parse_args()
    rows = [
        {"volume": folder.name, "label": label, **scores}
        for folder in asked.folders
        for label, scores in measured(folder, asked.window, asked.clicks, asked.every)
    ]
    means = {
        name: float(np.mean([row[name] for row in rows]))
        for name in rows[0]
        if name not in ("volume", "label")
    }
    print(f"{len(rows)} objects", ", ".join(f"{name} {mean:.3f}" for name, mean in means.items()))
    write_json(asked.json, {"objects": len(rows), "means": means, "rows": rows})


def measured(
    folder: Path, window: Sequence[float] | None, clicks: int | None, every: int | None
) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield the IoU of each object of a volume, by how it was carried."""
    image = np.asarray(open_image(folder / "image.nii.gz").pixels)
    labels = read_labels(folder / "labels.nii.gz").astype(int)
    if window is not None:
        centre, width = window
        image = np.clip((image - centre) / width + 0.5, 0, 1)
    middle = len(image) // 2
    numbers, sizes = np.unique(labels[middle], return_counts=True)
    large = [n for n, size in zip(numbers, sizes, strict=True) if n and size >= LEAST]
    for number in tqdm(large, desc=folder.name):
        truth: Mask = labels == number
        slices = [middle] if every is None else range(middle % every, len(image), every)
        outlines = {i: truth[i] for i in slices if truth[i].sum() >= (LEAST if every else 1)}
        if clicks is not None:
            outlines = {middle: clicked(image[middle], truth[middle], clicks)}
        if all(outline.any() for outline in outlines.values()):
            yield int(number), scores(image, truth, outlines)


def scores(image: NDArray[Any], truth: Mask, outlines: Mapping[int, Mask]) -> dict[str, float]:
    """IoU of an object: as it was outlined, and by each way to carry that on."""
    alone = np.zeros_like(truth)
    for index, outline in outlines.items():
        alone[index] = outline
    found = {
        "outlined only": alone,
        "as they are, where it is": interpolated(alone, truth),
        "carried": carried(image, alone, outlines, check=True),
        "without the check": carried(image, alone, outlines, check=False),
    }
    return {name: iou(mask, truth) for name, mask in found.items()}


def carried(image: NDArray[Any], alone: Mask, outlines: Mapping[int, Mask], *, check: bool) -> Mask:
    """Carry outlines on as they move."""
    labels = alone.copy()
    for step in carry_outlines(image, outlines, check=check):
        labels[step.index] = step.mask
    return labels


def interpolated(alone: Mask, truth: Mask) -> Mask:
    """Keep outlines as they are on all slices that hold the object, in between their mean shape."""
    sources = np.flatnonzero(alone.any((1, 2)))
    labels = alone.copy()
    for index in np.flatnonzero(truth.any((1, 2))):
        below, above = sources[sources <= index], sources[sources >= index]
        ends = [side for side in (below[-1:], above[:1]) if len(side)]
        shares = [1.0] if len(ends) == 1 else [ends[1][0] - index, index - ends[0][0]]
        if sum(shares):
            depth = sum(
                share * depths(alone[end[0]]) for share, end in zip(shares, ends, strict=True)
            )
            labels[index] = depth > 0
    return labels


def depths(mask: Mask) -> NDArray[np.float64]:
    """How deep pixels lie in a mask, below 0 outside."""
    inside: NDArray[np.float64] = ndimage.distance_transform_edt(mask)
    return inside - ndimage.distance_transform_edt(~mask)


def clicked(image: NDArray[Any], truth: Mask, clicks: int) -> Mask:
    """Outline an object by clicks on its largest errors."""
    session = ObjectSession(image, open_network("click"))
    for _ in range(clicks):
        answer = object_click(session.labels(), truth.astype(np.int8))
        if answer is None:
            break
        position, index = answer
        session.add(Click(position, session.network.classes[index]))
        for _ in session.refine():
            pass
    return session.labels() > 0


def iou(mask: Mask, truth: Mask) -> float:
    """Intersection over union."""
    return float((mask & truth).sum() / (mask | truth).sum())


if __name__ == "__main__":
    main()
