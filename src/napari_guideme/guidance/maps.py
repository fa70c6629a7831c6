"""Interaction maps of an image, as they lie on a network's input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_guideme.networks.interaction import InteractionMaps, distances
from napari_guideme.networks.preparation import Placement


def clicked_maps(
    interaction: InteractionMaps,
    placement: Placement,
    sides: Sequence[Sequence[Sequence[float]]],
    previous: Tensor | None = None,
    spacing: Sequence[float] | None = None,
) -> Tensor:
    """Draw clicks, (count, *spatial).

    Parameters
    ----------
    interaction
        Which maps the network takes.
    placement
        Where the image lies on its input.
    sides
        Places in the image on the object, and off it.
    previous
        Probability of the object so far, (*spatial) of the image.
    spacing
        Size of a pixel along each axis.
    """
    shape = placement.padded_shape
    drawn = []
    for places in sides:
        pixels = [placement.to_network(place) for place in places]
        rounded = np.floor(np.reshape(pixels, (-1, len(shape))) + 0.5).astype(int)
        rounded = rounded.clip(0, np.array(shape) - 1)
        drawn.append(torch.from_numpy(interaction.draw(distances(rounded, shape, spacing))))
    if interaction.previous:
        before = (
            torch.zeros((1, *shape), dtype=torch.float32)
            if previous is None
            else _laid(previous[None], placement)
        )
        drawn.append(before[0].cpu())
    return torch.stack(drawn)


def saliency_maps(placement: Placement, maps: Tensor | None = None) -> Tensor:
    """Lay maps of saliency (2, *spatial) of the image on the input; zero without any."""
    if maps is None:
        return torch.zeros((2, *placement.padded_shape), dtype=torch.float32)
    return _laid(maps, placement)


def _laid(maps: Tensor, placement: Placement) -> Tensor:
    """Resize maps (n, *spatial) as the image was, on an input that is zero elsewhere."""
    mode = "bilinear" if maps.ndim == 3 else "trilinear"
    seen = F.interpolate(maps[None].float(), placement.resized_shape, mode=mode)[0]
    laid = seen.new_zeros(len(maps), *placement.padded_shape)
    laid[(slice(None), *map(slice, placement.resized_shape))] = seen
    return laid
