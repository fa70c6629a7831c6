"""Scenes with few objects to be referred to: cut out of images, or pasted together.

    python training/referred_scenes.py DATA --out DIR --windows 600 --composed 600

DATA is a folder with `images` and ids of objects that have names, see
`napari_guideme.evaluation.named_objects`. DIR then holds as many scenes as such a folder,
with `expressions.jsonl`: it can be trained on and be evaluated on. Where `images.csv` tells
the kinds of the images, only those of one kind are pasted together. With `--part`, one image
in five, by name, is kept for tests.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from command import positive, run
from imageio import v3 as imageio
from numpy.typing import NDArray
from objects import Picture, Random, blended, cut, resized
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from napari_guideme.cli.options.values import count
from napari_guideme.errors import InputError
from napari_guideme.evaluation.named_objects import NamedItem, open_named_objects
from napari_guideme.referring.expression_files import write_expressions
from napari_guideme.referring.expressions import Expression, expressions

#: Between so many objects of a class one has to choose.
CANDIDATES = range(2, 7)
#: Objects are cut out and pasted if they fill so much of their image.
_LEAST = 0.003
#: How often what is pasted is of a class that is there already.
_ALIKE = 0.7
_ATTEMPTS = 20
#: Nothing is pasted that leaves less of another object.
_SHOWN = 0.6
#: One image in so many is for tests.
_PART = 5


@dataclass(frozen=True)
class NamedPicture:
    """A picture, see :class:`objects.Picture`, and the classes of its objects."""

    picture: Picture
    names: dict[int, str]

    @classmethod
    def of(cls, item: NamedItem) -> NamedPicture:
        """Take an image of a folder."""
        pixels = item.image
        if item.channel_axis is None:
            pixels = np.repeat(pixels[..., None], 3, -1)
        else:
            pixels = np.moveaxis(pixels, item.channel_axis, -1)[..., :3]
        counts = Counter(item.ids[item.ids > 0].tolist())
        areas = {i: n for i, n in counts.items() if n >= _LEAST * item.ids.size}
        names = item.names
        named = {i: names if isinstance(names, str) else names[i] for i in counts}
        return cls(Picture(item.name, _as_bytes(pixels), item.ids, areas), named)


@dataclass(frozen=True)
class ReferredScene:
    """What expressions are made of.

    Attributes
    ----------
    image
        (3, side, side) in [0, 1].
    ids
        Of the objects, (side, side), 0 where there is none.
    names
        Class of each id.
    """

    image: Tensor
    ids: NDArray[np.intp]
    names: dict[int, str]


def windowed(named: NamedPicture, side: int, random: Random) -> ReferredScene:
    """Cut a window out of a picture in which one has to choose between few objects.

    Windows are tried at random, around some object; the last one is taken if none fits.
    """
    ids = named.picture.ids
    around = list(named.picture.areas) or [0]
    for _ in range(_ATTEMPTS):
        centre = random.permutation(np.argwhere(ids == random.choice(around)))[0]
        share = float(np.exp(random.uniform(np.log(0.15), 0)))
        window = []
        for middle, length in zip(centre, ids.shape, strict=True):
            size = max(int(length * share), min(64, length))
            start = int(np.clip(middle - random.uniform(0.2, 0.8) * size, 0, length - size))
            window.append(slice(start, start + size))
        seen = ids[tuple(window)]
        counts = np.unique(seen[seen > 0], return_counts=True)
        shown = [int(i) for i, n in zip(*counts, strict=True) if n >= _LEAST * seen.size]
        if any(n in CANDIDATES for n in Counter(named.names[i] for i in shown).values()):
            break
    return _scene(named, tuple(window), side)


def composed(
    pictures: Sequence[NamedPicture], side: int, random: Random, pasted: tuple[int, int] = (1, 4)
) -> ReferredScene:
    """Paste objects of some pictures into another one, whose own objects remain.

    Parameters
    ----------
    pictures
        To draw from; those that go together, such as photographs or one kind of micrographs.
    side
        Of the scene, in pixels.
    random
        Source of chance.
    pasted
        Fewest and most objects that one tries to paste, often of one class.
    """
    below = pictures[random.integers(len(pictures))]
    scene = _scene(below, (slice(None), slice(None)), side)
    image, ids, names = scene.image, scene.ids.copy(), dict(scene.names)
    whole = {i: int((ids == i).sum()) for i in names}
    for _ in range(int(random.integers(pasted[0], pasted[1] + 1))):
        named, chosen = _drawn(pictures, set(names.values()), random)
        over, above = _laid(named, chosen, image, random)
        kept = np.where(over.numpy(), 0, ids)
        # What is left of a hidden object would be called by its whole name.
        if any((kept == i).sum() < _SHOWN * pixels for i, pixels in whole.items()):
            continue
        number = max(names, default=0) + 1
        image, ids, names[number] = blended(image, above, over), kept, named.names[chosen]
        ids[over.numpy()], whole[number] = number, int(over.sum())
    return ReferredScene(image.clamp(0, 1), ids, names)


def _laid(named: NamedPicture, chosen: int, image: Tensor, random: Random) -> tuple[Tensor, Tensor]:
    """Lay an object somewhere: its mask (side, side) and the image with what surrounds it."""
    side = image.shape[-1]
    size = int(side * random.uniform(0.15, 0.5))
    piece, shape = cut(named.picture, chosen, 1.1, size, random)
    top, left = random.integers(0, side - size + 1, 2)
    window = np.s_[top : top + size, left : left + size]
    over, above = torch.zeros(side, side, dtype=torch.bool), image.clone()
    over[window], above[:, *window] = shape, piece
    return over, above


def _drawn(
    pictures: Sequence[NamedPicture], wanted: Iterable[str], random: Random
) -> tuple[NamedPicture, int]:
    """Draw an object, often of the classes that are there already."""
    known = [(named, i) for named in pictures for i in named.picture.areas]
    alike = [(named, i) for named, i in known if named.names[i] in wanted]
    chosen = alike if alike and random.random() < _ALIKE else known
    return chosen[random.integers(len(chosen))]


def _scene(named: NamedPicture, window: tuple[slice, slice], side: int) -> ReferredScene:
    seen = torch.from_numpy(named.picture.ids[window].astype(np.float64))[None, None]
    ids = F.interpolate(seen, (side, side), mode="nearest-exact")[0, 0].numpy().astype(np.intp)
    names = {int(i): named.names[int(i)] for i in np.unique(ids) if i}
    return ReferredScene(resized(named.picture.pixels[window], side), ids, names)


def _as_bytes(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    low, high = np.percentile(pixels, (1, 99.8))
    return (np.clip((pixels - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)


def drawn(
    named: Sequence[NamedPicture],
    kinds: dict[str, str],
    windows: int,
    pasted: int,
    side: int,
    random: Random,
) -> Iterator[ReferredScene]:
    """Draw windows and composed scenes; pasted together are those of one kind."""
    for _ in range(windows):
        yield windowed(named[random.integers(len(named))], side, random)
    alike: dict[str, list[NamedPicture]] = {}
    for one in named:
        if one.picture.areas:
            alike.setdefault(kinds.get(one.picture.stem, ""), []).append(one)
    together = list(alike.values())
    for _ in range(pasted):
        yield composed(together[random.integers(len(together))], side, random)


def write(scenes: Iterable[ReferredScene], folder: Path, most: int, random: Random) -> None:
    """Write scenes of which something can be said, and what."""
    for part in ("images", "masks", "instances"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    said: dict[str, list[Expression]] = {}
    for number, scene in enumerate(scenes):
        stem = f"{folder.name}{number:04}"
        pixels = (scene.image.movedim(0, -1).numpy() * 255).round().astype(np.uint8)
        told = expressions(
            pixels, scene.ids, scene.names, random, channel_axis=-1, most=most, least=_LEAST
        )
        if not told:
            continue
        said[stem] = told
        imageio.imwrite(folder / f"images/{stem}.png", pixels)
        imageio.imwrite(folder / f"masks/{stem}.png", scene.ids.astype(np.uint16))
        named = {str(i): {"name": name} for i, name in scene.names.items()}
        (folder / f"instances/{stem}.json").write_text(json.dumps({"instances": named}))
    write_expressions(folder / "expressions.jsonl", said)


def _kinds(folder: Path) -> dict[str, str]:
    """Read the kind of each image, if the folder tells."""
    if not (folder / "images.csv").is_file():
        return {}
    with (folder / "images.csv").open(encoding="utf-8") as file:
        return {row["stem"]: row.get("kind", "") for row in csv.DictReader(file)}


def main(a: argparse.Namespace) -> None:
    """Make scenes of a folder."""
    random = np.random.default_rng(a.seed)
    items = list(open_named_objects(a.data, a.names, split=a.split))
    if a.part is not None:
        items = [one for i, one in enumerate(items) if (i % _PART == 0) == (a.part == "test")]
    named = [NamedPicture.of(item) for item in items]
    if not any(one.picture.areas for one in named):
        raise InputError(f"{a.data} has no image with objects to make scenes of")
    scenes = drawn(named, _kinds(a.data), a.windows, a.composed, a.side, random)
    write(tqdm(scenes, total=a.windows + a.composed, mininterval=10), a.out, a.most, random)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--names", help="the one name of all objects, if DATA does not tell")
    parser.add_argument("--split", help="of images.csv")
    parser.add_argument("--part", choices=("train", "test"))
    parser.add_argument("--windows", type=count, default=400)
    parser.add_argument("--composed", type=count, default=400)
    parser.add_argument("--side", type=positive, default=320)
    parser.add_argument("--most", type=positive, default=8, help="sentences about an object")
    parser.add_argument("--seed", type=count, default=0)
    run(lambda: main(parser.parse_args()))
