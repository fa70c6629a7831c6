"""Train See-through-Text: sentences that refer to one of several objects.

    python training/see_through_text.py DATA --out WEIGHTS

DATA is a folder with `images` and ids of objects, as `napari-guideme evaluate --instances`
reads it, and `expressions.jsonl`, which has one line of JSON for each expression: `image` (its
stem), `object` (its id), `sentence`; those of people can stand beside those of a program, see
`referred_scenes.py`. There may be several folders. Sentences about one image are learned
together: what is seen is the same, only what is said tells them apart. The encoder is
EfficientNet-Lite0's and stays as it is, so its activations are computed once for each image
and its mirror image, in which left and right are exchanged in sentences, too. One image in
ten, by name, is kept aside and listed beside the weights; shown is how well its objects are found.
Started again with the same options, it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from command import positive, run
from loop import Batches, train, write_stems
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from napari_guideme.cli.options.values import count
from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Item, open_objects
from napari_guideme.language.text_guide import word_vectors
from napari_guideme.networks.devices import choose_device
from napari_guideme.referring.design import OURS, Comparing, Design, Refining
from napari_guideme.referring.equations import cross_entropy, upsampled
from napari_guideme.referring.expression_files import read_expressions
from napari_guideme.referring.expressions import Expression
from napari_guideme.referring.opening import imagenet_encoder, load, preparation, save
from napari_guideme.referring.reader import words_of
from napari_guideme.referring.see_through_text import SeeThroughText, pooled

#: One image in so many is kept aside.
ASIDE = 10
MOST_JUDGED = 200
#: The truth has so many pixels along each side of a cell, which makes coarse grids fast.
_FINER = 8

_SIDES = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class View:
    """An image or its mirror image, as the encoder sees it.

    Attributes
    ----------
    stem
        Of the image.
    levels
        Five activations (C, h, w), none finer than the grid.
    ids
        Of the objects, (side, side).
    said
        Sentences that refer to an object.
    """

    stem: str
    levels: tuple[Tensor, ...]
    ids: NDArray[np.uint16]
    said: dict[int, list[str]]


def mirrored(sentence: str) -> str:
    """Exchange left and right."""
    return re.sub(
        r"\b(left|right)(?=most\b|\b)", lambda found: _SIDES[found[1].lower()], sentence, flags=re.I
    )


@torch.no_grad()
def views(
    items: Iterable[Item],
    said: Mapping[str, Sequence[Expression]],
    design: Design,
    device: torch.device,
) -> Iterator[View]:
    """Look at every image of which something is said, and at its mirror image."""
    encoder = imagenet_encoder().to(device)
    for item in items:
        own: dict[int, list[str]] = {}
        for one in said.get(item.name, ()):
            own.setdefault(one.object_id, []).append(one.sentence)
        if missing := set(own) - set(np.unique(item.truth).tolist()):
            raise InputError(f"{item.name} has no object {min(missing)}")
        if not own:
            continue
        x, _ = preparation(design).prepare(item.image, channel_axis=item.channel_axis)
        ids = F.interpolate(
            torch.from_numpy(item.truth.astype(np.float32))[None, None],
            (design.side, design.side),
            mode="nearest-exact",
        )[0, 0]
        shown = set(ids.unique().int().tolist())
        own = {thing: sentences for thing, sentences in own.items() if thing in shown}
        other = {thing: [mirrored(one) for one in sentences] for thing, sentences in own.items()}
        for axes, told in (((), own), ((-1,), other)):
            levels = pooled(encoder(x.flip(axes).to(device)), design)
            seen = tuple(level[0].half().cpu() for level in levels)
            yield View(item.name, seen, ids.flip(axes).numpy().astype(np.uint16), told)


@dataclass(frozen=True)
class Lessons:
    """Views and sentences to learn from.

    Parameters
    ----------
    views
        All there are.
    batch
        Images in a step.
    each
        Sentences about each of them, of different objects as far as there are any.
    design
        Of the network.
    device
        Where it is learned.
    """

    views: Sequence[View]
    batch: int
    each: int
    design: Design
    device: torch.device

    def batches(self, seed: int) -> Batches:
        """Yield levels, sentences and truths without end."""
        random = np.random.default_rng(seed)
        while True:
            chosen = random.choice(len(self.views), self.batch, len(self.views) < self.batch)
            yield self.of([(self.views[i], self._drawn(self.views[i], random)) for i in chosen])

    def _drawn(self, view: View, random: np.random.Generator) -> list[tuple[int, str]]:
        """Draw objects, and of each what is said of it."""
        things = [thing for _ in range(self.each) for thing in random.permutation(list(view.said))]
        return [(thing, str(random.choice(view.said[thing]))) for thing in things[: self.each]]

    def of(
        self, drawn: Sequence[tuple[View, Sequence[tuple[int, str]]]]
    ) -> tuple[list[Tensor], list[str], Tensor]:
        """Put views, objects and sentences together: levels, sentences, truths (N, 1, H, W)."""
        seen = zip(*(view.levels for view, _ in drawn), strict=True)
        levels = [torch.stack(level).to(self.device).float() for level in seen]
        levels = pooled(levels, self.design)
        truth = np.stack([view.ids == thing for view, told in drawn for thing, _ in told])
        truths = torch.from_numpy(truth[:, None]).to(self.device).float()
        truths = F.adaptive_avg_pool2d(truths, min(self.design.side, _FINER * self.design.grid))
        return levels, [sentence for _, told in drawn for _, sentence in told], truths

    @torch.no_grad()
    def judge(self, network: SeeThroughText) -> str:
        """Tell how well objects are found, in images as they are."""
        whole = [(v, t, s[0]) for v in self.views[::2] for t, s in v.said.items()]
        overlaps = []
        for own in whole[:: len(whole) // MOST_JUDGED + 1]:
            levels, sentences, truth = self.of([(own[0], [own[1:]])])
            found = upsampled(network(levels, sentences), truth.shape[2:]) > 0.5
            meant = truth > 0.5
            both, either = (found & meant).sum(), (found | meant).sum()
            overlaps.append(float(both / either))
        right = np.mean([overlap > 0.5 for overlap in overlaps])
        return f"mean IoU {np.mean(overlaps):.1%}, Prec@0.5 {right:.1%} of {len(overlaps)}"


def loss(network: SeeThroughText, levels: Any, sentences: list[str], truth: Tensor) -> Tensor:
    """Equation 11, of the heat map at the size of the truth."""
    return cross_entropy(upsampled(network(levels, sentences), truth.shape[2:]), truth)


def learn(
    shown: Lessons,
    aside: Lessons,
    weights: Path,
    steps: int,
    *,
    vectors: Path | None = None,
    begin: Path | None = None,
    seed: int = 0,
    rate: float = 1e-3,
) -> None:
    """Train on some views, judge by others, and write the weights."""
    design = shown.design
    stems = sorted({view.stem for view in aside.views})
    sentences = (s for view in shown.views for said in view.said.values() for s in said)
    known = sorted({word for sentence in sentences for word in words_of(sentence)})
    table = word_vectors(known, vectors, design.dimensions)

    def build() -> SeeThroughText:
        network = SeeThroughText(known, table, design)
        if begin is not None:
            network.load_state_dict(load(begin).state_dict())
        return network.to(shown.device)

    def save_listed(network: SeeThroughText, path: Path) -> None:
        write_stems(path.with_suffix(".aside.csv"), stems)
        save(network, path)

    train(
        build,
        shown.batches,
        loss,
        weights,
        steps,
        seed,
        aside.judge,
        rate=rate,
        save=save_listed,
        made_of={
            "design (--grid, --folds and others)": asdict(design),
            "--vectors": vectors,
            "--begin": begin,
            "--batch": shown.batch,
            "--each": shown.each,
            "expressions": [(view.stem, view.said) for view in shown.views],
        },
    )


def looked(a: argparse.Namespace, design: Design, device: torch.device) -> list[View]:
    """Look at all images, or read what was seen before."""
    if a.cache is not None and a.cache.exists():
        kept = torch.load(a.cache, weights_only=True, mmap=True)
        return [View(**entries | {"ids": entries["ids"].numpy()}) for entries in kept]
    seen: list[View] = []
    for folder in a.data:
        data = open_objects(folder, instances=True, split=a.split, only=a.only)
        items = tqdm(data, desc=f"looking at {folder.name}", mininterval=10)
        seen += views(items, read_expressions(folder / "expressions.jsonl"), design, device)
    if a.cache is not None:
        torch.save([vars(view) | {"ids": torch.from_numpy(view.ids)} for view in seen], a.cache)
    return seen


def main(a: argparse.Namespace) -> None:
    """Train with the parts that are told."""
    torch.set_num_threads(a.threads)
    design = replace(
        OURS,
        grid=a.grid,
        folds=a.folds,
        sharpness=a.sharpness,
        re_attends=not a.no_re_attention,
        refining=a.refining,
        comparing=a.comparing,
    )
    if a.vectors is not None:
        with np.load(a.vectors, allow_pickle=False) as table:
            design = replace(design, dimensions=int(table["vectors"].shape[1]))
    device = choose_device(a.device)
    seen = looked(a, OURS, device)
    stems = sorted({view.stem for view in seen})
    if len(stems) < ASIDE:
        raise InputError(f"expressions tell of {len(stems)} images; {ASIDE} are needed at least")
    kept = set(stems[ASIDE - 1 :: ASIDE])
    parts = [[view for view in seen if (view.stem in kept) == is_aside] for is_aside in (0, 1)]
    shown, aside = (Lessons(own, a.batch, a.each, design, device) for own in parts)
    told = {"vectors": a.vectors, "begin": a.begin, "seed": a.seed, "rate": a.rate}
    learn(shown, aside, a.out, a.steps, **told)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--vectors", type=Path, metavar="NPZ", help="of words, such as GloVe")
    parser.add_argument("--cache", type=Path, help="file for what was seen of the images")
    parser.add_argument("--only", type=Path, metavar="CSV", help="the images to use")
    parser.add_argument("--split", help="of images.csv")
    parser.add_argument("--begin", type=Path, metavar="FILE", help="weights to begin with")
    parser.add_argument("--grid", type=positive, default=OURS.grid, help="cells along each side")
    parser.add_argument("--folds", type=positive, default=OURS.folds)
    parser.add_argument("--sharpness", type=float, default=OURS.sharpness, help="of the heat")
    parser.add_argument("--no-re-attention", action="store_true")
    parser.add_argument("--refining", choices=get_args(Refining), default=OURS.refining)
    parser.add_argument("--comparing", choices=get_args(Comparing), default=OURS.comparing)
    parser.add_argument("--steps", type=positive, default=6000)
    parser.add_argument("--batch", type=positive, default=8, help="images in a step")
    parser.add_argument("--each", type=positive, default=4, help="sentences about each image")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=count, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=positive, default=1)
    run(lambda: main(parser.parse_args()))
