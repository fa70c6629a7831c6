"""Train the decoder of the class-agnostic network, which follows maps of saliency.

    python training/attention.py --objects OBJECTS --out CHECKPOINTS

OBJECTS is the folder `objects_coco128`. The encoder is EfficientNet-Lite0's and stays as
it is, so its activations are computed once for each view of a photograph. Photographs
with anything of the classes `--without` are not trained on. Started again with the same
folder and `--steps`, it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from command import positive, run
from loop import Batches, train
from numpy.typing import NDArray
from skimage.io import imread
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from napari_guideme.cli.options.values import count
from napari_guideme.errors import InputError
from napari_guideme.localize.attention import PREPARATION, SIDE
from napari_guideme.localize.known_labels import KnownLabels
from napari_guideme.localize.proxies import StandIns, stand_ins
from napari_guideme.networks.attention_net import Decoder
from napari_guideme.networks.lite0 import Lite0Classifier, imagenet_weights

#: What a network is told of where things are; the names are those of table 3.
MAPS = ("none", "random", "proxies", "proxies+random", "proxies+distractors")
MOST, LABELS = 5, 1000
BATCH = 12
CROPS = 6
#: Of a view: smaller things cannot be drawn on the decoder's grid, larger ones are all there is.
LEAST, GREATEST = 0.005, 0.97
DRAWN = SIDE // 8

Random = np.random.Generator


@dataclass(frozen=True)
class View:
    """A photograph or a part of it, as the classifier sees it.

    Attributes
    ----------
    stem
        Of the photograph.
    within
        All classes in the photograph.
    activations
        Of stride 8, 16 and 32, (C, h, w).
    wide
        Of the last rectifier, (1280, h, w).
    masks
        Share of each cell that a class covers, (48, 48).
    stand_ins
        Labels that stand in for a class, and those that distract from it; classes
        that no label stands in for are not told.
    """

    stem: str
    within: frozenset[str]
    activations: tuple[Tensor, ...]
    wide: Tensor
    masks: dict[str, Tensor]
    stand_ins: dict[str, StandIns]


class Eye:
    """The classifier, taken apart."""

    def __init__(self) -> None:
        self.net = Lite0Classifier().eval().requires_grad_(False)
        self.net.load_state_dict(imagenet_weights())

    def see(self, image: NDArray[np.uint8]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return the activations that the decoder reads, and those of the last rectifier."""
        net, x = self.net, PREPARATION.prepare(image, channel_axis=-1)[0]
        found = net.encoder(x)[2:]
        return tuple(a[0].half() for a in found), self._wide(found[-1])[0].half()

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities at the size that the classifier was trained for."""
        x = F.interpolate(PREPARATION.prepare(image, channel_axis=-1)[0], (224, 224), mode="area")
        return self.net(x)[0].softmax(0).numpy()

    def map_of(self, wide: Tensor, labels: Sequence[int]) -> Tensor:
        """Mean Grad-CAM of some labels, each from 0 to 1; nothing without labels.

        The classifier ends with a mean and a linear layer, so the gradient of a
        label is the row of its weights.
        """
        if not labels:
            return torch.zeros(wide.shape[1:])
        rows = self.net.classify.weight[list(labels)]
        cams = torch.einsum("kc,chw->khw", rows, wide.float()).clamp(min=0)
        low, high = (bound(cams, (1, 2), True) for bound in (torch.amin, torch.amax))
        return ((cams - low) / (high - low + 1e-6)).mean(0)

    def _wide(self, x: Tensor) -> Tensor:
        return self.net.rectify(self.net.norm(self.net.widen(x)))


@torch.no_grad()
def views(folder: Path, eye: Eye, random: Random, crops: int = CROPS) -> Iterator[View]:
    """Look at every photograph: whole, mirrored, and at parts of it."""
    known = KnownLabels.imagenet()
    for path in tqdm(sorted((folder / "images").iterdir()), desc="looking", mininterval=10):
        image, masks = read(folder, path)
        for part in _parts(image.shape[:2], random, crops):
            shown = part(image).copy()
            seen = {name: part(mask) for name, mask in masks.items()}
            drawn = {n: _on_grid(m) for n, m in seen.items() if LEAST < m.mean() < GREATEST}
            likely = eye.probabilities(shown)
            yield View(
                path.stem,
                frozenset(masks),
                *eye.see(shown),
                drawn,
                {name: found for name in drawn if (found := _stand_ins(name, known, likely))},
            )


def read(folder: Path, path: Path) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.bool_]]]:
    """Read a photograph (H, W, 3) and the mask of each class in it, (H, W)."""
    image = imread(path)
    image = np.stack([image] * 3, -1) if image.ndim == 2 else image[..., :3]
    ids = imread(folder / "masks" / f"{path.stem}.png")
    told = json.loads((folder / "instances" / f"{path.stem}.json").read_text())["instances"]
    names = {int(id): entry["name"] for id, entry in told.items()}
    own = {name: [id for id in names if names[id] == name] for name in names.values()}
    return image, {name: np.isin(ids, chosen) for name, chosen in own.items()}


def _parts(shape: Sequence[int], random: Random, crops: int) -> Iterator[Callable]:
    """Ways to cut and mirror an array (rows, columns, ...)."""
    yield lambda a: a
    yield lambda a: a[:, ::-1]
    for _ in range(crops):
        share, stretch = random.uniform(0.5, 0.95), np.exp(random.uniform(-0.2, 0.2))
        size = [
            min(n, int(n * share * s)) for n, s in zip(shape, (stretch, 1 / stretch), strict=True)
        ]
        start = [int(random.integers(n - s + 1)) for n, s in zip(shape, size, strict=True)]
        step = int(random.choice((-1, 1)))
        rows, columns = (slice(a, a + n) for a, n in zip(start, size, strict=True))
        yield lambda a, r=rows, c=columns, s=step: a[r, c][:, ::s]


def _on_grid(mask: NDArray[np.bool_]) -> Tensor:
    whole = torch.from_numpy(mask.astype(np.float32))[None, None]
    return F.interpolate(whole, (DRAWN, DRAWN), mode="area")[0, 0].half()


def _stand_ins(name: str, known: KnownLabels, likely: NDArray[np.float32]) -> StandIns | None:
    try:
        return stand_ins(name, known, likely, most=MOST)
    except InputError:
        return None


def told(found: StandIns, maps: str, random: Random) -> StandIns:
    """Choose the labels behind the maps that a network is told."""
    some = tuple(random.choice(LABELS, MOST, replace=False).tolist())
    return {
        "none": StandIns((), ()),
        "random": StandIns(some, ()),
        "proxies": StandIns(found.positive, ()),
        "proxies+random": StandIns(found.positive, some),
        "proxies+distractors": found,
    }[maps]


@dataclass(frozen=True)
class Lessons:
    """Views and names to learn from, drawn so that no name counts too much.

    Parameters
    ----------
    views
        All there are.
    without
        Names of classes; photographs with anything of them are left out.
    maps
        One of :data:`MAPS`.
    eye
        The classifier.
    """

    views: Sequence[View]
    without: frozenset[str]
    maps: str
    eye: Eye

    def batches(self, seed: int) -> Batches:
        """Yield activations, maps and truths without end."""
        random = np.random.default_rng(seed)
        by_name: dict[str, list[View]] = {}
        for view in self.views:
            for name in () if view.within & self.without else view.stand_ins:
                by_name.setdefault(name, []).append(view)
        names = sorted(by_name)
        shares = np.sqrt([min(len(by_name[name]), 40) for name in names])
        while True:
            drawn = random.choice(names, BATCH, p=shares / shares.sum())
            yield self._batch(
                [(n, by_name[n][random.integers(len(by_name[n]))]) for n in drawn], random
            )

    def _batch(self, drawn: Sequence[tuple[str, View]], random: Random) -> tuple[object, ...]:
        maps = []
        for name, view in drawn:
            labels = told(view.stand_ins[name], self.maps, random)
            own = (self.eye.map_of(view.wide, side) for side in (labels.positive, labels.negative))
            maps.append(torch.stack(list(own)))
        seen = zip(*(view.activations for _, view in drawn), strict=True)
        activations = [torch.stack(level).float() for level in seen]
        truth = torch.stack([view.masks[name][None].float() for name, view in drawn])
        return activations, at_input(torch.stack(maps)), truth


def at_input(maps: Tensor) -> Tensor:
    """Resize maps (N, 2, h, w) to the input of the network."""
    return F.interpolate(maps, (SIDE, SIDE), mode="bilinear")


def loss(decoder: nn.Module, activations: Sequence[Tensor], maps: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy and Dice loss."""
    logits = decoder(activations, maps)
    entropy = F.binary_cross_entropy_with_logits(logits, truth)
    found = logits.sigmoid()
    both, either = (a.sum((1, 2, 3)) for a in (found * truth, found + truth))
    return entropy + (1 - (2 * both + 1) / (either + 1)).mean()


def learn(lessons: Lessons, weights: Path, steps: int, seed: int, rate: float = 2e-3) -> None:
    """Train a decoder and write its weights."""
    aside = lessons.batches(10_000 + seed)

    @torch.no_grad()
    def judge(decoder: nn.Module) -> str:
        return f"loss {np.mean([float(loss(decoder, *next(aside))) for _ in range(5)]):.3f}"

    train(
        Decoder,
        lessons.batches,
        loss,
        weights,
        steps,
        seed,
        judge,
        rate=rate,
        made_of={
            "--maps": lessons.maps,
            "--without": sorted(lessons.without),
            "images": [view.stem for view in lessons.views],
        },
    )


def looked(folder: Path, cache: Path | None, eye: Eye) -> list[View]:
    """Look at all photographs, or read what was seen before."""
    if cache is not None and cache.exists():
        return [_unpacked(entries) for entries in torch.load(cache, weights_only=True, mmap=True)]
    seen = list(views(folder, eye, np.random.default_rng(0)))
    if cache is not None:
        torch.save([_packed(view) for view in seen], cache)
    return seen


def _packed(view: View) -> dict[str, Any]:
    stand_ins = {name: astuple(labels) for name, labels in view.stand_ins.items()}
    return vars(view) | {"within": sorted(view.within), "stand_ins": stand_ins}


def _unpacked(entries: dict[str, Any]) -> View:
    stand_ins = {name: StandIns(*labels) for name, labels in entries["stand_ins"].items()}
    return View(**entries | {"within": frozenset(entries["within"]), "stand_ins": stand_ins})


def main(a: argparse.Namespace) -> None:
    """Train on all classes but those kept out."""
    eye = Eye()
    seen = looked(a.objects, a.cache, eye)
    lessons = Lessons(seen, frozenset(a.without), a.maps, eye)
    a.out.mkdir(parents=True, exist_ok=True)
    learn(lessons, a.out / "attention.safetensors", a.steps, a.seed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/attention"))
    parser.add_argument("--cache", type=Path, help="file for what was seen of the photographs")
    parser.add_argument("--maps", choices=MAPS, default=MAPS[-1])
    parser.add_argument("--without", nargs="*", default=[], metavar="CLASS")
    parser.add_argument("--steps", type=positive, default=600)
    parser.add_argument("--seed", type=count, default=0)
    run(lambda: main(parser.parse_args()))
