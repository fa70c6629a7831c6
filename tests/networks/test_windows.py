from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.networks.card import NetworkCard, read_card
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.windows import WINDOWS, window_limits


@pytest.mark.parametrize(
    ("told", "limits"),
    [
        ("lung", (-1350, 150)),
        ("Soft tissue", (-150, 250)),
        ("soft_tissue", (-150, 250)),
        ("40,80", (0, 80)),
        ("-600, 1500", (-1350, 150)),
        ([40, 80], (0, 80)),
    ],
)
def test_a_window_is_two_limits(told, limits):
    assert window_limits(told) == limits


@pytest.mark.parametrize(
    "told", ["lungs", "", "1", "1,2,3", "40,0", "40,-8", "nan,80", 7, None, [1]]
)
def test_what_is_no_window_is_told_which_there_are(told):
    with pytest.raises(InputError, match=f"{', '.join(WINDOWS)}, or CENTRE,WIDTH"):
        window_limits(told)


def test_a_card_may_say_a_window(tmp_path):
    path = tmp_path / "a.guideme.toml"
    path.write_text('classes = ["a", "b"]\npreparation = {channels = 1, window = "lung"}\n')
    card = read_card(path)
    prepared = Preparation.from_dict(card.preparation)
    tensor, _ = prepared.prepare(np.array([[-2000, -1350], [-600, 150]], np.int16))
    np.testing.assert_allclose(tensor[0, 0], [[0, 0], [0.5, 1]])


def test_a_window_counts_more_than_a_range_that_another_card_tells():
    card = NetworkCard.from_dict({"preparation": {"window": "brain"}})
    other = NetworkCard(preparation={"value_range": "percentile", "channels": 1})
    prepared = Preparation.from_dict(card.completed(other).preparation)
    assert (prepared.value_range, prepared.limits, prepared.channels) == ("limits", (0, 80), 1)


def test_a_window_beside_a_range_is_refused():
    with pytest.raises(InputError, match="window or value_range, not both"):
        NetworkCard.from_dict({"preparation": {"window": "brain", "value_range": "none"}})
