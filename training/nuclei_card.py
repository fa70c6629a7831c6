"""Measure the bundled nuclei network on the test rows and write its model card.

python training/nuclei_card.py DATA CHECKPOINTS
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from loop import checkpoint_of
from nuclei import BATCH, CROP, WIDTHS
from numpy.typing import NDArray
from skimage.io import imread

from napari_guideme import GuideSession, open_network

CARD = """# nuclei

Finds cell nuclei in 2-D microscopy and parts those that touch.

- **Classes**: background, nucleus, border. Border is where two nuclei are within 2 px of each
  other; it belongs to the nuclei, so foreground is nucleus or border.
- **Input**: grey or RGB of any size; the 1st and 99.8th percentile of the image go to 0 and 1,
  sides are mirrored to a multiple of 16. One forward pass; no tiles.
- **Architecture**: U-Net, widths {widths}, {parameters:,} parameters, half precision on disk.
- **Data**: 2018 Data Science Bowl, stage 1 training part with community fixes, CC0 (Caicedo et
  al., Nature Methods 16, 1247, 2019). Trained on the `train` rows of `images.csv`; one field of
  view in nine was kept aside to tune guidance. No tile of a field of view is in two parts.
- **Held out**: the `test` rows, never trained on; the figures below are theirs.
- **Training**: `training/nuclei.py`, seed {seed}, {steps} steps of {batch} crops of {crop} x {crop}
  px, of which 55 % fluorescence, 33 % stained tissue and 12 % bright field; AdamW, exponential
  moving average; {minutes:.0f} minutes on two cores that did other work too.
- **Licence of the weights**: CC0-1.0.

| kind of image | images | foreground IoU | average precision at IoU 0.5 |
|---|---|---|---|
{rows}

Foreground IoU is the mean over images. Average precision is TP / (TP + FP + FN) over the objects of
an image, matched at IoU above 0.5, then the mean over images.

**Use it for** fluorescence. **Correct it on** stained tissue and bright field, of which it saw
few images. Not for diagnosis.
"""


def iou(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union; 1 where both are empty."""
    union = (predicted | truth).sum()
    return float((predicted & truth).sum() / union) if union else 1.0


def average_precision(ids: NDArray[np.integer], truth: NDArray[np.integer]) -> float:
    """TP / (TP + FP + FN) of objects matched at IoU above 0.5.

    Above one half an object has at most one match, so no assignment is needed.
    """
    _, ids = np.unique(ids, return_inverse=True)
    _, truth = np.unique(truth, return_inverse=True)
    shared = np.zeros((ids.max() + 1, truth.max() + 1))
    np.add.at(shared, (ids.ravel(), truth.ravel()), 1)
    union = shared.sum(1, keepdims=True) + shared.sum(0, keepdims=True) - shared
    matched = int((shared / union > 0.5)[1:, 1:].sum())
    count = ids.max() + truth.max() - matched
    return matched / count if count else 1.0


def measure(data: Path) -> dict[str, NDArray[np.float64]]:
    """Foreground IoU and average precision of every test image, (n, 2), by kind."""
    network = open_network("nuclei", "cpu")
    with (data / "images.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    scores: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        pixels = imread(data / "images" / f"{row['stem']}.png")
        truth = imread(data / "labels" / f"{row['stem']}.png").astype(int)
        session = GuideSession(pixels, network, channel_axis=-1 if pixels.ndim == 3 else None)
        found = iou(session.predict() > 0, truth > 0)
        precision = average_precision(session.labels(instances=True), truth)
        scores.setdefault(row["kind"], []).append((found, precision))
    return {kind: np.array(values) for kind, values in scores.items()}


def write(data: Path, checkpoints: Path) -> str:
    """Fill the card in."""
    state = torch.load(
        checkpoint_of(checkpoints / "nuclei.safetensors"), weights_only=True, map_location="cpu"
    )
    rows = [
        f"| {kind} | {len(values)} | {values[:, 0].mean():.3f} | {values[:, 1].mean():.3f} |"
        for kind, values in sorted(measure(data).items())
    ]
    return CARD.format(
        widths=", ".join(map(str, WIDTHS)),
        parameters=sum(p.numel() for k, p in state["network"].items() if "running" not in k),
        seed=state["seed"],
        steps=state["step"],
        batch=BATCH,
        crop=CROP,
        minutes=state["seconds"] / 60,
        rows="\n".join(rows),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoints", type=Path)
    arguments = parser.parse_args()
    bundled = Path(__file__).parents[1] / "src/napari_guideme/networks/bundled"
    card = write(arguments.data, arguments.checkpoints)
    (bundled / "nuclei.md").write_text(card, encoding="utf-8")
    print(card)
