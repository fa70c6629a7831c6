"""The equations of See-through-Text, each in one place, with its number.

Shapes: N images, C channels, n words, D values that represent a word or a sentence, a
grid of h x w cells.

References
----------
Chen et al., *See-Through-Text Grouping for Referring Image Segmentation*, ICCV 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Channels that say where a cell is.
COORDINATES = 8


def coordinates(rows: int, columns: int) -> Tensor:
    """Say where each cell is, (8, rows, columns); section 3.1.

    Left, top, right and bottom edge and centre (x, y) of the cell, from -1 to 1
    across the image; then 1 / columns and 1 / rows.

    References
    ----------
    Hu et al., *Natural Language Object Retrieval*, CVPR 2016.
    """
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    edges = [2 * x / columns - 1, 2 * y / rows - 1]
    edges += [2 * (x + 1) / columns - 1, 2 * (y + 1) / rows - 1]
    centre = [(2 * x + 1) / columns - 1, (2 * y + 1) / rows - 1]
    sizes = [torch.full((rows, columns), 1 / length) for length in (columns, rows)]
    return torch.stack([*edges, *centre, *sizes])


def word_attention(
    heat: Tensor,
    seen: Tensor,
    said: Tensor,
    is_word: Tensor,
    sharpness: float = 1.0,
    each: int = 1,
) -> Tensor:
    """Weigh the words by what is seen where the heat is: equation 1, without its last factor.

    Parameters
    ----------
    heat
        P of the step before, (N, 1, h, w) from 0 to 1.
    seen
        What is seen of a level, ṽ, (N / each, C, h, w).
    said
        The words, h̃, (N, n, C), or one sentence for all images.
    is_word
        False where a shorter sentence is filled up, (N, n).
    sharpness
        Factor of the heat; the paper's is 1.
    each
        Sentences about each image, which follow each other.

    Returns
    -------
    Σ_i π{P(i)} π{⟨ṽ_i, h̃_j⟩}, (N, n); the sum over the words j is 1.
    """
    alike = torch.einsum("mchw,mkjc->mkjhw", seen, said.unflatten(0, (-1, each))).flatten(0, 1)
    alike = alike.masked_fill(~is_word[:, :, None, None], -torch.inf).softmax(1)
    where = (sharpness * heat).flatten(2).softmax(2)[:, 0]
    return torch.einsum("ni,nji->nj", where, alike.flatten(2))


def attended(weights: Tensor, hidden: Tensor) -> Tensor:
    """Represent the sentence, s (N, D), by weights (N, n) of words h (N, n, D): equation 1."""
    return torch.einsum("nj,njd->nd", weights, hidden)


def embedded(layer: nn.Module, x: Tensor) -> Tensor:
    """Embed what is seen, or said, at length 1 along the channels: equations 2 and 3."""
    return F.normalize(torch.tanh(layer(x)), dim=1)


def step_heat(seen: Tensor, said: Tensor, each: int = 1) -> Tensor:
    """Compare φ(v) with ψ(s) by the rectified cosine: equation 4.

    Parameters
    ----------
    seen
        φ(v) of each image, (N / each, C, h, w).
    said
        ψ(s) of each sentence, (N, C), or of one for all images.
    each
        Sentences about each image, which follow each other.

    Returns
    -------
    Q, the STEP heat map, (N, 1, h, w) from 0 to 1.
    """
    cosine = torch.einsum("mchw,mkc->mkhw", seen, said.unflatten(0, (-1, each)))
    return cosine.flatten(0, 1).relu()[:, None]


class ConvGRU(nn.Module):
    """Convolutional gated recurrent unit: equations 5-8.

    Parameters
    ----------
    filters
        Channels of the state.

    Notes
    -----
    The paper gives kernels of 3 x 3 and three channels of input, but does not say which
    besides the STEP heat map; here it is the heat map alone.
    """

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.entering = nn.Conv2d(1, 3 * filters, 3, padding=1)
        self.gating = nn.Conv2d(filters, 2 * filters, 3, padding=1, bias=False)
        self.remembering = nn.Conv2d(filters, filters, 3, padding=1, bias=False)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """Take a heat map (N, 1, h, w) into the state (N, filters, h, w)."""
        x_f, x_z, x_h = self.entering(x).chunk(3, 1)
        h_f, h_z = self.gating(h).chunk(2, 1)
        reset = torch.sigmoid(h_f + x_f)  # 5
        update = torch.sigmoid(h_z + x_z)  # 6
        new = torch.tanh(self.remembering(reset * h) + x_h)  # 7
        return update * h + (1 - update) * new  # 8


def probability(layer: nn.Module, h: Tensor) -> Tensor:
    """Read the heat map P (N, 1, h, w) off the state by a 1 x 1 convolution: equation 9."""
    return torch.sigmoid(layer(h))


def upsampled(heat: Tensor, size: torch.Size) -> Tensor:
    """Bring P to the size of the image, linearly: equation 10."""
    return F.interpolate(heat, size, mode="bilinear", align_corners=False)


def cross_entropy(heat: Tensor, truth: Tensor) -> Tensor:
    """Mean over all pixels of images (N, 1, H, W), of P from 0 to 1: equation 11."""
    return F.binary_cross_entropy(heat, truth)
