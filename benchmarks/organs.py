"""Clicks that organs take: every object of the middle slice of medical volumes, from nothing.

    python benchmarks/organs.py FOLDER... [--window 40,400] [--method f-brs-b] --json OUT

A folder has `image` and `labels` as NIfTI files, the labels numbered. `--window` brings
Hounsfield units to 256 greys.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from napari_guideme import open_network
from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.noc import evaluate_objects
from napari_guideme.files import open_image, read_labels, write_json
from napari_guideme.guidance import CLICK_METHODS


def slices(folders: Sequence[Path], window: Sequence[float] | None) -> Iterator[Item]:
    """Yield the middle slice of each volume."""
    for folder in folders:
        image = np.asarray(open_image(folder / "image.nii.gz").pixels)
        truth = read_labels(folder / "labels.nii.gz")
        middle = len(image) // 2
        shown = image[middle]
        if window is not None:
            centre, width = window
            shown = (np.clip((shown - centre) / width + 0.5, 0, 1) * 255).astype(np.uint8)
        ids = truth[middle].astype(int)
        yield Item(folder.name, shown, None, ids, np.array([0, 1]))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--window", type=lambda text: tuple(map(float, text.split(","))))
    parser.add_argument("--method", choices=CLICK_METHODS, default="f-brs-b")
    parser.add_argument("--least-pixels", type=int, default=50)
    parser.add_argument("--json", type=Path, required=True)
    asked = parser.parse_args()
    result = evaluate_objects(
        tqdm(list(slices(asked.folders, asked.window))),
        open_network("click"),
        asked.method,
        least_pixels=asked.least_pixels,
    )
    print(result)
    write_json(asked.json, result.to_json())


if __name__ == "__main__":
    main()
