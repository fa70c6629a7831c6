"""Train a U-Net on a folder of labelled images; for evaluation, not to ship.

    python training/labels.py DATA --out FOLDER --hold-out Seq05VD --upright

DATA holds `images`, `labels` (a class in every pixel) and `classes.txt` (lines
`index name`; a name with `ignore` or `void` in it is not learnt), or the classes
are named by `--classes`. Images whose stem starts with `--hold-out` are never
trained on, or only those listed by `--train` are (a CSV file with a column `stem`);
else, one in five is kept aside, by a hash of its stem. Written
are `NAME.safetensors`, `NAME.guideme.toml` and `held_out.csv`, which
`napari-guideme evaluate --only` reads. Started again with the same options, it goes on
where it was stopped.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from balance import rarity
from command import positive, run, told
from crops import random_crop, relit, tinted
from loop import Batches, of_output, save_halved, train, write_stems
from torch import Tensor, nn
from torch.nn import functional as F

from napari_guideme.cli.options.values import count
from napari_guideme.errors import InputError
from napari_guideme.evaluation.names import IGNORED, ClassNames, read_class_list, read_rows
from napari_guideme.evaluation.scores import confusion, mean_iou, pixel_accuracy
from napari_guideme.evaluation.truth import Truth, class_values
from napari_guideme.files import read_image, read_labels
from napari_guideme.networks.card import NetworkCard, sidecar, write_card
from napari_guideme.networks.preparation import Placement, Preparation
from napari_guideme.networks.unet import UNet
from napari_guideme.networks.windows import window_limits

SCALES = (0.6, 1.3)
MOST_JUDGED = 100


@dataclass(frozen=True)
class Pictures:
    """Labelled images of one folder, read when asked for."""

    paths: tuple[Path, ...]
    truth: Truth
    preparation: Preparation

    def read(self, path: Path) -> tuple[Tensor, Tensor, Placement]:
        """Prepared image (3, H, W), classes of its own pixels (h, w), and where these lie."""
        pixels, channel_axis = read_image(path)
        x, placement = self.preparation.prepare(pixels, channel_axis=channel_axis)
        values = read_labels(path.parents[1] / "labels" / f"{path.stem}.png")
        return x[0], torch.from_numpy(self.truth.read(values, path.stem)), placement


def is_held_out(stem: str, prefix: str | None, listed: Path | None) -> bool:
    """Whether an image is never trained on."""
    if listed is not None:
        return stem not in {row["stem"] for row in read_rows(listed)}
    if prefix is not None:
        return stem.startswith(prefix)
    return int(hashlib.sha1(stem.encode()).hexdigest(), 16) % 5 == 0


def parted(options: argparse.Namespace) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return the images that are held out, and those to train on; there are some of both."""
    paths = sorted((options.data / "images").iterdir())
    aside = {p for p in paths if is_held_out(p.stem, options.hold_out, options.train)}
    if not aside or len(aside) == len(paths):
        raise InputError(
            f"{len(aside)} of the {len(paths)} images of {options.data} are held out: some have "
            "to be, and others not; choose them by --hold-out PREFIX or --train CSV"
        )
    return tuple(sorted(aside)), tuple(path for path in paths if path not in aside)


def listed_classes(options: argparse.Namespace) -> dict[int, str]:
    """Return names of the numbers that labels hold."""
    if options.classes:
        return dict(enumerate(options.classes))
    if not (options.data / "classes.txt").exists():
        raise InputError(f"{options.data} has no classes.txt; name the classes by --classes")
    return read_class_list(options.data / "classes.txt")


def batches(pictures: Pictures, crop: int, batch: int, upright: bool, seed: int) -> Batches:
    """Yield random augmented crops of random images."""
    random = np.random.default_rng(seed)
    read = functools.lru_cache(maxsize=256)(pictures.read)
    while True:
        images, classes = [], []
        for index in random.integers(len(pictures.paths), size=batch):
            x, truth, placement = read(pictures.paths[index])
            height, width = placement.resized_shape
            resized = F.interpolate(
                truth[None, None].float(), (height, width), mode="nearest-exact"
            )
            image = x[:, :height, :width]
            cut = random_crop(image, resized[0, 0], crop, SCALES, random, upright=upright)
            images.append(relit(tinted(cut[0], random), random))
            classes.append(cut[1].long())
        yield torch.stack(images), torch.stack(classes)


def class_weights(pictures: Pictures, n_classes: int) -> Tensor:
    """What a pixel of each class counts."""
    counts = torch.zeros(n_classes)
    for path in pictures.paths[::5]:
        _, truth, _ = pictures.read(path)
        counts += torch.bincount(truth[truth != IGNORED], minlength=n_classes)
    return rarity(counts)


@torch.no_grad()
def judge(network: nn.Module, pictures: Pictures, n_classes: int) -> str:
    """Pixel accuracy and mean IoU of all images together."""
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    for path in pictures.paths[:: max(1, len(pictures.paths) // MOST_JUDGED)]:
        x, truth, placement = pictures.read(path)
        logits = pictures.preparation.restore(network(x[None]), placement)
        counts += confusion(truth.numpy(), logits[0].argmax(0).numpy(), n_classes)
    return (
        f"of {len(pictures.paths)} held out: accuracy {pixel_accuracy(counts):.1%}, "
        f"mean IoU {mean_iou(counts):.1%}"
    )


def card_of(
    name: str, classes: tuple[str, ...], options: argparse.Namespace, preparation: Preparation
) -> NetworkCard:
    """Describe the network, as is stored beside its weights."""
    return NetworkCard(
        description=f"Trained on a part of {name}.",
        licence=options.licence,
        classes=classes,
        architecture={
            "name": "unet",
            "in_channels": preparation.channels,
            "n_classes": len(classes),
            "widths": options.widths,
        },
        preparation={k: v for k, v in asdict(preparation).items() if v is not None},
    )


def main(options: argparse.Namespace) -> None:
    """Train on what is not held out, and write the network and the list of the rest."""
    torch.set_num_threads(options.threads)
    listed = listed_classes(options)
    names = ClassNames(tuple(listed.values()))
    classes = tuple(name for name in names.names if names.find(name) != IGNORED)
    window: dict[str, Any] = {"percentiles": (1.0, 99.8)}
    if options.window:
        window = {"value_range": "limits", "limits": window_limits(options.window)}
    preparation = Preparation(
        **window,
        size=tuple(options.size) if options.size else None,
        multiple=2 ** (len(options.widths) - 1),
    )
    truth = class_values(ClassNames(classes), listed)
    held_out, shown = (Pictures(paths, truth, preparation) for paths in parted(options))
    name = options.data.resolve().name
    card = card_of(name, classes, options, preparation)
    counting = class_weights(shown, len(classes))

    def save(network: nn.Module, path: Path) -> None:
        # Beside weights of another run they would be wrong.
        write_card(sidecar(path), card)
        write_stems(path.with_name("held_out.csv"), (path.stem for path in held_out.paths))
        save_halved(network, path)

    train(
        lambda: UNet(3, len(classes), options.widths),
        lambda seed: batches(shown, options.crop, options.batch, options.upright, seed),
        of_output(
            lambda logits, truth: F.cross_entropy(logits, truth, counting, ignore_index=IGNORED)
        ),
        options.out / f"{name}.safetensors",
        options.steps,
        options.seed,
        judge=lambda network: judge(network, held_out, len(classes)),
        save=save,
        made_of={
            **told(options, "window", "size", "widths", "crop", "batch", "upright"),
            "classes": sorted(listed.items()),
            "images to train on (--hold-out, --train)": shown.paths,
        },
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--classes", nargs="+", help="names, the background first")
    parser.add_argument("--hold-out", metavar="PREFIX", help="of the stems, such as a sequence")
    parser.add_argument("--train", type=Path, metavar="CSV", help="the images to train on")
    parser.add_argument("--upright", action="store_true", help="the images have up and down")
    parser.add_argument("--licence", default="not stated", help="of the weights")
    parser.add_argument("--widths", type=positive, nargs="+", default=[16, 32, 64, 128, 192])
    parser.add_argument("--size", type=positive, nargs=2, help="to which images are resized")
    parser.add_argument("--window", help="of Hounsfield units, such as soft-tissue")
    parser.add_argument("--crop", type=positive, default=192, help="side in pixels")
    parser.add_argument("--batch", type=positive, default=8)
    parser.add_argument("--steps", type=positive, default=4000)
    parser.add_argument("--seed", type=count, default=0)
    parser.add_argument("--threads", type=positive, default=1)
    run(lambda: main(parser.parse_args()))
