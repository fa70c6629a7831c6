"""See-through-Text: a sentence and the levels of an encoder become a heat map, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_guideme.errors import InputError
from napari_guideme.networks.lite0 import STAGES, TAPPED
from napari_guideme.referring.design import Comparing, Design
from napari_guideme.referring.equations import (
    COORDINATES,
    ConvGRU,
    attended,
    coordinates,
    embedded,
    probability,
    step_heat,
    word_attention,
)
from napari_guideme.referring.reader import Read, Reader

#: Channels of the encoder's levels, and pixels of its input per cell.
CHANNELS = tuple(STAGES[index][3] for index in TAPPED)
STRIDES = (2, 4, 8, 16, 32)

#: Of the atrous convolution.
_RATE = 3

#: Of the coordinates, so that where a cell is counts beside its many features from the start.
_WHERE = 5.0

#: Logit of the share of an image that is referred to.
_FEW = -2.0


@dataclass(frozen=True)
class Step:
    """One step in time.

    Attributes
    ----------
    heat
        STEP heat map Q, (N, 1, grid, grid) from 0 to 1.
    refined
        Heat map P, (N, 1, grid, grid) from 0 to 1.
    sentence
        Representation of the sentence s, (N, D).
    """

    heat: Tensor
    refined: Tensor
    sentence: Tensor


class SeeThroughText(nn.Module):
    """All that is learned: how sentences are read, and what they mean in an image.

    Parameters
    ----------
    known
        Words that it knows.
    vectors
        Their vectors, (words, dimensions).
    design
        Sizes and parts.

    References
    ----------
    Chen et al., ICCV 2019.
    """

    def __init__(self, known: Iterable[str], vectors: Tensor, design: Design | None = None) -> None:
        super().__init__()
        self.design = design or Design()
        if vectors.shape[1:] != (self.design.dimensions,):
            raise InputError(
                f"the word vectors have shape {tuple(vectors.shape)}; expected are "
                f"{self.design.dimensions} values each"
            )
        self.reader = Reader(known, vectors, self.design.hidden)
        self.grouping = Grouping(self.design)

    @property
    def device(self) -> torch.device:
        """Where sentences are followed."""
        return self.grouping.start.device

    def forward(self, levels: Sequence[Tensor], sentences: Sequence[str]) -> Tensor:
        """Map five levels of images, see :func:`pooled`, and N sentences to P.

        Each level is (M, C, h, w). If sentences are more than images, the first N / M
        sentences are about the first image, and so on.

        Returns
        -------
        (N, 1, grid, grid), from 0 to 1.
        """
        each = len(sentences) // len(levels[0])
        heat: Tensor = self.grouping(levels, self.reader(sentences), each)
        return heat


class Grouping(nn.Module):
    """The steps through all levels, for sentences that were read."""

    start: Tensor

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design, said = design, 2 * design.hidden
        wide = [channels + COORDINATES for channels in CHANNELS]
        self.levels = nn.ModuleList(_Level(channels, design.grid) for channels in CHANNELS)
        self.comparing = _COMPARING[design.comparing](wide, said, design.embedding)
        self.attending = _Attending(wide, said, design) if design.re_attends else None
        self.gru = ConvGRU(design.filters) if design.refining == "conv-gru" else None
        weighted = (_Weighted(design.filters) for _ in range(0 if self.gru else design.steps))
        self.weighted = nn.ModuleList(weighted)
        self.reading = nn.Conv2d(design.filters, 1, 1)
        # Heat that is too much everywhere would go all one way first: to where the rectifier
        # of equation 4 is dead, or to the same in every cell.
        nn.init.constant_(self.reading.get_parameter("bias"), _FEW)
        self.register_buffer("start", torch.zeros(1, design.filters, 1, 1), persistent=False)

    def forward(self, levels: Sequence[Tensor], read: Read, each: int = 1) -> Tensor:
        """Return P of the last step, (N, 1, grid, grid)."""
        *_, last = self.steps(levels, read, each)
        return last.refined

    def steps(self, levels: Sequence[Tensor], read: Read, each: int = 1) -> Iterator[Step]:
        """Go through the levels, from fine to coarse, fold after fold.

        There are so many sentences about each image, or one about all.
        """
        visual = [own(level) for own, level in zip(self.levels, levels, strict=True)]
        seen = [self.comparing.see(index, v) for index, v in enumerate(visual)]
        attending = self.attending
        by_words = [attending.see(index, v) for index, v in enumerate(visual)] if attending else []
        state, heat, sentence = self.start, None, read.last
        for time in range(self.design.steps):
            level = time % len(visual)
            if attending and heat is not None:
                sentence = attending(heat, by_words[level], read, each)
            step = self.comparing(seen[level], sentence, each)
            state = (self.gru or self.weighted[time])(step, state)
            heat = probability(self.reading, state)
            yield Step(step, heat, sentence)


class _Level(nn.Module):
    """What is seen of one level, v: atrous convolution and coordinates; section 3.1."""

    where: Tensor

    def __init__(self, channels: int, grid: int) -> None:
        super().__init__()
        self.grid = (grid, grid)
        self.context = nn.Conv2d(channels, channels, 3, padding=_RATE, dilation=_RATE)
        where = torch.cat([torch.zeros(channels, grid, grid), _WHERE * coordinates(grid, grid)])
        self.register_buffer("where", where, persistent=False)

    def forward(self, level: Tensor) -> Tensor:
        """Map a level (N, C, h, w) to v, (N, C + 8, grid, grid)."""
        features = F.relu(self.context(level))
        features = F.interpolate(features, self.grid, mode="bilinear", align_corners=False)
        # Added to channels of zeros, they can be traced for any N.
        return F.pad(features, (0, 0, 0, 0, 0, COORDINATES)) + self.where


class _Attending(nn.Module):
    """Equation 1: the sentence, represented anew."""

    def __init__(self, wide: Sequence[int], said: int, design: Design) -> None:
        super().__init__()
        self.seen = nn.ModuleList(nn.Conv2d(n, design.attention, 1) for n in wide)
        self.said = nn.Linear(said, design.attention)
        self.sharpness = design.sharpness

    def see(self, level: int, visual: Tensor) -> Tensor:
        """Map v of a level to ṽ, (N, attention, h, w)."""
        seen: Tensor = self.seen[level](visual)
        return seen

    def forward(self, heat: Tensor, seen: Tensor, read: Read, each: int) -> Tensor:
        """Map the last heat map (N, 1, h, w) and ṽ to s, (N, D)."""
        said = self.said(read.hidden)
        weights = word_attention(heat, seen, said, read.is_word, self.sharpness, each)
        return attended(weights, read.hidden)


class _CoEmbedding(nn.Module):
    """Equations 2-4: cosine of what is seen and what is said."""

    def __init__(self, wide: Sequence[int], said: int, embedding: int) -> None:
        super().__init__()
        self.seen = nn.ModuleList(nn.Conv2d(n, embedding, 1) for n in wide)
        self.said = nn.Linear(said, embedding)

    def see(self, level: int, visual: Tensor) -> Tensor:
        """Embed v of a level, (N, embedding, h, w)."""
        return embedded(self.seen[level], visual)

    def forward(self, seen: Tensor, sentence: Tensor, each: int) -> Tensor:
        """Compare it with s (N, D): the STEP heat map, (N, 1, h, w)."""
        return step_heat(seen, embedded(self.said, sentence), each)


class _Concatenation(nn.Module):
    """Two layers on what is seen and said side by side, in the place of the co-embedding.

    A layer on two vectors side by side is the sum of one on each.
    """

    def __init__(self, wide: Sequence[int], said: int, embedding: int) -> None:
        super().__init__()
        self.seen = nn.ModuleList(nn.Conv2d(n, embedding, 1) for n in wide)
        self.said = nn.Linear(said, embedding)
        self.join = nn.Conv2d(embedding, 1, 1)

    def see(self, level: int, visual: Tensor) -> Tensor:
        """First layer on v of a level, (N, embedding, h, w)."""
        seen: Tensor = self.seen[level](visual)
        return seen

    def forward(self, seen: Tensor, sentence: Tensor, each: int) -> Tensor:
        """Add that on s (N, D), and join both to one channel, (N, 1, h, w)."""
        said = self.said(sentence)[:, :, None, None].unflatten(0, (-1, each))
        joined: Tensor = self.join(F.relu(seen[:, None] + said).flatten(0, 1))
        return joined


_COMPARING: dict[Comparing, type[_CoEmbedding | _Concatenation]] = {
    "co-embedding": _CoEmbedding,
    "concatenation": _Concatenation,
}


class _Weighted(nn.Module):
    """One heat map's share of a 1 x 1 convolution of all of them."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.weight = nn.Conv2d(1, filters, 1, bias=False)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """Add a heat map (N, 1, h, w) to the sum so far (N, filters, h, w)."""
        total: Tensor = h + self.weight(x)
        return total


def pooled(activations: Sequence[Tensor], design: Design) -> list[Tensor]:
    """Bring those of the encoder's levels that are finer than the grid down to it.

    What follows is learned; so far nothing is, and what was computed of an image can
    be kept.
    """
    return [
        F.adaptive_avg_pool2d(own, design.grid) if design.side // stride > design.grid else own
        for own, stride in zip(activations, STRIDES, strict=True)
    ]
