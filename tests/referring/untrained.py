"""A small See-through-Text that has learnt nothing yet."""

from __future__ import annotations

from dataclasses import replace

import torch

from napari_guideme.referring.design import Design
from napari_guideme.referring.see_through_text import SeeThroughText

WORDS = ("the", "left", "right", "dog", "larger")

SMALL = Design(
    side=64, grid=8, dimensions=4, hidden=3, attention=4, embedding=6, filters=5, folds=2
)


def untrained(**told: object) -> SeeThroughText:
    torch.manual_seed(0)
    design = replace(SMALL, **told)
    return SeeThroughText(WORDS, torch.randn(len(WORDS), design.dimensions), design).eval()
