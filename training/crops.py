"""Random crops of labelled images, and random changes of their colours."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def random_crop(
    image: Tensor,
    labels: Tensor,
    side: int,
    scales: tuple[float, float],
    random: np.random.Generator,
    *,
    upright: bool = False,
) -> tuple[Tensor, Tensor]:
    """Cut out a square at a random place and scale, turned and flipped at random.

    What is smaller than the square is mirrored at its edges.

    Parameters
    ----------
    image, labels
        (3, H, W) and (H, W), of one type.
    side
        Of the crop, in pixels.
    scales
        Between which the image is enlarged.
    upright
        Up stays up: nothing is turned, only left and right are exchanged.

    Returns
    -------
    Image (3, side, side) and labels (side, side).
    """
    cut = int(side / random.uniform(*scales))
    pixels, values = image.numpy(), labels.numpy()
    missing = [(0, max(0, cut - n)) for n in values.shape]
    pixels = np.pad(pixels, [(0, 0), *missing], mode="symmetric")
    values = np.pad(values, missing, mode="symmetric")
    top, left = (random.integers(n - cut + 1) for n in values.shape)
    window = (slice(top, top + cut), slice(left, left + cut))
    crop = torch.from_numpy(pixels[:, *window].copy())[None]
    crop = F.interpolate(crop, (side, side), mode="bilinear", align_corners=False)
    cropped = torch.from_numpy(values[window].copy())[None, None]
    cropped = F.interpolate(cropped, (side, side), mode="nearest-exact")
    turns, flip = 0 if upright else int(random.integers(4)), bool(random.integers(2))
    crop, cropped = (torch.rot90(t, turns, (2, 3)) for t in (crop, cropped))
    if flip:
        crop, cropped = crop.flip(3), cropped.flip(3)
    return crop[0], cropped[0, 0]


def tinted(image: Tensor, random: np.random.Generator) -> Tensor:
    """Change how strongly each colour (3, H, W) is absorbed."""
    hue = torch.tensor(random.uniform(0.85, 1.15, (3, 1, 1)), dtype=torch.float32)
    return 1 - (1 - image) * hue


def relit(image: Tensor, random: np.random.Generator) -> Tensor:
    """Change contrast and brightness of values in [0, 1]; some get blurred or noisy."""
    image = image.clamp(0, 1) ** float(np.exp(random.uniform(-0.5, 0.5)))
    image = image * random.uniform(0.75, 1.2) + random.uniform(-0.1, 0.1)
    if random.random() < 0.2:
        image = F.avg_pool2d(image[None], 3, 1, 1)[0]
    if random.random() < 0.3:
        noise = random.normal(0, random.uniform(0, 0.06), image.shape)
        image = image + torch.tensor(noise, dtype=torch.float32)
    return image.clamp(0, 1)
