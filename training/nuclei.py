"""Train the bundled nuclei network.

    python training/nuclei.py DATA --out CHECKPOINTS

DATA is the folder `nuclei_dsb2018` (`images`, `labels`, `images.csv`). Rows of
the split `test` are never read. Of the `train` rows, one field in nine is kept
aside as validation. Started again with the same folder, it goes on where it was
stopped; `--steps` then names the total.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from skimage.io import imread
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

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


def load(data: Path, validation: bool) -> list[Example]:
    """Read the train rows, or the part of them that is kept aside."""
    with (data / "images.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    examples = []
    for row in rows:
        if is_validation(row["field"]) != validation:
            continue
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


class Sampler:
    """Random augmented crops, each kind of image in its share."""

    def __init__(self, examples: list[Example], seed: int) -> None:
        self.by_kind = {k: [e for e in examples if e.kind == k] for k in SHARES}
        self.random = np.random.default_rng(seed)

    def batch(self) -> tuple[Tensor, Tensor]:
        """Return images (N, 3, CROP, CROP) and classes (N, CROP, CROP)."""
        kinds = self.random.choice(list(SHARES), BATCH, p=list(SHARES.values()))
        crops = [self._crop(kind) for kind in kinds]
        images = torch.stack([image for image, _ in crops])
        return images, targets(torch.stack([ids for _, ids in crops]))

    def _crop(self, kind: str) -> tuple[Tensor, Tensor]:
        r = self.random
        example = self.by_kind[kind][r.integers(len(self.by_kind[kind]))]
        side = int(CROP / r.uniform(0.6, 1.7))
        image, ids = example.image.numpy(), example.ids.numpy()
        missing = [max(0, side - n) for n in ids.shape]
        image = np.pad(image, [(0, 0), *((0, m) for m in missing)], mode="symmetric")
        ids = np.pad(ids, [(0, m) for m in missing], mode="symmetric")
        top, left = (r.integers(n - side + 1) for n in ids.shape)
        window = (slice(top, top + side), slice(left, left + side))
        crop = torch.from_numpy(image[:, *window].copy())[None]
        crop = F.interpolate(crop, (CROP, CROP), mode="bilinear", align_corners=False)
        cropped_ids = torch.from_numpy(ids[window].copy())[None, None]
        cropped_ids = F.interpolate(cropped_ids, (CROP, CROP), mode="nearest-exact")
        turns, flip = int(r.integers(4)), bool(r.integers(2))
        crop, cropped_ids = (torch.rot90(t, turns, (2, 3)) for t in (crop, cropped_ids))
        if flip:
            crop, cropped_ids = crop.flip(3), cropped_ids.flip(3)
        return self._recoloured(crop[0], kind), cropped_ids[0, 0]

    def _recoloured(self, image: Tensor, kind: str) -> Tensor:
        r = self.random
        if kind == "histology-purple":
            hue = torch.tensor(r.uniform(0.85, 1.15, (3, 1, 1)), dtype=torch.float32)
            image = 1 - (1 - image) * hue
        image = image.clamp(0, 1) ** float(np.exp(r.uniform(-0.5, 0.5)))
        image = image * r.uniform(0.75, 1.2) + r.uniform(-0.1, 0.1)
        if r.random() < 0.2:
            image = F.avg_pool2d(image[None], 3, 1, 1)[0]
        if r.random() < 0.3:
            noise = r.normal(0, r.uniform(0, 0.06), image.shape)
            image = image + torch.tensor(noise, dtype=torch.float32)
        return image.clamp(0, 1)


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
    network.eval()
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


def train(data: Path, out: Path, steps: int, seed: int) -> None:
    """Train, saving a checkpoint every 200 steps and the weights at the end."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    network = UNet(3, 3, WIDTHS).to(memory_format=torch.channels_last)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.998), use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    parts = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    checkpoint, done, spent = out / "checkpoint.pt", 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        done, spent = state["step"], state["seconds"]
        for name, part in parts.items():
            part.load_state_dict(state[name])
    held_out, sampler = (
        load(data, validation=True),
        Sampler(load(data, validation=False), seed + done),
    )
    start = time.perf_counter() - spent
    for step in tqdm(range(done + 1, steps + 1), initial=done, total=steps, mininterval=10):
        network.train()
        images, classes = sampler.batch()
        optimiser.zero_grad()
        loss(network(images.to(memory_format=torch.channels_last)), classes).backward()
        optimiser.step()
        schedule.step()
        average.update_parameters(network)
        if step % 200 == 0 or step == steps:
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"step": step, "seed": seed, "seconds": time.perf_counter() - start}
            torch.save(state, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
            save(average.module, out / "nuclei.safetensors")
            if step % 1000 == 0 or step == steps:
                tqdm.write(f"step {step}: validation IoU {validate(average.module, held_out)}")


def save(network: nn.Module, path: Path) -> None:
    """Write the weights in half precision."""
    weights = {
        name: value.half().contiguous() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    save_file(weights, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/nuclei"))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    train(arguments.data, arguments.out, arguments.steps, arguments.seed)
