from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.hints import TextHint
from napari_guideme.language.queries import (
    ENOUGH,
    draw_query,
    phrase,
    place_of,
    vocabulary,
    words,
)

CLASSES = ("sky", "car", "sign_symbol")
SKY, CAR, SIGN = range(3)
TOP = ((0, 0), (0, 1), (0, 2))
LEFT = ((0, 0), (1, 0), (2, 0))


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def street():
    """90 x 90 pixels of sky, with a car at the top left that was taken for a sign."""
    truth = np.full((90, 90), SKY)
    truth[10:20, 10:20] = CAR
    return np.where(truth == CAR, SIGN, truth), truth


@pytest.mark.parametrize(
    ("operation", "hint"),
    [
        ("find", TextHint("find", "car", ((0, 0),))),
        ("remove", TextHint("remove", "sign_symbol", ((0, 0),))),
        ("replace", TextHint("replace", "car", ((0, 0),), "sign_symbol")),
    ],
)
def test_a_mistake_is_told_in_each_way(street, operation, hint):
    assert draw_query(*street, CLASSES, chance(), operation) == hint


def test_either_is_find_or_remove_by_chance(street):
    told = [draw_query(*street, CLASSES, chance(seed), "either") for seed in range(40)]
    assert {hint.operation for hint in told} == {"find", "remove"}


def test_the_same_chance_gives_the_same_query():
    random = chance(5)
    truth, predicted = random.integers(0, 3, (2, 30, 30)).repeat(6, 1).repeat(6, 2)
    told = [[draw_query(predicted, truth, CLASSES, chance(s)) for s in range(9)] for _ in "ab"]
    assert told[0] == told[1]
    assert len(set(told[0])) > 1


@pytest.mark.parametrize("operation", ["find", "remove", "replace", "either"])
def test_where_nothing_is_wrong_or_nothing_counts_there_is_no_query(street, operation):
    predicted, truth = street
    assert draw_query(truth, truth, CLASSES, chance(), operation) is None
    unknown = np.where(predicted == truth, truth, -1)
    assert draw_query(predicted, unknown, CLASSES, chance(), operation) is None


@pytest.mark.parametrize(("pixels", "told"), [(4, False), (5, True)])
def test_connected_regions_of_a_few_pixels_are_not_spoken_of(pixels, told):
    truth = np.full((90, 90), SKY)
    truth[40, 40 : 40 + pixels] = CAR
    truth[::9, 0] = SIGN  # Ten single pixels, which add up to nothing.
    hint = draw_query(np.full_like(truth, SKY), truth, CLASSES, chance(), "find")
    assert hint == (TextHint("find", "car", ((1, 1),)) if told else None)


def test_a_class_is_drawn_in_proportion_to_the_pixels_to_be_gained():
    truth = np.full((90, 90), SKY)
    truth[10:40, 10:20], truth[60:70, 60:70] = CAR, SIGN
    predicted = np.full_like(truth, SKY)
    told = [draw_query(predicted, truth, CLASSES, chance(s), "find") for s in range(400)]
    share = np.mean([hint.class_name == "car" for hint in told])
    assert share == pytest.approx(0.75, abs=0.07)


def test_an_unknown_operation_is_refused(street):
    with pytest.raises(InputError, match="find, remove, replace, either"):
        draw_query(*street, CLASSES, chance(), "paint")


@pytest.mark.parametrize(
    ("gains", "place"),
    [
        ([9, 0, 0, 0, 0, 0, 0, 0, 0], ((0, 0),)),
        ([9, 1, 0, 0, 1, 0, 0, 0, 0], ((0, 0),)),
        ([3, 3, 3, 0, 0, 0, 0, 0, 0], TOP),
        ([4, 4, 0, 0, 0, 0, 0, 0, 0], TOP),
        ([4, 0, 0, 0, 0, 0, 0, 0, 4], ((0, 0), (2, 2))),
        ([3, 3, 3, 3, 3, 3, 0, 0, 0], tuple(product((0, 1), (0, 1, 2)))),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1], ()),
    ],
)
def test_a_place_is_the_smallest_that_has_a_name_and_holds_enough(gains, place):
    assert place_of(np.array(gains)) == place


def test_no_smaller_set_of_cells_is_passed_over_that_could_be_said_in_one_word():
    cells = list(product(range(3), repeat=2))
    for seed in range(50):
        gains = chance(seed).integers(0, 20, 9)
        place = place_of(gains) or tuple(cells)
        assert sum(gains[cells.index(cell)] for cell in place) >= ENOUGH * gains.sum()
        for named in [*((cell,) for cell in cells), TOP, LEFT]:
            if sum(gains[cells.index(cell)] for cell in named) >= ENOUGH * gains.sum():
                assert len(place) <= len(named)


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        (TextHint("find", "car"), "find the car"),
        (TextHint("find", "car", tuple(product(range(3), repeat=2))), "find the car"),
        (TextHint("find", "sign_symbol", TOP), "find the sign symbol at the top"),
        (TextHint("remove", "car", ((1, 1),)), "remove the car in the middle"),
        (TextHint("remove", "car", ((1, 0),)), "remove the car on the middle left"),
        (
            TextHint("find", "car", (*TOP, (2, 0))),
            "find the car at the top and on the bottom left",
        ),
        (
            TextHint("replace", "car", ((2, 2),), "sky"),
            "find the car instead of the sky on the bottom right",
        ),
    ],
)
def test_the_plain_phrase(hint, said):
    assert phrase(hint) == said


def test_phrases_vary_and_their_words_are_known():
    hint = TextHint("find", "car", ((0, 2),))
    said = {phrase(hint, chance(seed)) for seed in range(100)}
    assert {"the car is missing on the top right", "there is a car in the top right corner"} <= said
    known = set(vocabulary(CLASSES))
    for seed in range(300):
        random = chance(seed)
        place = tuple(tuple(cell) for cell in random.integers(0, 3, (random.integers(4), 2)))
        hint = TextHint("remove", "car", place)
        if seed % 2:
            hint = TextHint("replace", "car", place, "sign_symbol")
        assert set(words(phrase(hint, random))) <= known
        assert set(words(phrase(hint))) <= set(vocabulary(CLASSES, plain=True))
    assert set(vocabulary(CLASSES, plain=True)) < known


def test_every_set_of_cells_can_be_said_and_no_two_in_the_same_words():
    cells = list(product(range(3), repeat=2))
    places = [place for n in range(1, 10) for place in combinations(cells, n)]
    said = {phrase(TextHint("find", "car", place)) for place in places}
    assert len(said) == len(places) == 511


def test_a_place_in_a_volume_is_refused():
    with pytest.raises(InputError, match="two axes"):
        phrase(TextHint("find", "car", ((0, 0, 0),)))
