from __future__ import annotations

from math import atanh, e, log

import pytest
import torch
from torch import nn

from napari_guideme.referring.equations import (
    ConvGRU,
    attended,
    coordinates,
    cross_entropy,
    embedded,
    probability,
    step_heat,
    upsampled,
    word_attention,
)


def test_coordinates_are_edges_centre_and_size_of_a_cell():
    found = coordinates(2, 4)
    assert found.shape == (8, 2, 4)
    # The cell in the second row and the third column, in a picture from -1 to 1.
    left, top, right, bottom = 0.0, 0.0, 0.5, 1.0
    expected = [left, top, right, bottom, 0.25, 0.5, 1 / 4, 1 / 2]
    torch.testing.assert_close(found[:, 1, 2], torch.tensor(expected))


@pytest.mark.parametrize(("hot", "sharpness"), [(log(3), 1.0), (1.0, log(3))])
def test_the_sentence_is_attended_where_the_heat_is(hot, sharpness):
    heat = torch.tensor([0.0, hot]).view(1, 1, 1, 2)  # π{P} = 1/4, 3/4
    seen = torch.tensor([0.0, log(2)]).view(1, 1, 1, 2)
    said = torch.tensor([1.0, 2.0, 9.0]).view(1, 3, 1)
    is_word = torch.tensor([[True, True, False]])
    weights = word_attention(heat, seen, said, is_word, sharpness)
    # In the first cell both words are 1/2, in the second one 2/6 and 4/6:
    # 1/4 · 1/2 + 3/4 · 1/3 = 3/8 and 1/4 · 1/2 + 3/4 · 2/3 = 5/8.
    torch.testing.assert_close(weights, torch.tensor([[3 / 8, 5 / 8, 0.0]]))
    hidden = torch.tensor([[[8.0, 0.0], [0.0, 16.0], [5.0, 5.0]]])
    torch.testing.assert_close(attended(weights, hidden), torch.tensor([[3.0, 10.0]]))


def test_one_sentence_serves_many_images():
    heat, seen = torch.rand(3, 1, 2, 2), torch.rand(3, 4, 2, 2)
    said, is_word = torch.rand(1, 5, 4), torch.ones(1, 5, dtype=torch.bool)
    weights = word_attention(heat, seen, said, is_word)
    torch.testing.assert_close(weights.sum(1), torch.ones(3))
    alone = word_attention(heat[1:2], seen[1:2], said, is_word)
    torch.testing.assert_close(weights[1:2], alone)
    assert attended(weights, torch.rand(1, 5, 6)).shape == (3, 6)


def test_what_is_embedded_has_length_one():
    x = torch.tensor([atanh(0.3), atanh(0.4)]).view(1, 2, 1, 1)
    # tanh gives (0.3, 0.4), which is 0.5 long.
    expected = torch.tensor([0.6, 0.8]).view(1, 2, 1, 1)
    torch.testing.assert_close(embedded(nn.Identity(), x), expected)
    torch.testing.assert_close(embedded(nn.Identity(), x[..., 0, 0]), expected[..., 0, 0])


def test_the_step_heat_is_the_rectified_cosine():
    seen = torch.tensor([[0.6, 0.8], [-1.0, 0.0]]).T.view(1, 2, 1, 2)
    heat = step_heat(seen, torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(heat, torch.tensor([0.6, 0.0]).view(1, 1, 1, 2))


def test_the_gru_forgets_and_updates():
    gru = ConvGRU(1)
    for parameter in gru.parameters():
        nn.init.zeros_(parameter)
    a = atanh(0.25)
    # x = 1 and h = 1/2. Each sum is made of one half by h, a quarter by x, a quarter by b:
    # reset: log 3, so 3/4; update: -log 4, so 1/5; new: atanh 1/4, so 1/4, of 3/4 · h = 3/8.
    sums = torch.tensor([log(3), -log(4), a])
    with torch.no_grad():
        gru.entering.weight[:, 0, 1, 1] = sums / 4
        gru.entering.bias[:] = sums / 4
        gru.gating.weight[:, 0, 1, 1] = sums[:2]
        gru.remembering.weight[0, 0, 1, 1] = a / 2 / (3 / 8)
    h = gru(torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 0.5))
    # 1/5 · 1/2 + 4/5 · 1/4 = 3/10
    torch.testing.assert_close(h, torch.full((1, 1, 1, 1), 0.3))


def test_the_gru_sees_the_neighbours_of_a_cell():
    gru, start = ConvGRU(4), torch.zeros(1, 4, 1, 1)
    x = torch.zeros(1, 1, 5, 5)
    before = gru(x, start)
    x[0, 0, 2, 2] = 1
    changed = (gru(x, start) != before).any(1)[0]
    assert changed[1:4, 1:4].all()
    assert changed.sum() == 9


def test_the_heat_is_read_off_the_state():
    layer = nn.Conv2d(2, 1, 1)
    with torch.no_grad():
        layer.weight[0, :, 0, 0] = torch.tensor([1.0, 2.0])
        layer.bias[:] = -1
    h = torch.tensor([log(4) - 1, 1.0]).view(1, 2, 1, 1)
    # log 4 - 1 + 2 - 1 = log 4, and 4 / (1 + 4) = 0.8.
    torch.testing.assert_close(probability(layer, h), torch.full((1, 1, 1, 1), 0.8))


def test_the_heat_is_upsampled_between_the_centres_of_cells():
    heat = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    found = upsampled(heat, torch.Size((1, 4)))
    torch.testing.assert_close(found.flatten(), torch.tensor([0.0, 0.25, 0.75, 1.0]))


def test_the_loss_is_the_mean_surprise():
    heat, truth = torch.tensor([[1 / e, 0.25]]), torch.tensor([[1.0, 0.0]])
    # -log(1/e) = 1 and -log(3/4).
    assert float(cross_entropy(heat, truth)) == pytest.approx((1 - log(3 / 4)) / 2)
