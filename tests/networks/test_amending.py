from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from napari_guideme.errors import InputError
from napari_guideme.networks.amending import amended, is_amendable
from tests.untouched import untouched


def card_with(network, **preparation):
    card = network.card
    return replace(card, preparation={**card.preparation, **preparation})


def test_the_same_graph_serves_other_names_and_values(network):
    card = replace(card_with(network, mean=(0.25,)), classes=("a", "b"), separator="b")
    assert is_amendable(network, card)
    known = network.fingerprint
    with untouched(network._graph_module):
        other = amended(network, card)
    x = torch.rand(1, 1, 8, 8)
    torch.testing.assert_close(other.observe(x)[0], network.observe(x)[0], atol=0, rtol=0)
    assert (other.classes, other.separator) == (("a", "b"), "b")
    assert other.preparation.mean == (0.25,)
    assert other.fingerprint != network.fingerprint == known
    assert (network.classes, network.preparation.mean) == (("background", "cell"), (0.0,))


@pytest.mark.parametrize("entry", [{"size": (24, 24)}, {"channels": 3}, {"multiple": 48}])
def test_another_input_needs_another_graph(network, entry):
    assert not is_amendable(network, card_with(network, **entry))


def test_the_number_of_classes_stays(network):
    with pytest.raises(InputError, match="has 2 classes, the card 3"):
        amended(network, replace(network.card, classes=("a", "b", "c")))
