from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from napari_guideme.guidance.features import Features
from napari_guideme.guidance.residual import Kernel, missing, regress
from napari_guideme.networks.preparation import Placement, Preparation

#: τ = 1 and, on images whose longest side is 4, ℓ = 1.
KERNEL = Kernel(temperature=1.0, reach=0.25, margin=1.0, noise=0.5)


def scene(activation: Tensor) -> Features:
    shape = tuple(activation.shape[2:])
    return Features({"a": activation}, Preparation(ndim=len(shape)), Placement(shape, shape, shape))


#: Features -1, -1, 1, 1 along a row.
ROW = scene(torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]]))


def regressed(logits: Tensor, *hints: tuple[int, int], kernel: Kernel = KERNEL) -> Tensor:
    """Hints as (column, class) on the row."""
    positions = torch.tensor([(0, column) for column, _ in hints])
    return regress(logits, ROW, positions, torch.tensor([c for _, c in hints]), kernel)


@pytest.mark.parametrize(
    ("similarity", "squared_distance", "expected"),
    [
        (1.0, 0.0, 1.0),
        (0.5, 0.0, math.exp(-0.25)),
        (1.0, 9.0, math.exp(-0.5)),
        (-1.0, 36.0, math.exp(-3)),
    ],
)
def test_the_kernel_is_likeness_times_nearness(similarity, squared_distance, expected):
    kernel = Kernel(temperature=2.0, reach=0.3)
    value = kernel(torch.tensor(similarity), torch.tensor(squared_distance), 10)
    assert float(value) == pytest.approx(expected)


def test_one_hint_by_hand():
    # One hint lacks 1; its weight is 1 / (1 + 0.5). Column 2 is unlike, exp(-2), and so on.
    moved = regressed(torch.zeros(2, 1, 4), (0, 1))
    expected = [1, math.exp(-0.5), math.exp(-2 - 2), math.exp(-2 - 4.5)]
    torch.testing.assert_close(moved[1, 0], torch.tensor(expected) / 1.5)
    assert not moved[0].any()


def test_two_hints_by_hand():
    # Columns 0 and 1 lack 1 and 2, k = exp(-1/2) = 0.606531:
    # [[1.5, k], [k, 1.5]] w = (1, 2)  ⇒  w = (0.152453, 1.271689).
    logits = torch.tensor([[[0.0, 1.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]]])
    moved = regressed(logits, (0, 1), (1, 1))
    expected = [0.923772, 1.364157, 0.107179, 0.023521]
    torch.testing.assert_close(moved[1, 0], torch.tensor(expected), atol=1e-5, rtol=0)
    assert torch.equal(moved[0], logits[0])


def test_hints_of_two_classes_by_hand():
    # Each class is its own system; k between columns 0 and 3 is exp(-6.5) = 0.001503.
    moved = regressed(torch.zeros(3, 1, 4), (0, 1), (3, 2))
    own, other = 1.5 / (1.5**2 - 0.001503**2), -0.001503 / (1.5**2 - 0.001503**2)
    assert float(moved[1, 0, 0]) == pytest.approx(own + 0.001503 * other, abs=1e-5)
    assert float(moved[2, 0, 3]) == pytest.approx(own + 0.001503 * other, abs=1e-5)
    assert float(moved[2, 0, 0]) == pytest.approx(other + 0.001503 * own, abs=1e-5)
    assert not moved[0].any()


def test_without_noise_hints_are_met_with_the_margin():
    exact = Kernel(temperature=1.0, reach=0.25, margin=2.0, noise=0.0)
    logits = torch.tensor([[[1.0, 0.0, 3.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]]])
    moved = regressed(logits, (0, 1), (2, 1), kernel=exact)
    lead = (moved[1] - moved[0])[0]
    torch.testing.assert_close(lead[[0, 2]], torch.tensor([2.0, 2.0]), atol=1e-5, rtol=0)


def test_hints_that_are_met_already_move_nothing():
    logits = torch.tensor([[[0.0] * 4], [[1.0] * 4]])
    assert torch.equal(regressed(logits, (0, 1), (3, 1)), logits)


def test_no_hints_move_nothing():
    logits = torch.rand(2, 1, 4)
    empty = torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, dtype=torch.long)
    assert torch.equal(regress(logits, ROW, *empty, KERNEL), logits)


def test_far_and_unlike_pixels_are_untouched():
    activation = torch.zeros(1, 1, 1, 60)
    activation[..., 30:] = 1
    logits = torch.zeros(2, 1, 60)
    kernel = Kernel(temperature=0.1, reach=0.05)
    moved = regress(logits, scene(activation), torch.tensor([[0, 29]]), torch.tensor([1]), kernel)
    change = (moved - logits).abs()[1, 0]
    assert float(change[29]) > 0.9
    assert change[30:].max() < 1e-6
    assert change[:15].max() < 1e-4


@pytest.mark.parametrize(
    ("logits", "own", "expected"),
    [
        ([0.0, 0.0, 0.0], 1, [0, 1, 0]),
        ([5.0, 2.0, 1.0], 1, [0, 4, 0]),
        ([0.0, 3.0, 2.5], 1, [0, 0.5, 0]),
        ([0.0, 3.0, 1.0], 1, [0, 0, 0]),
    ],
)
def test_only_the_hinted_class_lacks(logits, own, expected):
    lacking = missing(torch.tensor([logits]), torch.tensor([own]), 1.0)
    torch.testing.assert_close(lacking, torch.tensor([expected], dtype=torch.float32))


def test_many_hints_are_the_sum_of_their_kernels():
    # More hints than maps held at once, on 8 x 8 pixels.
    activation, logits = torch.randn(1, 3, 8, 8), torch.randn(2, 8, 8)
    positions = torch.cartesian_prod(torch.arange(8), torch.arange(8))
    exact = Kernel(temperature=0.3, reach=0.2, margin=1.0, noise=1e-6)
    classes = torch.ones(64, dtype=torch.long)
    moved = regress(logits, scene(activation), positions, classes, exact)
    # Every pixel is a hint, so each gets what it lacks.
    expected = (logits[0] + 1).maximum(logits[1])
    torch.testing.assert_close(moved[1], expected, atol=1e-3, rtol=0)


def test_a_volume_is_regressed():
    activation = torch.zeros(1, 1, 2, 2, 2)
    activation[:, :, 1] = 1
    logits = torch.zeros(2, 2, 2, 2)
    position, own = torch.tensor([[0, 1, 1]]), torch.tensor([1])
    moved = regress(logits, scene(activation), position, own, Kernel(1.0, 0.5, 1.0, 0.0))
    # ℓ = 1: the neighbour in the plane is alike, the one below it is not.
    assert float(moved[1, 0, 1, 1]) == pytest.approx(1)
    assert float(moved[1, 0, 0, 1]) == pytest.approx(math.exp(-0.5))
    assert float(moved[1, 1, 1, 1]) == pytest.approx(math.exp(-2.5))


def test_the_logits_are_left_alone():
    logits = torch.zeros(2, 1, 4)
    regressed(logits, (0, 1))
    assert not logits.any()
