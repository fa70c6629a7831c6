"""Train a text guide for a frozen network on a folder of labelled images.

    python training/text_guide.py DATA --network NETWORK --out NETWORK.text-guide.safetensors

NETWORK is a bundled network or a file, DATA a folder as `napari-guideme evaluate` reads it,
with images that the network was not trained on. The network stays as it is: its heads are
computed once per image, a step runs its tails alone. In a step each image gets hints about
its mistakes, one after the other, and the guide learns what each should have brought. One
image in ten is kept aside, the last ones by name; shown is the mean IoU there after each
hint. Started again with the same options, it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from balance import rarity
from command import positive, run, told
from guided_images import Guided, Sample, Samples
from loop import Batches, train
from torch import Tensor
from tqdm import tqdm

from napari_guideme.cli.options.values import count
from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import open_dataset
from napari_guideme.evaluation.scores import mean_iou
from napari_guideme.hints import TextHint
from napari_guideme.language.queries import Asked, draw_query, phrase, vocabulary
from napari_guideme.language.telling import gated
from napari_guideme.language.text_guide import Purpose, TextGuide, guided, load, word_vectors
from napari_guideme.networks.card import NetworkCard, read_card
from napari_guideme.networks.catalogue import open_network
from napari_guideme.networks.frozen import FrozenNetwork

#: One image in so many is kept aside.
ASIDE = 10
MOST_JUDGED = 50
#: Hints in a row, at most.
HINTS = 4
#: How often a phrase is the plain one, which a guide in use is given.
PLAIN = 0.5
#: How much of what was learned a guide may be made to say, see `Trainer.tuned`.
STRENGTHS = (1.0, 0.75, 0.5, 0.25)
#: What a pixel counts that was right before; one of the class mentioned counts 1.
RIGHT = 0.5
#: What the overlap of the class mentioned counts beside them.
OVERLAP = 1.0
#: How much of what the gate keeps back is seen in training.
LEAK = 0.1

Random = np.random.Generator


class Trainer:
    """What a guide learns from and is judged by.

    Parameters
    ----------
    network
        To be guided; it is never changed.
    shown, aside
        Images to learn from, and to judge by.
    operation
        What hints are about.
    batch
        Images in a step.
    """

    def __init__(
        self,
        network: FrozenNetwork,
        shown: Samples,
        aside: Samples,
        operation: Asked,
        batch: int,
    ) -> None:
        self.network, self.shown, self.aside = network, shown, aside
        self.operation, self.batch = operation, batch
        self.rarity = rarity(shown.class_counts()).to(network.device)

    def query(self, image: Guided, random: Random) -> TextHint | None:
        """Draw a hint about what is wrong now."""
        return draw_query(
            image.labels, image.sample.truth, self.network.classes, random, self.operation
        )

    def batches(self, seed: int) -> Batches:
        """Yield images with something to say about, how much to say, and the source of chance."""
        random = np.random.default_rng(seed)
        while True:
            yield (
                [self._drawn(random) for _ in range(self.batch)],
                int(random.integers(1, HINTS + 1)),
                random,
            )

    def _drawn(self, random: Random) -> Guided:
        for _ in range(100 * len(self.shown)):
            index, flipped = int(random.integers(len(self.shown))), bool(random.integers(2))
            image = Guided(self.network, self.shown.at(index, flipped=flipped))
            if self.query(image, random):
                return image
        raise InputError("the network makes no mistake that is worth a hint")

    def loss(self, guide: TextGuide, images: list[Guided], n_hints: int, random: Random) -> Tensor:
        """Mean over all hints, each given to what the ones before have made of its image."""
        losses: list[Tensor] = []
        for _ in range(n_hints):
            drawn = [(image, self.query(image, random)) for image in images]
            hinted = [(image, hint) for image, hint in drawn if hint]
            if hinted:
                said = [phrase(hint, _manner(random)) for _, hint in hinted]
                for (image, hint), values in zip(hinted, guide(said), strict=True):
                    losses.append(self._follow(guide, image, hint, values))
        return torch.stack(losses).mean()

    def _follow(self, guide: TextGuide, image: Guided, hint: TextHint, values: Tensor) -> Tensor:
        activation = guide.moved(image.activation, values)
        classes = self.network.classes
        logits = gated(image.logits(activation), image.shown, hint, classes, LEAK)
        weights = torch.from_numpy(importance(image, hint, classes)).to(logits)
        weights = weights * self.rarity[torch.from_numpy(image.sample.truth).clamp_min(0)]
        lost = (weights * surprise_at(logits, image.sample)).sum() / weights.sum().clamp_min(1)
        index = classes.index(hint.class_name)
        image.step(activation, gated(logits, image.shown, hint, classes))
        return lost + OVERLAP * (1 - overlap(logits, image.sample, index))

    def judge(self, guide: TextGuide) -> str:
        """Tell the mean IoU of the images that are kept aside, without hints and after each."""
        figures = ", ".join(f"{figure:.1%}" for figure in self.judged(guide))
        return f"mean IoU of {len(self.aside)} kept aside after 0 to {HINTS} hints: {figures}"

    def tuned(self, guide: TextGuide) -> TextGuide:
        """Return a guide that is as strong as is best for the images that are kept aside."""
        guides = [scaled(guide, strength) for strength in STRENGTHS]
        brought = [
            sum(self.judged(one)[1:]) for one in tqdm(guides, desc="strength", mininterval=10)
        ]
        best = int(np.argmax(brought))
        tqdm.write(f"strength {STRENGTHS[best]}: {self.judge(guides[best])}")
        return guides[best]

    @torch.no_grad()
    def judged(self, guide: TextGuide) -> list[float]:
        """Mean IoU of the images that are kept aside, without hints and after each."""
        random = np.random.default_rng(0)
        n_classes = len(self.network.classes)
        counts = np.zeros((HINTS + 1, n_classes, n_classes), dtype=np.int64)
        for index in range(0, len(self.aside), max(1, len(self.aside) // MOST_JUDGED)):
            image = Guided(self.network, self.aside.at(index))
            counts[0] += image.confusion()
            for n_hints in range(1, HINTS + 1):
                if hint := self.query(image, random):
                    activation = guided(guide, image.activation, [hint])
                    logits = image.logits(activation)
                    image.step(activation, gated(logits, image.shown, hint, self.network.classes))
                counts[n_hints] += image.confusion()
        return [mean_iou(one) for one in counts]


@torch.no_grad()
def scaled(guide: TextGuide, strength: float) -> TextGuide:
    """Return a guide whose values are a share of those of another."""
    other = copy.deepcopy(guide)
    for parameter in other.values.parameters():
        parameter.mul_(strength)
    return other


def _manner(random: Random) -> Random | None:
    return None if random.random() < PLAIN else random


def importance(image: Guided, hint: TextHint, classes: tuple[str, ...]) -> np.ndarray:
    """What each pixel counts, (h, w): the paper's weights.

    Mentioned are the pixels of the class that is missing, and those that are found to
    be of the class that is too much. Other wrong pixels count nothing, so that the
    hint is not taken to be about them.
    """
    truth, labels = image.sample.truth, image.labels
    mentioned = np.zeros(truth.shape, dtype=bool)
    if hint.operation != "remove":
        mentioned |= truth == classes.index(hint.class_name)
    if too_much := {"remove": hint.class_name, "replace": hint.instead_of}.get(hint.operation):
        mentioned |= labels == classes.index(too_much)
    return np.where(truth < 0, 0.0, np.where(mentioned, 1.0, RIGHT * image.right))


def surprise_at(logits: Tensor, sample: Sample) -> Tensor:
    """Cross-entropy at each pixel, (h, w); classes that are merged count together."""
    merged = torch.from_numpy(sample.merged).to(logits.device)
    truth = torch.from_numpy(sample.truth).to(logits.device).clamp_min(0)
    fitting = merged[:, None, None] == truth
    return logits.logsumexp(0) - logits.masked_fill(~fitting, -torch.inf).logsumexp(0)


def overlap(logits: Tensor, sample: Sample, index: int) -> Tensor:
    """Intersection over union of a class, with its probability in the place of labels.

    The paper's loss alone is content with what is right for most pixels, and tells the
    guide to leave rare classes as they are.
    """
    same = torch.from_numpy(sample.merged == index).to(logits)
    known = torch.from_numpy(sample.truth >= 0).to(logits.device)
    truth = torch.from_numpy(sample.truth == index).to(logits)
    probability = torch.einsum("k,khw->hw", same, logits.softmax(0)) * known
    both = (probability * truth).sum()
    return (both + 1) / ((probability + truth).sum() - both + 1)


def samples_of(
    options: argparse.Namespace, network: FrozenNetwork, point: str
) -> tuple[Samples, Samples]:
    """Images to learn from, and the ones that are kept aside."""
    dataset = open_dataset(
        options.data,
        network,
        instances=options.instances,
        class_map=options.class_map,
        split=options.split,
        only=options.only,
    )
    n_aside = len(dataset) // ASIDE
    if not n_aside:
        raise InputError(f"{options.data} has {len(dataset)} images; {ASIDE} are needed at least")
    shown, aside = dataset.entries[:-n_aside], dataset.entries[-n_aside:]
    memory = options.memory * 2**30
    return (
        Samples(replace(dataset, entries=shown), network, point, memory * (1 - 1 / ASIDE)),
        Samples(replace(dataset, entries=aside), network, point, memory / ASIDE),
    )


def main(options: argparse.Namespace) -> None:
    """Train a guide and write it."""
    torch.set_num_threads(options.threads)
    card = read_card(options.card) if options.card else NetworkCard()
    network = open_network(options.network, options.device, card)
    if network.interaction is not None:
        raise InputError(f"{network.name} takes clicks; words guide networks with classes")
    point = network.guide_point(options.point or network.default_point)
    cells = () if options.film else (options.cells,) * 2
    operations = ("find", "remove") if options.operation == "either" else (options.operation,)
    purpose = Purpose(network.fingerprint, point.name, network.classes, operations, cells)
    known = vocabulary(network.classes)
    vectors = word_vectors(known, options.vectors)
    shape = {"hidden": options.hidden, "residual_block": options.residual_block}

    def build() -> TextGuide:
        return TextGuide(purpose, point.channels, known, vectors, **shape).to(network.device)

    shown, aside = samples_of(options, network, point.name)
    trainer = Trainer(network, shown, aside, options.operation, options.batch)
    for index in tqdm(range(len(shown)), desc="heads", mininterval=10):
        shown.at(index)
    tqdm.write(f"untrained: {trainer.judge(build())}")
    train(
        build,
        trainer.batches,
        trainer.loss,
        options.out,
        options.steps,
        options.seed,
        judge=trainer.judge,
        rate=options.rate,
        save=TextGuide.save,
        made_of={
            **told(options, "batch", "operation", "film", "cells", "hidden", "residual_block"),
            **told(options, "vectors", "class_map", "instances"),
            "network": network.fingerprint,
            "--point": point.name,
            "images": [entry.name for entry in shown.dataset.entries],
        },
    )
    trainer.tuned(load(options.out, network)).save(options.out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--network", default="nuclei", help="a bundled one, or a file")
    parser.add_argument("--card", type=Path, help="what the network's file does not say")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--only", type=Path, metavar="CSV", help="the images to use")
    parser.add_argument("--split", help="of images.csv")
    parser.add_argument("--instances", action="store_true", help="numbers are ids of objects")
    parser.add_argument("--class-map", type=Path, metavar="CSV")
    parser.add_argument("--point", help="where to guide; by default the network's own point")
    parser.add_argument(
        "--operation", choices=("find", "remove", "replace", "either"), default="either"
    )
    parser.add_argument("--film", action="store_true", help="neither rows nor columns")
    parser.add_argument("--residual-block", action="store_true", help="as in FiLM")
    parser.add_argument("--vectors", type=Path, metavar="NPZ", help="of words, such as GloVe")
    parser.add_argument("--hidden", type=positive, default=256, help="size of the GRU")
    parser.add_argument("--cells", type=positive, default=9, help="values along rows and columns")
    parser.add_argument("--steps", type=positive, default=4000)
    parser.add_argument("--batch", type=positive, default=4)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=count, default=0)
    parser.add_argument("--memory", type=float, default=4.0, metavar="GIB", help="for heads")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=positive, default=1)
    run(lambda: main(parser.parse_args()))
