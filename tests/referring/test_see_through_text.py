from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from napari_guideme.errors import InputError
from napari_guideme.networks.lite0 import Encoder
from napari_guideme.referring.design import Design
from napari_guideme.referring.see_through_text import SeeThroughText, pooled
from tests.referring.untrained import SMALL, WORDS, untrained

#: Sides of the encoder's activations of an image of 64 x 64, none finer than the grid.
SIDES = (8, 8, 8, 4, 2)


@pytest.fixture
def levels() -> list[torch.Tensor]:
    channels = (16, 24, 40, 112, 320)
    return [torch.rand(2, n, side, side) for n, side in zip(channels, SIDES, strict=True)]


def steps(network: SeeThroughText, levels: list[torch.Tensor]) -> list:
    with torch.no_grad():
        read = network.reader(["the left dog", "the larger one on the right"])
        return list(network.grouping.steps(levels, read))


def test_levels_finer_than_the_grid_are_pooled():
    seen = pooled(Encoder().eval()(torch.rand(1, 3, 64, 64)), SMALL)
    assert [level.shape[2] for level in seen] == list(SIDES)
    coarse = [torch.arange(4.0).view(1, 1, 2, 2)] * 5
    one = Design(side=4, grid=1)
    # 4 / 2 = 2 cells are finer than one: their mean is 1.5. The others have a stride of 4 and more.
    assert pooled(coarse, one)[0].item() == 1.5
    assert all(level is coarse[0] for level in pooled(coarse, one)[1:])


def test_every_fold_goes_through_all_levels_with_the_same_weights(levels):
    once, twice = untrained(folds=1), untrained(folds=2)
    assert once.state_dict().keys() == twice.state_dict().keys()
    five, ten = steps(once, levels), steps(twice, levels)
    assert (len(five), len(ten)) == (5, 10)
    for a, b in zip(five, ten, strict=False):
        torch.testing.assert_close(a.refined, b.refined)
    for step in ten:
        assert step.heat.shape == step.refined.shape == (2, 1, 8, 8)
        assert step.sentence.shape == (2, 6)
        assert 0 <= step.heat.min() <= step.heat.max() <= 1
        assert 0 < step.refined.min() <= step.refined.max() < 1
    with torch.no_grad():
        heat = twice(levels, ["the left dog", "the larger one on the right"])
    torch.testing.assert_close(heat, ten[-1].refined)


def test_the_sentence_is_represented_anew_from_the_second_step_on(levels):
    network = untrained()
    said = [step.sentence for step in steps(network, levels)]
    read = network.reader(["the left dog", "the larger one on the right"])
    torch.testing.assert_close(said[0], read.last)
    assert all(not torch.allclose(a, b) for a, b in pairwise(said))
    # It lies between the words, so no value goes beyond theirs.
    dog = read.hidden[0, :3]
    assert all((s[0] <= dog.amax(0) + 1e-6).all() for s in said[1:])


def test_where_the_heat_is_counts_more_if_it_is_sharper(levels):
    soft, sharp = (steps(untrained(sharpness=s), levels) for s in (1.0, 30.0))
    torch.testing.assert_close(soft[0].refined, sharp[0].refined)
    assert not torch.allclose(soft[1].sentence, sharp[1].sentence)


def test_without_re_attention_the_sentence_stays(levels):
    network = untrained(re_attends=False)
    said = [step.sentence for step in steps(network, levels)]
    assert all(torch.equal(said[0], s) for s in said)
    assert not any("attending" in name for name in network.state_dict())


def test_a_1x1_convolution_of_all_step_heat_maps(levels):
    network = untrained(refining="1x1")
    taken = steps(network, levels)
    grouping = network.grouping
    assert grouping.gru is None
    # Σ_t w_t Q_t read by (r, b) is one convolution of all Q_t by r · w_t.
    entering = torch.cat([one.weight.weight for one in grouping.weighted], 1)[:, :, 0, 0]
    kernel = (grouping.reading.weight[0, :, 0, 0] @ entering).view(1, -1, 1, 1)
    heats = torch.cat([step.heat for step in taken], 1)
    expected = torch.sigmoid(F.conv2d(heats, kernel, grouping.reading.bias))
    torch.testing.assert_close(taken[-1].refined, expected)


def test_concatenation_is_two_layers_on_both_side_by_side(levels):
    network = untrained(comparing="concatenation")
    first = steps(network, levels)[0]
    with torch.no_grad():
        visual = network.grouping.levels[0](levels[0])
        last = network.reader(["the left dog", "the larger one on the right"]).last
        beside = torch.cat([visual, last[:, :, None, None].expand(-1, -1, 8, 8)], 1)
        layer, said = network.grouping.comparing.seen[0], network.grouping.comparing.said
        weights = torch.cat([layer.weight, said.weight[:, :, None, None]], 1)
        hidden = F.conv2d(beside, weights, layer.bias + said.bias).relu()
        expected = network.grouping.comparing.join(hidden)
    torch.testing.assert_close(first.heat, expected)


def test_what_is_seen_comes_with_where_it_is(levels):
    visual = untrained().grouping.levels[4](levels[4])
    assert visual.shape == (2, 320 + 8, 8, 8)
    # The first cell of eight: left and top edge -1, right and bottom edge -3/4, centre -7/8.
    expected = torch.tensor([-1, -1, -3 / 4, -3 / 4, -7 / 8, -7 / 8, 1 / 8, 1 / 8])
    torch.testing.assert_close(visual[1, 320:, 0, 0], 5 * expected)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"folds": 0}, "folds = 0 is no whole number from 1 to 16"),
        ({"grid": 2.5}, "grid = 2.5 is no whole number"),
        ({"hidden": True}, "hidden = True is no whole number"),
        ({"sharpness": -1.0}, "sharpness = -1.0 is no positive number"),
        ({"re_attends": "no"}, "neither true nor false"),
        ({"refining": "lstm"}, "refining = 'lstm' is unknown; choose conv-gru, 1x1"),
        ({"comparing": None}, "comparing = None is unknown; choose co-embedding, concatenation"),
    ],
)
def test_impossible_designs_are_refused(told, message):
    with pytest.raises(InputError, match=message):
        Design(**told)


def test_the_papers_sizes_are_the_defaults():
    network = SeeThroughText(WORDS, torch.zeros(len(WORDS), 300))
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["reader.lstm.weight_hh_l0_reverse"] == (4 * 1000, 1000)
    assert shapes["grouping.attending.said.weight"] == (400, 2000)
    assert shapes["grouping.comparing.said.weight"] == (1000, 2000)
    assert shapes["grouping.comparing.seen.4.weight"] == (1000, 320 + 8, 1, 1)
    assert shapes["grouping.gru.remembering.weight"] == (32, 32, 3, 3)


def test_word_vectors_of_another_size_are_refused():
    with pytest.raises(InputError, match=r"shape \(5, 7\); expected are 4 values each"):
        SeeThroughText(WORDS, torch.zeros(5, 7), SMALL)
