"""Scenes with one object each: cut from photographs and micrographs, and put together anew."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from crops import relit, tinted
from numpy.typing import NDArray
from scipy import ndimage
from skimage.io import imread
from torch import Tensor
from torch.nn import functional as F

#: Smaller objects show too little to learn from.
LEAST_PIXELS = {"photograph": 300, "nucleus": 40}
KINDS = {
    "object": 0.38,
    "pair": 0.12,
    "pasted": 0.2,
    "texture": 0.07,
    "ribbon": 0.07,
    "nucleus": 0.16,
}

#: So close to each other, in pixels, are the two things of a pair.
TOUCHING = 4

Random = np.random.Generator
#: An image (3, side, side) in [0, 1] and the object in it, (side, side).
Scene = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Picture:
    """Pixels (H, W, 3), ids of objects (H, W) and which of them are of use."""

    stem: str
    pixels: NDArray[np.uint8]
    ids: NDArray[np.integer]
    areas: dict[int, int]


def photographs(folder: Path, wanted: Callable[[str], bool]) -> list[Picture]:
    """Read photographs with objects."""
    stems = (path.stem for path in sorted((folder / "masks").iterdir()))
    read = (_picture(folder, "masks", stem, "photograph") for stem in stems if wanted(stem))
    return [picture for picture in read if picture.areas]


def nuclei(folder: Path) -> dict[str, list[Picture]]:
    """Read the train rows of micrographs with nuclei, by kind."""
    with (folder / "images.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    kinds: dict[str, list[Picture]] = {}
    for row in rows:
        picture = _picture(folder, "labels", row["stem"], "nucleus")
        if picture.areas:
            kinds.setdefault(row["kind"], []).append(picture)
    return kinds


def _picture(folder: Path, truths: str, stem: str, kind: str) -> Picture:
    (path,) = (folder / "images").glob(f"{stem}.*")
    pixels = imread(path)
    pixels = np.stack([pixels] * 3, -1) if pixels.ndim == 2 else pixels[..., :3]
    if kind == "nucleus":
        low, high = np.percentile(pixels, (1, 99.8))
        stretched = (pixels.astype(np.float32) - low) / max(high - low, 1)
        pixels = (stretched.clip(0, 1) * 255).astype(np.uint8)
    ids = imread(folder / truths / f"{stem}.png")
    counts = np.bincount(ids.ravel())
    areas = {i: int(n) for i, n in enumerate(counts) if i and n >= LEAST_PIXELS[kind]}
    return Picture(stem, pixels, ids, areas)


@dataclass(frozen=True)
class Scenes:
    """Draws scenes of all kinds at random.

    Parameters
    ----------
    photographs, nuclei
        To draw from.
    side
        Of the scenes, in pixels.
    """

    photographs: list[Picture]
    nuclei: dict[str, list[Picture]]
    side: int

    def draw(self, random: Random) -> Scene:
        """Return one scene whose object is neither tiny nor everything."""
        while True:
            kind = random.choice(list(KINDS), p=list(KINDS.values()))
            image, mask = getattr(self, f"_{kind}")(random)
            if random.random() < 0.5:
                image, mask = image.flip(2), mask.flip(1)
            if random.random() < 0.4:
                image, mask = turned(image, mask, random)
            if 0.004 < mask.float().mean() < 0.9:
                return recoloured(image, random), mask

    def _object(self, random: Random) -> Scene:
        around = float(np.exp(random.uniform(np.log(1.1), np.log(2.8))))
        return cut(*self._drawn(random), around, self.side, random)

    def _pair(self, random: Random) -> Scene:
        """Take two things that touch for one, as a rider and what carries him."""
        picture, chosen = self._drawn(random)
        near = ndimage.binary_dilation(picture.ids == chosen, iterations=TOUCHING)
        others = set(np.unique(picture.ids[near]).tolist()) & set(picture.areas) - {chosen}
        if others:
            other = random.choice(sorted(others))
            merged = np.where(picture.ids == other, chosen, picture.ids)
            picture = replace(picture, ids=merged)
        around = float(np.exp(random.uniform(np.log(1.1), np.log(2.2))))
        return cut(picture, chosen, around, self.side, random)

    def _drawn(self, random: Random) -> tuple[Picture, int]:
        """Draw a photograph and one of its things."""
        picture = self.photographs[random.integers(len(self.photographs))]
        weights = np.sqrt(list(picture.areas.values()))
        return picture, int(random.choice(list(picture.areas), p=weights / weights.sum()))

    def _nucleus(self, random: Random) -> Scene:
        kinds = list(self.nuclei.values())
        pictures = kinds[random.integers(len(kinds))]
        picture = pictures[random.integers(len(pictures))]
        chosen = int(random.choice(list(picture.areas)))
        around = float(np.exp(random.uniform(np.log(1.2), np.log(5))))
        image, mask = cut(picture, chosen, around, self.side, random, least=40)
        turns = int(random.integers(4))
        image, mask = torch.rot90(image, turns, (1, 2)), torch.rot90(mask, turns, (0, 1))
        return tinted(image, random).clamp(0, 1), mask

    def _pasted(self, random: Random) -> Scene:
        image = self._background(random)
        mask = torch.zeros(self.side, self.side, dtype=torch.bool)
        image, mask = self._paste(image, mask, True, random)
        if random.random() < 0.4:
            image, mask = self._paste(image, mask, False, random)
        return image, mask

    def _texture(self, random: Random) -> Scene:
        """Cut a random shape out of one photograph and lay it over another one."""
        field = self._field(random)
        mask = largest_part(field > field.quantile(random.uniform(0.6, 0.95)))
        return blended(self._background(random), self._background(random), mask), mask

    def _ribbon(self, random: Random) -> Scene:
        """The same with a thin and winding shape."""
        field = self._field(random).abs()
        mask = largest_part(field < field.quantile(random.uniform(0.06, 0.2)))
        return blended(self._background(random), self._background(random), mask), mask

    def _field(self, random: Random) -> Tensor:
        """Draw a smooth random field, (side, side), with mean 0."""
        cells = int(random.integers(3, 8))
        noise = torch.from_numpy(random.normal(size=(1, 1, cells, cells))).float()
        return F.interpolate(noise, (self.side,) * 2, mode="bicubic")[0, 0]

    def _background(self, random: Random) -> Tensor:
        """Return some part of some photograph."""
        picture = self.photographs[random.integers(len(self.photographs))]
        window = []
        for length in picture.ids.shape:
            side = int(length * random.uniform(0.4, 1))
            start = int(random.integers(length - side + 1))
            window.append(slice(start, start + side))
        return resized(picture.pixels[tuple(window)], self.side)

    def _paste(self, image: Tensor, mask: Tensor, is_target: bool, random: Random) -> Scene:
        """Lay an object over the image; the one that is segmented, or one that hides it."""
        picture, chosen = self._drawn(random)
        size = int(self.side * random.uniform(*((0.3, 0.95) if is_target else (0.2, 0.5))))
        piece, shape = cut(picture, chosen, 1.1, size, random)
        corner = random.integers(0, self.side - size + 1, 2)
        window = tuple(slice(int(c), int(c) + size) for c in corner)
        over = torch.zeros_like(mask)
        over[window] = shape
        whole = image.clone()
        whole[:, *window] = piece
        return blended(image, whole, over), (mask | over) if is_target else mask & ~over


def cut(
    picture: Picture, chosen: int, around: float, side: int, random: Random, least: int = 64
) -> Scene:
    """Cut out a box around one object, `around` times as long as it, shifted at random."""
    mask = picture.ids == chosen
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    longest = max(s.stop - s.start for s in box)
    window = []
    for extent, length in zip(box, mask.shape, strict=True):
        own = extent.stop - extent.start
        wanted = max(longest * around * random.uniform(0.8, 1.25), own * 1.05, least)
        wanted = min(int(wanted), length)
        spare = max(wanted - own, 0)
        start = extent.start - int(random.uniform(0.1, 0.9) * spare)
        start = min(max(start, 0), length - wanted)
        window.append(slice(start, start + wanted))
    shape = torch.from_numpy(mask[tuple(window)]).float()[None, None]
    shape = F.interpolate(shape, (side, side), mode="bilinear", antialias=True)[0, 0] > 0.5
    return resized(picture.pixels[tuple(window)], side), shape


def largest_part(mask: Tensor) -> Tensor:
    """Keep the largest connected part of a mask."""
    parts, _ = ndimage.label(mask.numpy())
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return torch.from_numpy(parts == sizes.argmax())


def turned(image: Tensor, mask: Tensor, random: Random) -> Scene:
    """Turn a scene by up to 25 degrees, and stretch it by up to a quarter one way."""
    angle, stretch = random.uniform(-0.44, 0.44), np.exp(random.uniform(-0.22, 0.22))
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = torch.tensor([[cos * stretch, -sin, 0], [sin, cos / stretch, 0]]).float()
    both = torch.cat([image, mask[None].float()])[None]
    grid = F.affine_grid(matrix[None], list(both.shape), align_corners=False)
    both = F.grid_sample(both, grid, padding_mode="reflection", align_corners=False)[0]
    return both[:3], both[3] > 0.5


def resized(pixels: NDArray[np.uint8], side: int) -> Tensor:
    """Bring pixels (H, W, 3) to an image (3, side, side) in [0, 1]."""
    image = torch.from_numpy(np.ascontiguousarray(pixels)).movedim(-1, 0)[None].float() / 255
    return F.interpolate(image, (side, side), mode="bilinear", antialias=True)[0]


def blended(below: Tensor, above: Tensor, mask: Tensor) -> Tensor:
    """Lay the masked part of an image over another one, with soft edges."""
    alpha = F.avg_pool2d(mask[None].float(), 3, 1, 1)
    return below + alpha * (above - below)


def recoloured(image: Tensor, random: Random) -> Tensor:
    """Change light and colours; some become grey, negative or of other channels."""
    luma = image.mean(0, keepdim=True)
    if random.random() < 0.15:
        image = luma.expand(3, -1, -1)
    else:
        image = luma + (image - luma) * float(random.uniform(0.5, 1.4))
        image = tinted(image, random)
    if random.random() < 0.06:
        image = image[torch.from_numpy(random.permutation(3))]
    if random.random() < 0.06:
        image = 1 - image
    return relit(image, random)
