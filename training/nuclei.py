"""Train the bundled nuclei network.

    python training/nuclei.py DATA --out CHECKPOINTS

DATA is the folder `nuclei_dsb2018` (`images`, `labels`, `images.csv`). Rows of
the split `test` are never read. Of the `train` rows, one field in nine is kept
aside as validation (`--list` writes which). Started again with the same folder
and `--steps`, it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from command import positive, run
from crops import random_crop, relit, tinted
from loop import Batches, of_output, train, write_stems
from skimage.io import imread
from torch import Tensor, nn
from torch.nn import functional as F

from napari_guideme.cli.options.values import count
from napari_guideme.errors import InputError
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.unet import UNet

WIDTHS = (16, 32, 64, 128, 192)
PREPARATION = Preparation(
    channels=3, value_range="percentile", percentiles=(1.0, 99.8), multiple=16
)
SHARES = {"fluorescence": 0.55, "histology-purple": 0.33, "grayscale-bright": 0.12}
CLASS_WEIGHTS = torch.tensor([1.0, 1.0, 3.0])
BACKGROUND, NUCLEUS, BORDER = range(3)
CROP = 192
SCALES = (0.6, 1.7)
BATCH = 8


@dataclass
class Example:
    """One prepared image (3, H, W) with its instance ids (H, W)."""

    kind: str
    image: Tensor
    ids: Tensor


def is_validation(field: str) -> bool:
    """Whether a field of view of the train rows is kept aside."""
    return int(hashlib.sha1(field.encode()).hexdigest(), 16) % 9 == 3


def rows_of(data: Path, validation: bool) -> list[dict[str, str]]:
    """Train rows of the table, or the part of them that is kept aside."""
    with (data / "images.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    return [row for row in rows if is_validation(row["field"]) == validation]


def load(data: Path, validation: bool) -> list[Example]:
    """Read the train rows, or the part of them that is kept aside."""
    examples = []
    for row in rows_of(data, validation):
        pixels = imread(data / "images" / f"{row['stem']}.png")
        axis = -1 if pixels.ndim == 3 else None
        x, placement = PREPARATION.prepare(pixels, channel_axis=axis)
        height, width = placement.image_shape
        ids = imread(data / "labels" / f"{row['stem']}.png").astype(np.float32)
        examples.append(Example(row["kind"], x[0, :, :height, :width], torch.from_numpy(ids)))
    return examples


def targets(ids: Tensor) -> Tensor:
    """Classes of instance ids (N, H, W): border where two nuclei are within 2 px."""
    nucleus = ids > 0
    largest = F.max_pool2d(ids[:, None], 5, 1, 2)[:, 0]
    smallest = -F.max_pool2d(-ids.masked_fill(~nucleus, torch.inf)[:, None], 5, 1, 2)[:, 0]
    classes = torch.where(nucleus, NUCLEUS, BACKGROUND)
    classes[nucleus & (largest != smallest)] = BORDER
    return classes


def batches(examples: list[Example], seed: int) -> Batches:
    """Yield random augmented crops, each kind of image in its share."""
    by_kind = {kind: [e for e in examples if e.kind == kind] for kind in SHARES}
    random = np.random.default_rng(seed)
    while True:
        kinds = random.choice(list(SHARES), BATCH, p=list(SHARES.values()))
        crops = [crop_of(by_kind[kind], random) for kind in kinds]
        yield (
            torch.stack([image for image, _ in crops]),
            targets(torch.stack([ids for _, ids in crops])),
        )


def crop_of(examples: list[Example], random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Cut an augmented crop and its ids out of one of some images."""
    example = examples[random.integers(len(examples))]
    image, ids = random_crop(example.image, example.ids, CROP, SCALES, random)
    if example.kind == "histology-purple":
        image = tinted(image, random)
    return relit(image, random), ids


def loss(logits: Tensor, classes: Tensor) -> Tensor:
    """Weighted cross-entropy plus the Dice loss of the foreground."""
    cross_entropy = F.cross_entropy(logits, classes, CLASS_WEIGHTS)
    foreground = 1 - logits.softmax(1)[:, BACKGROUND]
    truth = (classes != BACKGROUND).float()
    dice = 2 * (foreground * truth).sum() / (foreground.sum() + truth.sum() + 1)
    return cross_entropy + 1 - dice


@torch.no_grad()
def validate(network: nn.Module, examples: list[Example]) -> dict[str, float]:
    """Mean foreground IoU per kind of image."""
    scores: dict[str, list[float]] = {}
    for example in examples:
        x, placement = PREPARATION_OF_PREPARED.prepare(example.image.numpy(), channel_axis=0)
        logits = PREPARATION_OF_PREPARED.restore(network(x), placement)
        predicted, truth = logits[0].argmax(0) != BACKGROUND, example.ids > 0
        union = (predicted | truth).sum().item()
        iou = (predicted & truth).sum().item() / union if union else 1.0
        scores.setdefault(example.kind, []).append(iou)
    return {kind: float(np.mean(values)) for kind, values in scores.items()}


#: Examples are held prepared: only their size remains to be padded.
PREPARATION_OF_PREPARED = Preparation(channels=3, value_range="none", multiple=PREPARATION.multiple)


def main(data: Path, out: Path, steps: int, seed: int) -> None:
    """Train, judging the network by the images that are kept aside."""
    held_out, examples = load(data, validation=True), load(data, validation=False)
    if missing := [kind for kind in SHARES if kind not in {e.kind for e in examples}]:
        raise InputError(f"{data} has no image of the kind {', '.join(missing)} to train on")
    if not held_out:
        raise InputError(f"{data} has no field that is kept aside to judge by")
    train(
        lambda: UNet(3, len(CLASS_WEIGHTS), WIDTHS),
        lambda seed: batches(examples, seed),
        of_output(loss),
        out / "nuclei.safetensors",
        steps,
        seed,
        judge=lambda network: f"validation IoU {validate(network, held_out)}",
        made_of={"images": [row["stem"] for row in rows_of(data, validation=False)]},
    )


def command() -> None:
    """Train, or only list what is kept aside."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/nuclei"))
    parser.add_argument("--steps", type=positive, default=4000)
    parser.add_argument("--seed", type=count, default=0)
    parser.add_argument("--list", type=Path, help="only write which images are kept aside, as CSV")
    arguments = parser.parse_args()
    if arguments.list:
        write_stems(arguments.list, (row["stem"] for row in rows_of(arguments.data, True)))
    else:
        main(arguments.data, arguments.out, arguments.steps, arguments.seed)


if __name__ == "__main__":
    run(command)
