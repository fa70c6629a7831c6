"""A small See-through-Text that has learnt nothing yet."""

from __future__ import annotations

from dataclasses import replace

import torch

from napari_guideme.referring.design import Design
from napari_guideme.referring.reader import Read
from napari_guideme.referring.see_through_text import SeeThroughText

WORDS = ("the", "left", "right", "dog", "larger")

SMALL = Design(
    side=64, grid=8, dimensions=4, hidden=3, attention=4, embedding=6, filters=5, folds=2
)


def untrained(**told: object) -> SeeThroughText:
    torch.manual_seed(0)
    design = replace(SMALL, **told)
    return SeeThroughText(WORDS, torch.randn(len(WORDS), design.dimensions), design).eval()


def listening(network: SeeThroughText) -> SeeThroughText:
    """Let it hear all sentences alike: on the device ``meta`` none can be read."""
    wide, device = 2 * network.design.hidden, network.device
    hidden, last = torch.zeros(1, 3, wide, device=device), torch.zeros(1, wide, device=device)
    read = Read(hidden, last, torch.ones(1, 3, dtype=torch.bool, device=device))
    network.reader.forward = lambda sentences: read
    return network
