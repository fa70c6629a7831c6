from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from napari_guideme.errors import InputError
from napari_guideme.guidance import DEFAULT_QUESTION, QUESTION_NAMES
from napari_guideme.guidance.doubt import doubted, lead
from napari_guideme.guidance.features import Features
from napari_guideme.guidance.kernel import Kernel
from napari_guideme.guidance.questions import (
    CONFIRMED,
    QUESTIONS,
    Belief,
    left_open,
    likeliest,
    merged,
    most_settling,
    question_named,
    rarity,
    smallest_margin,
)
from napari_guideme.guidance.support import Support
from napari_guideme.networks.preparation import Placement, Preparation
from napari_guideme.spacing import relative

#: Every hint reaches ℓ = 1/4 of the longest side, whatever its depth.
KERNEL = Kernel(temperature=1.0, nearest=0.25, growth=0.0, curvature=0.0)

#: The reach is the depth; looks hardly count.
DEEP = Kernel(temperature=1e3, nearest=0.01, growth=1.0, curvature=0.0)

#: Looks do not count.
BLIND = Kernel(temperature=1e6)

#: Features -1, -1, 1, 1 along a row.
ROW = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])


def features(activation: Tensor) -> Features:
    shape = tuple(activation.shape[2:])
    return Features({"a": activation}, Preparation(ndim=len(shape)), Placement(shape, shape, shape))


def belief(
    probabilities, activation=ROW, hinted=(), kernel=KERNEL, closed=(), spacing=None
) -> Belief:
    values = torch.tensor(probabilities)
    sizes = relative(spacing, values.ndim - 1)
    allowed = torch.ones(values.shape[1:], dtype=torch.bool)
    for position in closed:
        allowed[position] = False
    positions = torch.tensor(hinted, dtype=torch.long).reshape(-1, values.ndim - 1)
    ones = torch.ones(len(positions))
    support = Support(
        positions, torch.zeros(len(positions), dtype=torch.long), ones, ones, 0 * ones, ones
    )
    seen = features(activation)
    labels = values.argmax(0)
    doubt = doubted(values, labels)
    return Belief(values, labels, doubt, allowed, seen, support, kernel, sizes)


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


def test_without_hints_all_is_open():
    assert left_open(belief(even(1, 4)), columns(0, 3)).tolist() == [1.0, 1.0]


def test_what_looks_like_a_hint_and_is_near_is_left_open_least():
    # Column 0 to columns 0, 1, 2, 3: k = 1, exp(-1/2), exp(-2 - 2), exp(-2 - 9/2).
    state = belief(even(1, 4), hinted=[(0, 0)])
    k = torch.tensor([1.0, math.exp(-0.5), math.exp(-4), math.exp(-6.5)])
    torch.testing.assert_close(left_open(state, columns(0, 1, 2, 3)), 1 - k)


def test_every_hint_takes_its_share_of_what_is_open():
    state = belief(even(1, 4), hinted=[(0, 0), (0, 3)])
    near, far = math.exp(-0.5), math.exp(-2 - 2)
    expected = torch.tensor([(1 - near) * (1 - far)])
    torch.testing.assert_close(left_open(state, columns(1)), expected)


def test_after_an_answer_what_looks_different_is_asked_for():
    activation = torch.zeros(1, 1, 4, 32)
    activation[..., 20:] = 1
    probabilities = torch.full((2, 4, 32), 0.5)
    kernel = Kernel(temperature=0.1, nearest=10.0)
    state = belief(probabilities.tolist(), activation, kernel=kernel)
    first = most_settling(state)
    support = replace(
        belief(even(4, 32), activation, [first]).support, reaches=torch.tensor([320.0])
    )
    second = most_settling(replace(state, support=support))
    assert first[1] < 20 <= second[1]


def test_of_two_equally_doubtful_regions_the_middle_of_the_larger_is_asked_for():
    """A region of 7 x 7 and one of 3 x 3 in an image of which nothing else is in doubt."""
    probabilities = torch.zeros(2, 16, 16)
    probabilities[0] = 1.0
    probabilities[0, 1:8, 1:8] = probabilities[0, 11:14, 11:14] = 0.4
    probabilities[1] = 1 - probabilities[0]
    state = belief(probabilities.tolist(), torch.zeros(1, 1, 16, 16), kernel=DEEP)
    assert most_settling(state) == (4, 4)


def test_doubt_about_a_rare_class_weighs_more():
    labels = torch.tensor([[0, 0, 0, 2]])
    common, rare = 1 / math.sqrt(3 / 4), 1 / math.sqrt(1 / 4)
    expected = torch.tensor([[common, common, common, rare]])
    torch.testing.assert_close(rarity(labels), expected)


def test_of_two_equally_doubtful_regions_that_of_the_rarer_class_is_asked_for():
    """One of 5 x 5, of a class that has 9 x 16 more, and one of 4 x 4 of a class without more.

    The sums of the doubt are as 25 to 16; weighed, they are as 25 / 13 to 16 / 4.
    """
    probabilities = torch.zeros(3, 16, 16)
    probabilities[0] = 1.0
    for label, rows, columns in ((1, slice(1, 6), slice(1, 6)), (2, slice(1, 5), slice(9, 13))):
        probabilities[0, rows, columns] = 0.4
        probabilities[label, rows, columns] = 0.6
    probabilities[0, 7:], probabilities[1, 7:] = 0.0, 1.0
    state = belief(probabilities.tolist(), torch.zeros(1, 1, 16, 16), kernel=NEAR)
    assert most_settling(state)[1] >= 9


def test_the_settle_rule_prefers_a_large_doubt_to_a_sharp_one():
    """One pixel is undecided and alone; a whole region is in some doubt."""
    probabilities = torch.zeros(2, 16, 16)
    probabilities[0] = 1.0
    probabilities[0, 2, 2] = 0.5
    probabilities[0, 8:] = 0.7
    probabilities[1] = 1 - probabilities[0]
    state = belief(probabilities.tolist(), torch.zeros(1, 1, 16, 16), kernel=DEEP)
    assert smallest_margin(state) == (2, 2)
    assert most_settling(state)[0] >= 8


def test_the_settle_rule_does_not_ask_for_what_is_expected():
    """A large region is background almost surely, a small one looks different and is undecided."""
    probabilities = torch.full((2, 16, 16), 0.95)
    probabilities[0, 12:, 12:] = 0.5
    probabilities[1] = 1 - probabilities[0]
    activation = torch.zeros(1, 1, 16, 16)
    activation[..., 12:, 12:] = 1
    kernel = Kernel(temperature=0.1, nearest=0.5, growth=0.0, curvature=0.0)
    assert min(most_settling(belief(probabilities.tolist(), activation, kernel=kernel))) >= 12


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
    before = state.probabilities.clone(), state.open.clone(), state.labels.clone()
    for rule in QUESTIONS.values():
        assert rule(state) == rule(state)
    for value, expected in zip(
        (state.probabilities, state.open, state.labels), before, strict=True
    ):
        assert torch.equal(value, expected)


def test_probabilities_of_classes_that_count_as_one_add_up():
    probabilities = torch.tensor([0.4, 0.35, 0.25]).view(3, 1, 1)
    counted = merged(probabilities, [0, 1, 1])
    torch.testing.assert_close(counted.flatten(), torch.tensor([0.4, 0.6, 0.0]))
    # Between border and nucleus there is a doubt that does not count.
    assert float(lead(counted)) == pytest.approx(0.2)
    assert float(lead(probabilities)) == pytest.approx(0.05)


def test_many_classes_are_narrowed_down():
    assert likeliest(torch.tensor([0.2, 0.5, 0.3])) == [1, 2, 0]
    assert likeliest(torch.arange(12.0)) == [11, 10, 9, 8, 7]


def test_the_rules_are_known_by_name():
    assert list(QUESTIONS) == list(QUESTION_NAMES)
    assert question_named(DEFAULT_QUESTION) is most_settling
    with pytest.raises(InputError, match="unknown rule of asking 'magic'; choose settle, margin"):
        question_named("magic")


def test_an_answer_settles_as_far_as_its_pixels_are_large():
    # One hint in the middle, ℓ = 1: what is one row away is two columns away.
    kernel = replace(BLIND, nearest=1 / math.sqrt(18), growth=0.0, curvature=0.0)
    tall = belief(even(3, 5), torch.zeros(1, 1, 3, 5), [(1, 2)], kernel, spacing=(2, 1))
    left = left_open(tall, torch.tensor([(0, 2), (1, 0), (1, 4), (1, 3)]))
    near, far = 1 - math.exp(-0.25), 1 - math.exp(-1)
    torch.testing.assert_close(left, torch.tensor([far, far, far, near]), atol=1e-4, rtol=0)


def two_things() -> Tensor:
    """Two bars of 3 x 13 pixels that are things.

    Little is known of the first but in its middle; all of the second is in some doubt.
    """
    probabilities = torch.zeros(2, 16, 17)
    probabilities[0] = 1.0
    probabilities[0, 2:5, 2:15] = 0.45
    probabilities[0, 3, 8] = 0.01
    probabilities[0, 10:13, 2:15] = 0.35
    probabilities[1] = 1 - probabilities[0]
    return probabilities


#: Reaches less than a pixel, so that only regions make an answer worth more.
NEAR = Kernel(temperature=1e6, nearest=0.02, growth=0.0, curvature=0.0)


def closed_but_the_middles() -> list[tuple[int, int]]:
    return [(r, c) for r in range(16) for c in range(17) if (r, c) not in ((3, 8), (11, 8))]


def test_in_the_middle_of_a_region_the_doubt_of_all_of_it_counts():
    # The first bar's middle is sure, and of the bar as a whole less is known than of the second.
    state = belief(
        two_things().tolist(),
        torch.zeros(1, 1, 16, 17),
        kernel=NEAR,
        closed=closed_but_the_middles(),
    )
    assert most_settling(state) == (3, 8)
    alone = replace(state, kernel=replace(NEAR, middle=2.0))
    assert most_settling(alone) == (11, 8)


def test_a_region_that_a_hint_called_right_is_no_longer_asked_for_as_a_whole():
    state = belief(
        two_things().tolist(),
        torch.zeros(1, 1, 16, 17),
        kernel=NEAR,
        closed=closed_but_the_middles(),
    )
    ones = torch.ones(1)
    right = Support(torch.tensor([[3, 3]]), torch.tensor([1]), ones, ones, 0 * ones, ones)
    assert most_settling(replace(state, support=right)) == (11, 8)
    wrong = replace(right, classes=torch.tensor([0]))
    assert most_settling(replace(state, support=wrong)) == (3, 8)


def test_an_answer_that_confirms_a_label_settles_much_of_its_region():
    probabilities = two_things()
    state = belief(probabilities.tolist(), torch.zeros(1, 1, 16, 17), kernel=NEAR)
    ones = torch.ones(2)
    told = Support(torch.tensor([[3, 3], [11, 3]]), torch.tensor([1, 0]), ones, ones, ones, ones)
    far = torch.tensor([[3, 12], [11, 12], [8, 8]])
    left = left_open(replace(state, support=told), far)
    torch.testing.assert_close(left, torch.tensor([CONFIRMED, 1.0, 1.0]))


def test_what_only_confirmed_a_label_is_not_asked_again_next_to_it():
    """Its reach in the field is nothing, as only its outline was drawn anew."""
    ones = torch.ones(1)
    at = torch.tensor([[1, 8]])
    told = Support(at, torch.tensor([0]), 1e-6 * ones, ones, 0 * ones, ones)
    state = belief(even(3, 17), torch.zeros(1, 1, 3, 17), kernel=replace(KERNEL, temperature=1e6))
    left = left_open(replace(state, support=told), torch.tensor([[1, 9], [1, 16]]))
    assert left[0] < 0.1 < 0.5 < left[1]
