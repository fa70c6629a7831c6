from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.hints import TextHint
from napari_guideme.widgets.said import Said
from napari_guideme.widgets.slices import Slice
from napari_guideme.widgets.word_layers import boxes

HERE, THERE = (Slice(None, (1, 2), (plane, 0, 0)) for plane in (0, 1))
A, B = TextHint("find", "cell", ((0, 0),)), TextHint("remove", "cell")
C = TextHint("replace", "cell", instead_of="border")


def test_what_is_said_counts_in_its_slice():
    said = Said()
    said.say(HERE, [A, B])
    said.say(THERE, [C])
    assert said.counting(HERE) == said.ever(HERE) == (A, B)
    assert said.counting(THERE) == (C,)


def test_what_is_taken_back_is_remembered_and_can_be_said_again():
    said = Said()
    said.say(HERE, [A, B])
    said.take_back(HERE, A)
    assert said.counting(HERE) == (B,)
    said.say(HERE, [A])
    assert said.counting(HERE) == (B, A)
    assert said.ever(HERE) == (A, B)


def test_other_hints_take_the_place_of_those_that_count():
    said = Said()
    said.say(HERE, [A, B])
    said.write(HERE, [C])
    assert said.counting(HERE) == (C,)
    assert said.ever(HERE) == (A, B, C)


def test_classes_can_be_called_otherwise():
    said = Said()
    said.say(HERE, [A, C])
    said.rename({"cell": "nucleus", "border": "edge"})
    assert said.counting(HERE) == (
        TextHint("find", "nucleus", ((0, 0),)),
        TextHint("replace", "nucleus", instead_of="edge"),
    )
    assert said.ever(HERE) == said.counting(HERE)


CELLS = list(np.ndindex(3, 3))


@pytest.mark.parametrize("shape", [(3, 3), (10, 7), (2, 4), (31, 50)])
def test_rectangles_cover_just_the_place(shape):
    for count in range(10):
        for place in combinations(CELLS, count):
            hint = TextHint("find", "cell", place)
            covered = np.zeros(shape, int)
            for (top, bottom), (left, right) in boxes(hint, shape):
                covered[top:bottom, left:right] += 1
            if covered.any():
                np.testing.assert_array_equal(covered, hint.mask(shape))
            else:
                with pytest.raises(InputError, match="no pixel"):
                    hint.mask(shape)


@pytest.mark.parametrize(
    ("place", "count"),
    [((), 1), (((0, 0), (0, 1), (0, 2)), 1), (((0, 0), (2, 2)), 2), (CELLS[:4] + CELLS[5:], 4)],
)
def test_places_are_drawn_as_few_rectangles(place, count):
    assert len(boxes(TextHint("find", "cell", tuple(place)), (30, 30))) == count
