"""What the pages show is what works."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.networks.preparation import Preparation

PAGE = Path(__file__).parents[1] / "docs" / "networks.md"
CARDS = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", CARDS, ids=lambda text: text.splitlines()[0])
def test_cards_that_are_shown_are_read(text):
    assert NetworkCard.from_dict(tomllib.loads(text)).classes


def test_all_entries_of_a_card_are_shown():
    cards = [tomllib.loads(text) for text in CARDS]
    assert {key for card in cards for key in card} == set(NetworkCard.__dataclass_fields__)
    prepared = {key for card in cards for key in card.get("preparation", {})}
    assert prepared == set(Preparation.__dataclass_fields__)
    clicked = {key for card in cards for key in card.get("interaction", {})}
    assert clicked == set(InteractionMaps.__dataclass_fields__)
