from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from napari_guideme.errors import InputError
from napari_guideme.guidance import DEFAULT_QUESTION, QUESTION_NAMES
from napari_guideme.guidance.features import Features
from napari_guideme.guidance.questions import (
    QUESTIONS,
    Belief,
    away_from,
    condensed,
    entropy,
    lead,
    likeliest,
    merged,
    most_settling,
    peaks,
    question_named,
    settled,
    smallest_margin,
)
from napari_guideme.guidance.residual import Kernel
from napari_guideme.networks.preparation import Placement, Preparation

#: On images whose longest side is 4, ℓ = 1; nearness hardly counts with FAR.
KERNEL = Kernel(temperature=1.0, reach=0.25, noise=0.5)
FAR = Kernel(temperature=1.0, reach=1e3, noise=0.0)

#: Features -1, -1, 1, 1 along a row.
ROW = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])


def features(activation: Tensor) -> Features:
    shape = tuple(activation.shape[2:])
    return Features({"a": activation}, Preparation(ndim=len(shape)), Placement(shape, shape, shape))


def belief(probabilities, activation=ROW, hinted=(), kernel=KERNEL, closed=()) -> Belief:
    values = torch.tensor(probabilities)
    allowed = torch.ones(values.shape[1:], dtype=torch.bool)
    for position in closed:
        allowed[position] = False
    positions = torch.tensor(hinted, dtype=torch.long).reshape(-1, values.ndim - 1)
    return Belief(values, allowed, features(activation), positions, kernel)


def even(*shape: int) -> list:
    """Probabilities of two classes between which nothing is known."""
    return torch.full((2, *shape), 0.5).tolist()


def columns(*indices: int) -> Tensor:
    return torch.tensor([(0, index) for index in indices])


def test_the_margin_rule_asks_where_the_two_likeliest_classes_are_closest():
    probabilities = [  # Gaps 0.7 and 0.02 above 0.16 and 0.3; the least likely winner is (1, 0).
        [[0.8, 0.02], [0.29, 0.0]],
        [[0.1, 0.48], [0.26, 0.65]],
        [[0.1, 0.50], [0.45, 0.35]],
    ]
    square = torch.zeros(1, 1, 2, 2)
    assert smallest_margin(belief(probabilities, square)) == (0, 1)
    assert smallest_margin(belief(probabilities, square, closed=[(0, 1)])) == (1, 0)


def test_of_equal_margins_the_first_is_asked():
    assert smallest_margin(belief(even(1, 4))) == (0, 0)
    assert smallest_margin(belief(even(1, 4), closed=[(0, 0)])) == (0, 1)


def test_without_hints_an_answer_settles_what_looks_alike_and_is_near():
    # Column 0 to columns 0, 1, 2, 3: k = 1, exp(-1/2), exp(-2 - 2), exp(-2 - 9/2).
    score = settled(belief(even(1, 4)), columns(0), columns(0, 1, 2, 3), torch.ones(4))
    k = [1.0, math.exp(-0.5), math.exp(-4), math.exp(-6.5)]
    assert float(score) == pytest.approx(sum(value**2 for value in k) / 1.5)


def test_only_where_there_is_doubt_something_can_be_settled():
    weights = torch.tensor([0.0, 2.0, 0.0, 0.0])
    score = settled(belief(even(1, 4)), columns(0, 1), columns(0, 1, 2, 3), weights)
    expected = [2 * math.exp(-1) / 1.5, 2 / 1.5]
    torch.testing.assert_close(score, torch.tensor(expected))


def test_what_a_hint_has_settled_counts_no_more():
    # k(0, 1) = a = exp(-1/2); after a hint at column 0, of column 1: 1 - a² / 1.5.
    a = math.exp(-0.5)
    left = 1 - a**2 / 1.5
    weights = torch.tensor([1.0])
    score = settled(belief(even(1, 4), hinted=[(0, 0)]), columns(1), columns(1), weights)
    assert float(score) == pytest.approx(left**2 / (left + 0.5), rel=1e-5)


def test_an_answered_pixel_settles_nothing_again():
    exact = Kernel(temperature=1.0, reach=0.25, noise=1e-4)
    state = belief(even(1, 4), hinted=[(0, 0)], kernel=exact)
    score = settled(state, columns(0, 2), columns(0, 1, 2, 3), torch.ones(4))
    assert float(score[0]) < 1e-3
    assert float(score[1]) > 1


def test_after_an_answer_what_looks_different_is_asked_for():
    activation = torch.zeros(1, 1, 4, 32)
    activation[..., 20:] = 1
    probabilities = torch.full((2, 4, 32), 0.5)
    kernel = Kernel(temperature=0.1, reach=10.0, noise=0.005)
    first = most_settling(belief(probabilities.tolist(), activation, kernel=kernel))
    second = most_settling(belief(probabilities.tolist(), activation, [first], kernel=kernel))
    assert first[1] < 20 <= second[1]


def test_the_settle_rule_prefers_a_large_doubt_to_a_sharp_one():
    """One pixel is undecided and alone; a whole region is in some doubt."""
    probabilities = torch.zeros(2, 16, 16)
    probabilities[0] = 1.0
    probabilities[0, 2, 2] = 0.5
    probabilities[0, 8:] = 0.7
    probabilities[1] = 1 - probabilities[0]
    activation = torch.zeros(1, 1, 16, 16)
    activation[..., 8:, :] = 1
    state = belief(probabilities.tolist(), activation, kernel=Kernel(0.1, 0.5, noise=0.005))
    assert smallest_margin(state) == (2, 2)
    assert most_settling(state)[0] >= 8


def test_the_settle_rule_does_not_ask_for_what_is_expected():
    """A large region is background almost surely, a small one looks different and is undecided."""
    probabilities = torch.full((2, 16, 16), 0.95)
    probabilities[0, 12:, 12:] = 0.5
    probabilities[1] = 1 - probabilities[0]
    activation = torch.zeros(1, 1, 16, 16)
    activation[..., 12:, 12:] = 1
    state = belief(probabilities.tolist(), activation, kernel=Kernel(0.1, 0.5, noise=0.005))
    large, small = settled(
        state, torch.tensor([[5, 5], [14, 14]]), *condensed(entropy(state.probabilities), 256)
    )
    assert large > small
    assert min(most_settling(state)) >= 12


def test_closed_pixels_are_not_asked_for():
    closed = [(0, 0), (0, 1), (0, 3)]
    for rule in QUESTIONS.values():
        assert rule(belief(even(1, 4), closed=closed)) == (0, 2)


def test_a_volume_is_asked_about():
    activation = torch.zeros(1, 1, 4, 6, 6)
    activation[:, :, 2:] = 1
    probabilities = torch.full((2, 4, 6, 6), 0.5)
    probabilities[0, :2], probabilities[1, :2] = 0.999, 0.001
    for rule in QUESTIONS.values():
        position = rule(belief(probabilities.tolist(), activation))
        assert len(position) == 3
        assert position[0] >= 2


def test_choosing_is_deterministic_and_changes_nothing():
    probabilities = torch.rand(3, 20, 30).softmax(0)
    activation = torch.rand(1, 4, 20, 30)
    state = belief(probabilities.tolist(), activation, hinted=[(3, 4)])
    before = state.probabilities.clone(), state.open.clone(), state.hinted.clone()
    for rule in QUESTIONS.values():
        assert rule(state) == rule(state)
    for value, expected in zip(
        (state.probabilities, state.open, state.hinted), before, strict=True
    ):
        assert torch.equal(value, expected)


def test_probabilities_of_classes_that_count_as_one_add_up():
    probabilities = torch.tensor([0.4, 0.35, 0.25]).view(3, 1, 1)
    counted = merged(probabilities, [0, 1, 1])
    torch.testing.assert_close(counted.flatten(), torch.tensor([0.4, 0.6, 0.0]))
    # Between border and nucleus there is a doubt that does not count.
    assert float(lead(counted)) == pytest.approx(0.2)
    assert float(lead(probabilities)) == pytest.approx(0.05)


def test_entropy_by_hand():
    probabilities = torch.tensor([[1.0, 0.5], [0.0, 0.25], [0.0, 0.25]])[:, None]
    torch.testing.assert_close(entropy(probabilities)[0], torch.tensor([0.0, 1.5 * math.log(2)]))


def test_peaks_are_the_highest_pixels_of_cells():
    values = torch.tensor([[1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 9.0]])
    assert peaks(values, 2).tolist() == [[0, 1], [1, 3]]
    assert peaks(values, 8).tolist() == [[0, 0], [0, 1], [1, 3]]


def test_without_any_doubt_there_is_still_a_pixel_to_ask_for():
    assert peaks(torch.tensor([[-1.0, 0.0], [-1.0, -1.0]]), 1).tolist() == [[0, 1]]


def test_condensed_places_are_middles_of_cells_and_cells_beyond_the_edge_are_cut():
    values = torch.tensor([[1.0, 3.0, 5.0], [1.0, 3.0, 7.0]])
    places, means = condensed(values, 2)
    assert places.tolist() == [[1, 1], [1, 2]]
    assert means.tolist() == [2.0, 6.0]


def test_away_from_is_a_disc():
    away = away_from([(0, 0), (4, 4)], (5, 5), 1.0)
    assert (~away).nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [3, 4], [4, 3], [4, 4]]
    assert away_from([], (2, 2), 5.0).all()


def test_many_classes_are_narrowed_down():
    assert likeliest(torch.tensor([0.2, 0.5, 0.3])) == [1, 2, 0]
    assert likeliest(torch.arange(12.0)) == [11, 10, 9, 8, 7]


def test_the_rules_are_known_by_name():
    assert list(QUESTIONS) == list(QUESTION_NAMES)
    assert question_named(DEFAULT_QUESTION) is most_settling
    with pytest.raises(InputError, match="unknown rule of asking 'magic'; choose settle, margin"):
        question_named("magic")
