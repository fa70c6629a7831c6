from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_guideme.hints import TextHint
from napari_guideme.language.words import INERTIA, Wish, follow, softened

CLASSES = ("background", "cell", "border")
LEFT = ((0, 0), (1, 0), (2, 0))


@pytest.fixture
def logits() -> torch.Tensor:
    """9 x 9 pixels of background; cell is half believed in two corners, and found in the middle."""
    found = torch.zeros(3, 9, 9)
    found[0], found[1] = 4.0, -4.0
    found[1, :2, :2] = found[1, :2, -2:] = 3.5
    found[:2, 4, 4] = torch.tensor([0.0, 1.0])
    return found


def told(hint: TextHint, logits: torch.Tensor) -> torch.Tensor:
    wish = Wish.of(hint, logits, CLASSES)
    *_, last = follow(hint, logits, CLASSES)
    return wish.shifted(logits, last.values).argmax(0)


def test_what_is_half_believed_is_found_where_it_was_said(logits):
    labels = told(TextHint("find", "cell", LEFT), logits)
    assert (labels[:2, :2] == 1).all()
    assert (labels[:2, -2:] == 0).all()
    assert (labels[3:, :3] == 0).all()


def test_what_is_doubted_is_removed(logits):
    assert logits.argmax(0)[4, 4] == 1
    assert (told(TextHint("remove", "cell"), logits) == 0).all()


def test_replacing_spares_all_other_classes(logits):
    logits[2, :2, -2:] = 5.0
    labels = told(TextHint("replace", "cell", instead_of="border"), logits)
    assert (labels[:2, -2:] == 1).all()
    assert (labels[:2, :2] == 0).all()


def test_there_may_be_nothing_to_do(logits):
    assert not list(follow(TextHint("remove", "border"), logits, CLASSES))


def test_energy_of_two_pixels_by_hand():
    logits = torch.tensor([[[0.0, 0.0]], [[-1.0, -3.0]]])
    hint = TextHint("find", "cell")
    wish = Wish.of(hint, logits, CLASSES[:2])
    p = 1 / (1 + np.exp([1.0, 3.0]))
    weights, likely = p / p.sum(), p / p.max()
    for evidence in (0.0, 0.7):
        q = 1 / (1 + np.exp([1.0 - evidence, 3.0 - evidence]))
        divergence = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
        expected = -(weights * np.log(q)).sum() + INERTIA * ((1 - likely) * divergence).mean()
        probability = logits.softmax(0)[1]
        energy = wish.energy(probability, torch.tensor(evidence))
        assert float(energy) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("operation", ["find", "remove"])
def test_gradient_of_the_energy_is_that_of_finite_differences(operation, logits):
    place = LEFT if operation == "find" else ()
    wish = Wish.of(TextHint(operation, "cell", place), logits.double(), CLASSES)
    probability = logits.double().softmax(0)[1]
    evidence = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda e: wish.energy(probability, e), evidence)


def test_places_fade_out_beyond_their_edges():
    place = np.zeros((40, 40), dtype=bool)
    place[:, :20] = True
    faded = softened(place)
    assert (faded[:, :20] == 1).all()
    assert (faded[:, 22:] == 0).all()
    assert 0 < faded[0, 20] < 1
