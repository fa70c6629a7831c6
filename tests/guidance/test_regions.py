"""A click in the very middle of a region means all of it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.features import Features
from napari_guideme.guidance.kernel import Kernel
from napari_guideme.guidance.regions import Region, centrality, least_depth
from napari_guideme.guidance.residual import extended
from napari_guideme.guidance.spreading import spread
from napari_guideme.guidance.support import Support
from napari_guideme.networks.preparation import Placement, Preparation

EVEN = (1.0, 1.0)

#: Reaches a fifth of a pixel: what follows a click beyond its own pixel is its region.
SHORT = Kernel(1.0, 0.02, growth=0, curvature=0, lead=1, lead_growth=0, outer=1.0)

#: A bar of 3 x 7 pixels, of class 1, and a single pixel that does not touch it, of class 1, too.
LABELS = torch.zeros(7, 11, dtype=torch.long)
LABELS[2:5, 1:8] = 1
LABELS[0, 10] = 1

BAR = torch.zeros(7, 11, dtype=torch.bool)
BAR[2:5, 1:8] = True


def logits(labels: Tensor = LABELS, lead: float = 2.0) -> Tensor:
    """Three classes, of which the label leads everywhere by as much."""
    return lead * torch.nn.functional.one_hot(labels, 3).movedim(-1, 0).float()


def features(shape: tuple[int, ...] = (7, 11)) -> Features:
    activation = torch.randn(1, 2, *shape, generator=torch.Generator().manual_seed(0))
    return Features({"a": activation}, Preparation(ndim=len(shape)), Placement(shape, shape, shape))


def take(
    *hints: tuple[list[tuple[int, int]], int], kernel: Kernel = SHORT
) -> tuple[Support, Tensor]:
    base, seen = logits(), features()
    support, moved = Support.empty(2, base.device), base
    for pixels, own in hints:
        classes = torch.full((len(pixels),), own)
        support, moved = extended(
            support, base, moved, seen, torch.tensor(pixels), classes, kernel, EVEN
        )
    return support, moved


class TestCentrality:
    def test_is_the_depth_as_a_share_of_the_deepest_of_the_region(self):
        # On the middle line (3, 1) is 1 deep, all others of the bar are 2 deep.
        places = torch.tensor([[3, 1], [3, 2], [3, 4], [3, 6], [2, 4], [4, 7]])
        found = centrality(LABELS, places, EVEN)
        assert found.tolist() == pytest.approx([0.5, 1, 1, 1, 0.5, 0.5])

    def test_each_region_has_its_own(self):
        assert centrality(LABELS, torch.tensor([[0, 10], [3, 1]]), EVEN).tolist() == [1.0, 0.5]

    def test_the_background_is_all_middle(self):
        assert centrality(LABELS, torch.tensor([[0, 0], [1, 4]]), EVEN).tolist() == [1.0, 1.0]

    def test_the_size_of_pixels_counts(self):
        # Pixels four times as tall as wide: the middle is 4 columns of half a pixel deep.
        places = torch.tensor([[3, 2], [3, 4]])
        assert centrality(LABELS, places, (2.0, 0.5)).tolist() == [0.5, 1.0]

    def test_of_volumes(self):
        labels = torch.zeros(5, 5, 5, dtype=torch.long)
        labels[1:4, 1:4, 1:4] = 2
        places = torch.tensor([[2, 2, 2], [1, 2, 2]])
        assert centrality(labels, places, (1.0,) * 3).tolist() == [1.0, 0.5]


class TestRegion:
    def test_is_the_connected_part_around_a_pixel(self):
        region = Region.around(LABELS, torch.tensor([2, 1]), 5)
        assert (region.owner, region.start) == (5, (2, 1))
        assert torch.equal(region.mask, BAR[2:5, 1:8])

    def test_at_the_border_of_the_image(self):
        region = Region.around(LABELS, torch.tensor([0, 10]), 0)
        assert (region.start, region.mask.tolist()) == ((0, 10), [[True]])

    def test_of_a_volume(self):
        labels = torch.zeros(5, 5, 5, dtype=torch.long)
        labels[1:4, 1:4, 1:4] = 2
        region = Region.around(labels, torch.tensor([2, 2, 2]), 0)
        assert (region.start, int(region.mask.sum())) == ((1, 1, 1), 27)


def test_which_pixels_it_holds():
    region = Region(0, (2, 1), torch.tensor([[True, False], [True, True]]))
    places = torch.tensor([[2, 1], [2, 2], [3, 2], [1, 1], [2, 3], [0, 0]])
    assert region.holds(places).tolist() == [True, False, True, False, False, False]
    assert not region.holds(places[:0]).any()


def test_one_thing_is_as_deep_as_it_is_large():
    pixels = torch.tensor([100, 400])
    assert least_depth(pixels, EVEN).tolist() == pytest.approx([2, 4])
    assert least_depth(pixels, (2.0, 2.0)).tolist() == pytest.approx([4, 8])
    assert least_depth(pixels, EVEN, 0.5).tolist() == pytest.approx([5, 10])
    assert least_depth(torch.tensor([27]), (1.0,) * 3).tolist() == pytest.approx([0.6])


class TestWhatFollows:
    @pytest.mark.parametrize("own", [0, 2])
    def test_a_click_in_the_middle_turns_the_whole_region_and_nothing_else(self, own):
        support, moved = take(([(3, 4)], own))
        assert torch.equal(moved.argmax(0), torch.where(BAR, own, LABELS))
        # The clicked pixel trailed by 2 and leads by 1; all of its region moved as it did.
        assert support.weights.tolist() == pytest.approx([3.0])
        torch.testing.assert_close((moved - logits())[own][BAR], torch.full((21,), 3.0))

    def test_not_for_the_background(self):
        # (5, 4) lies in the background, whose deepest pixel it may be or not.
        support, moved = take(([(5, 4)], 2))
        assert not support.regions
        assert int((moved.argmax(0) != LABELS).sum()) == 1

    def test_a_click_near_the_rim_of_a_thing_reaches_half_as_far(self):
        kernel = Kernel(1.0, 0.1, growth=0, curvature=0, outer=0.2)
        (rim,), (middle,), (confirming,), (background,) = (
            take(([place], own), kernel=kernel)[0].home_reaches.tolist()
            for place, own in (((3, 1), 0), ((3, 4), 0), ((3, 1), 1), ((6, 4), 1))
        )
        assert middle == confirming == background == pytest.approx(1.1)
        assert rim == pytest.approx(1.1 * (0.2 + 0.8 * 0.5))

    def test_a_click_beside_it_does_not(self):
        support, moved = take(([(2, 4)], 0))
        assert not support.regions
        assert int((moved.argmax(0) != LABELS).sum()) == 1

    def test_nor_one_that_confirms(self):
        support, moved = take(([(3, 4)], 1))
        assert not support.regions
        assert torch.equal(moved.argmax(0), LABELS)

    def test_nor_a_scribble(self):
        support, _ = take(([(3, 3), (3, 4)], 0))
        assert not support.regions

    def test_nor_where_an_earlier_hint_said_that_it_is_right(self):
        support, moved = take(([(3, 6)], 1), ([(3, 4)], 0))
        assert not support.regions
        assert int((moved.argmax(0) != LABELS).sum()) == 1

    def test_nor_with_a_kernel_that_only_meets_its_hints(self):
        support, _ = take(([(3, 4)], 0), kernel=Kernel(1.0, 0.02, middle=2.0))
        assert not support.regions

    def test_nor_in_a_string_of_things(self):
        labels = torch.zeros(7, 60, dtype=torch.long)
        labels[2:5, 1:59] = 1
        base, seen = logits(labels), features((7, 60))
        given = Support.empty(2, base.device), base, base, seen, torch.tensor([[3, 30]])
        support, moved = extended(*given, torch.tensor([0]), SHORT, EVEN)
        assert not support.regions
        assert int((moved.argmax(0) != labels).sum()) < 9

    @pytest.mark.parametrize(("width", "lead", "all_of_it"), [(13, 2, 0), (13, 0.5, 1), (7, 2, 1)])
    def test_what_is_sure_and_long_is_right_in_the_large(self, width, lead, all_of_it):
        """By 2 logits classes are in a doubt of 0.32, by 0.5 of 0.82; 3 x 7 pixels are compact."""
        labels = torch.zeros(7, 15, dtype=torch.long)
        labels[2:5, 1 : 1 + width] = 1
        base, seen = logits(labels, lead), features((7, 15))
        given = Support.empty(2, base.device), base, base, seen, torch.tensor([[3, 4]])
        support, moved = extended(*given, torch.tensor([0]), SHORT, EVEN)
        assert len(support.regions) == all_of_it
        assert int((moved.argmax(0) != labels).sum()) == (3 * width if all_of_it else 1)

    def test_there_a_click_is_about_a_part_of_typical_depth(self):
        labels = torch.zeros(7, 15, dtype=torch.long)
        labels[2:5, 1:14] = 1
        base, seen = logits(labels), features((7, 15))
        given = Support.empty(2, base.device), base, base, seen, torch.tensor([[3, 4]])
        kernel = Kernel(1.0, 0.02, growth=1.0, curvature=0, carried=1.0, outer=1.0, typical=0.1)
        sure, _ = extended(*given, torch.tensor([0]), kernel, EVEN)
        assert sure.home_reaches.tolist() == pytest.approx([(0.02 + 0.1) * 15])
        other, _ = extended(*given[:4], torch.tensor([[2, 4]]), torch.tensor([0]), kernel, EVEN)
        assert other.home_reaches.tolist() == pytest.approx([0.02 * 15 + 1])

    def test_a_later_hint_in_the_region_is_obeyed(self):
        _, moved = take(([(3, 4)], 0), ([(3, 6)], 1))
        labels = moved.argmax(0)
        assert (labels[3, 6], labels[3, 4]) == (1, 0)

    def test_the_field_can_be_had_again_at_once(self):
        support, moved = take(([(3, 4)], 0), ([(5, 9)], 2), ([(2, 2)], 1))
        again = spread(logits(), features(), support, SHORT, EVEN)
        torch.testing.assert_close(again, moved)

    def test_it_stays_at_home(self):
        class Here:
            features = features()

        support, _ = take(([(3, 4)], 0))
        assert support.regions
        assert not Anchors.of(Here(), support).support.regions
        short = Kernel(1.0, 0.02, growth=0, curvature=0, outer=0.2)
        rim, _ = take(([(3, 1)], 0), kernel=short)
        assert rim.home_reaches.tolist() == pytest.approx([0.6 * 0.02 * 11])
        assert rim.reaches.tolist() == pytest.approx([0.02 * 11])
