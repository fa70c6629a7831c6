from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_guideme.hints import TextHint
from napari_guideme.language.effects import is_followed, moved

CLASSES = ("background", "cell")
LEFT = tuple((row, 0) for row in range(3))
NONE, ALL = np.zeros((3, 3), int), np.ones((3, 3), int)
LEFT_COLUMN = np.array([[1, 0, 0]] * 3)


@pytest.mark.parametrize(
    ("operation", "labels", "own", "followed"),
    [
        ("find", LEFT_COLUMN, NONE, True),
        ("find", NONE, NONE, False),
        ("find", 1 - LEFT_COLUMN, NONE, False),
        ("find", ALL, ALL, True),
        ("remove", 1 - LEFT_COLUMN, ALL, True),
        ("remove", ALL, ALL, False),
        ("remove", NONE, NONE, True),
    ],
)
def test_words_are_followed_where_there_is_more_or_less_of_a_class(
    operation, labels, own, followed
):
    hint = TextHint(operation, "cell", LEFT)
    assert is_followed(hint, labels, own, CLASSES) == followed


def test_the_largest_change_of_a_named_class_is_how_far_words_move():
    before = torch.zeros(3, 1, 2)
    told = torch.tensor([[[0.0, 0.0]], [[np.log(2), 0.0]], [[-np.inf, 0.0]]])
    classes = ("background", "cell", "border")
    values = moved([TextHint("find", "cell")], told, before, classes)
    np.testing.assert_allclose(values, [[2 / 3 - 1 / 3, 0]], atol=1e-6)
