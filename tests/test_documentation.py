"""What the pages show is what works."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.preparation import Preparation

PAGE = Path(__file__).parents[1] / "docs" / "networks.md"
CARDS = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", CARDS, ids=lambda text: text.splitlines()[0])
def test_cards_that_are_shown_are_read(text):
    assert NetworkCard.from_dict(tomllib.loads(text)).classes


def test_all_entries_of_a_card_are_shown():
    shown = tomllib.loads(CARDS[0])
    assert set(shown) == set(NetworkCard.__dataclass_fields__)
    assert set(shown["preparation"]) == set(Preparation.__dataclass_fields__)
