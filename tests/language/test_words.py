from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_guideme.hints import TextHint
from napari_guideme.language.words import INERTIA, Wish, around, follow, softened, times_spoken_of

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
    belief = np.array([1.0, 0.3])
    wish = Wish(1, 1, torch.ones(1, 2), torch.tensor(belief[None]))
    p = 1 / (1 + np.exp([1.0, 3.0]))
    for evidence in (0.0, 0.7):
        q = 1 / (1 + np.exp(np.array([1.0, 3.0]) - evidence * belief))
        divergence = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
        surprise = -(belief / belief.sum() * np.log(q)).sum()
        expected = surprise + INERTIA * ((1 - belief) * divergence).mean()
        energy = wish.energy(torch.tensor(p[None]), torch.tensor(evidence))
        assert float(energy) == pytest.approx(expected, rel=1e-4)


def test_what_was_spoken_of_before_moves_less(logits):
    """Here the least, by which the first pixel follows, is a tenth."""
    hint = TextHint("find", "cell", LEFT)
    logits[1, :2, :2] = 4.0

    def moves(*earlier: TextHint) -> float:
        *_, last = follow(hint, logits, CLASSES, earlier=earlier)
        return float(last.values)

    assert moves(TextHint("remove", "cell", LEFT)) == pytest.approx(moves() / 4)
    assert moves(TextHint("find", "border"), hint) == pytest.approx(max(moves() / 9, 0.1))
    assert moves(TextHint("find", "cell", ((0, 2),))) == moves()


def test_places_count_as_spoken_of_by_what_they_share():
    hint = TextHint("find", "cell", LEFT)
    earlier = [TextHint("remove", "cell", ((0, 0), (0, 1))), TextHint("find", "border")]
    assert times_spoken_of(hint, earlier, (9, 9)) == pytest.approx(1 / 3 + 1)


def test_a_missing_thing_is_believed_more_than_a_rim():
    """Both are half believed; the rim lies beside what was found, in disbelief."""
    belief, found = torch.full((30, 30), 0.01), torch.zeros(30, 30, dtype=torch.bool)
    belief[3:11, 3:11] = 0.4
    found[18:26, 18:26] = True
    belief[17:27, 17:27] = 0.4
    nearby = around(belief, ~found)
    assert nearby[7, 7] > 2 * nearby[17, 22]
    assert (nearby[found] == 0).all()
    assert (nearby <= 0.4 + 1e-6).all()


def test_belief_is_that_of_a_neighbourhood_in_typical_pixels():
    belief, everywhere = torch.zeros(41, 41), torch.ones(41, 41, dtype=torch.bool)
    belief[20, 20] = 1.0
    nearby = around(belief, everywhere, (4.0, 1.0))
    assert nearby[21, 20] == pytest.approx(float(nearby[20, 24]), rel=1e-2)


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
