from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from napari_guideme.guidance.features import Features
from napari_guideme.guidance.kernel import Kernel
from napari_guideme.guidance.residual import extended
from napari_guideme.guidance.scene import at_pixels, margins
from napari_guideme.guidance.solving import pinned
from napari_guideme.guidance.spreading import spread
from napari_guideme.guidance.support import Support
from napari_guideme.networks.preparation import Placement, Preparation
from napari_guideme.spacing import relative


def alike(nearest: float, *, temperature: float = 1.0, lead: float = 1.0) -> Kernel:
    """A kernel of the same reach and lead at every depth."""
    return Kernel(
        temperature,
        nearest,
        growth=0,
        curvature=0,
        lead=lead,
        lead_growth=0,
        typical=0.03,
        confirmed=1.0,
    )


#: τ = 1, a lead of 1 and, on images whose longest side is 4, ℓ = 1.
KERNEL = alike(0.25)

#: One of which depth says how far it reaches.
GROWING = Kernel(0.7, 0.05, growth=1, curvature=6, lead=4, lead_growth=2, typical=0.1)

#: What the kernel is between alike neighbours.
K = math.exp(-0.5)


def seen(activation: Tensor) -> Features:
    shape = tuple(activation.shape[2:])
    return Features({"a": activation}, Preparation(ndim=len(shape)), Placement(shape, shape, shape))


#: Features -1, -1, 1, 1 along a row.
ROW = seen(torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]]))


def even(base: Tensor) -> tuple[float, ...]:
    """As long as wide."""
    return (1.0,) * (base.ndim - 1)


#: A hint: its pixels and their class.
Drawn = tuple[list[tuple[int, ...]], int]


def take(
    hints: list[Drawn],
    base: Tensor,
    features: Features,
    kernel: Kernel,
    support=None,
    moved=None,
    spacing=None,
) -> tuple[Support, Tensor]:
    """Take hints one after the other."""
    spacing = spacing or even(base)
    support = support or Support.empty(base.ndim - 1, base.device)
    moved = base if moved is None else moved
    for pixels, own in hints:
        positions, classes = torch.tensor(pixels), torch.full((len(pixels),), own)
        given = support, base, moved, features, positions, classes, kernel, spacing
        support, moved = extended(*given)
    return support, moved


def on_row(base: Tensor, *hints: tuple[int, int]) -> tuple[Support, Tensor]:
    """Take clicks (column, class) on the row."""
    return take([([(0, column)], own) for column, own in hints], base, ROW, KERNEL)


def leads(logits: Tensor, support: Support) -> Tensor:
    return margins(at_pixels(logits, support.positions), support.classes)


def same(one: Support, other: Support) -> bool:
    """Whether two supports are the same to the last bit."""
    parts = zip(one.parts().values(), other.parts().values(), strict=True)
    return all(torch.equal(*pair) for pair in parts)


class TestKernel:
    @pytest.mark.parametrize(
        ("similarity", "squared_distance", "expected"),
        [
            (1.0, 0.0, 1.0),
            (0.5, 0.0, math.exp(-0.25)),
            (1.0, 9.0, math.exp(-0.5)),
            (-1.0, 36.0, math.exp(-3)),
        ],
    )
    def test_it_is_likeness_times_nearness(self, similarity, squared_distance, expected):
        kernel = alike(0.1, temperature=2.0)
        value = kernel(*map(torch.tensor, (similarity, squared_distance, 3.0)))
        assert float(value) == pytest.approx(expected)

    def test_the_deeper_a_hint_the_further_it_reaches(self):
        kernel = Kernel(nearest=0.02, growth=2.0, curvature=10.0)
        reach = kernel.reach(torch.tensor([0.0, 0.1, 0.2]))
        assert reach.tolist() == pytest.approx([0.02, 0.32, 0.82])

    def test_the_deeper_a_hint_the_more_it_leads(self):
        kernel = Kernel(lead=2.0, lead_growth=1.5, typical=0.09)
        margin = kernel.margin(torch.tensor([0.09, 0.1 * math.e - 0.01, 0.1 / math.e - 0.01]))
        assert margin.tolist() == pytest.approx([2.0, 3.5, 0.5])

    def test_every_hint_shall_lead_by_half_a_logit(self):
        kernel = Kernel(lead=2.0, lead_growth=1.5, typical=0.09)
        assert float(kernel.margin(torch.tensor(0.0))) == 0.5


class TestOneHint:
    def test_by_hand(self):
        # The hint lacks 1, so its weight is 1. Columns 2 and 3 are unlike: exp(-2).
        support, moved = on_row(torch.zeros(3, 1, 4), (0, 1))
        expected = [1, K, math.exp(-2 - 2), math.exp(-2 - 4.5)]
        torch.testing.assert_close(moved[1, 0], torch.tensor(expected))
        assert not moved[[0, 2]].any()
        assert support.positions.tolist() == [[0, 0]]
        assert support.classes.tolist() == [1]
        assert support.home_reaches.tolist() == [1]
        assert support.weights.tolist() == pytest.approx([1])
        assert support.pins.tolist() == [0]

    def test_it_lacks_what_the_best_other_class_leads_by_and_the_lead(self):
        base = torch.tensor([5.0, 2.0, 4.0])[:, None, None].expand(3, 1, 4)
        support, moved = on_row(base, (2, 1))
        assert support.weights.tolist() == pytest.approx([4])
        assert leads(moved, support).tolist() == pytest.approx([1])

    def test_one_that_leads_already_moves_nothing(self):
        base = torch.tensor([[[0.0] * 4], [[1.0] * 4]])
        support, moved = on_row(base, (0, 1))
        assert torch.equal(moved, base)
        assert support.weights.tolist() == [0]

    def test_between_pixels_of_a_coarse_feature_it_needs_more_weight(self):
        # Features -1 and 1 on four columns are -1, -1/2, 1/2, 1: of column 1 f·f = 1/4.
        whole = (1, 4)
        placement = Placement(whole, whole, whole)
        coarse = Features({"a": torch.tensor([[[[0.0, 1.0]]]])}, Preparation(), placement)
        support, moved = take([([(0, 1)], 1)], torch.zeros(2, 1, 4), coarse, KERNEL)
        assert support.weights.tolist() == pytest.approx([math.exp(0.75)], rel=1e-5)
        assert leads(moved, support).tolist() == pytest.approx([1], rel=1e-5)

    def test_a_deep_one_reaches_further_and_leads_by_more(self):
        # On 10 x 10 pixels (5, 5) is 5 deep and (0, 3) 1 deep: ℓ = 10 (0.1 + d), d = 0.5 and 0.1.
        kernel = Kernel(1.0, 0.1, growth=1, curvature=0, lead=2, lead_growth=1, typical=0.09)
        base, features = torch.zeros(2, 10, 10), seen(torch.randn(1, 2, 10, 10))
        deep, deeply = take([([(5, 5)], 1)], base, features, kernel)
        flat, flatly = take([([(0, 3)], 1)], base, features, kernel)
        assert deep.home_reaches.tolist() == pytest.approx([6])
        assert flat.home_reaches.tolist() == pytest.approx([2])
        assert leads(deeply, deep).tolist() == pytest.approx([2 + math.log(5.1)], abs=1e-5)
        assert leads(flatly, flat).tolist() == pytest.approx([2 + math.log(1.1)], abs=1e-5)

    @pytest.mark.parametrize(
        ("beyond", "classes", "expected"),
        [
            # Of a class that trails by 4 more, two pixels from the hint, 2 / 20 of the side count.
            (4.0, (0, 1), 0.1),
            # Where it trails by hardly more, and in a thing, depth is that in the labels.
            (2.0, (0, 1), 0.5),
            (4.0, (1, 0), 0.5),
        ],
    )
    def test_a_vast_background_does_not_tell_how_large_a_missed_thing_is(
        self, beyond, classes, expected
    ):
        shown, asked = classes
        base = torch.zeros(2, 20, 20)
        base[shown] = 1 + beyond
        base[shown, 9:12, 9:12] = 1
        kernel = Kernel(1.0, 0.1, growth=1, curvature=0, outer=1, middle=2)
        features = seen(torch.randn(1, 2, 20, 20))
        support, _ = take([([(10, 10)], asked)], base, features, kernel)
        assert support.home_reaches.tolist() == pytest.approx([20 * (0.1 + expected)])

    def test_a_missed_speck_counts_as_a_twentieth_of_the_side(self):
        base = torch.zeros(2, 40, 40)
        base[0] = 9
        base[0, 20, 20] = 1
        kernel = Kernel(1.0, 0.1, growth=1, curvature=0)
        support, _ = take([([(20, 20)], 1)], base, seen(torch.randn(1, 2, 40, 40)), kernel)
        assert support.home_reaches.tolist() == pytest.approx([40 * 0.15])

    def test_far_and_unlike_pixels_are_untouched(self):
        activation = torch.zeros(1, 1, 1, 60)
        activation[..., 30:] = 1
        kernel = alike(0.05, temperature=0.1)
        _, moved = take([([(0, 29)], 1)], torch.zeros(2, 1, 60), seen(activation), kernel)
        change = moved.abs()[1, 0]
        assert float(change[29]) == pytest.approx(1)
        assert change[30:].max() < 1e-6
        assert change[:15].max() < 1e-4

    def test_in_a_volume(self):
        activation = torch.zeros(1, 1, 2, 2, 2)
        activation[:, :, 1] = 1
        # ℓ = 1: the neighbour in the plane is alike, the one below it is not.
        _, moved = take([([(0, 1, 1)], 1)], torch.zeros(2, 2, 2, 2), seen(activation), alike(0.5))
        assert float(moved[1, 0, 1, 1]) == pytest.approx(1)
        assert float(moved[1, 0, 0, 1]) == pytest.approx(K)
        assert float(moved[1, 1, 1, 1]) == pytest.approx(math.exp(-2.5))
        assert not moved[0].any()


class TestOneMoreHint:
    def test_it_adds_what_the_earlier_one_left_to_be_done(self):
        # The first raises column 1 by K, so that 2 - K is lacking there.
        base = torch.zeros(2, 1, 4)
        base[0, 0, 1] = 1
        support, moved = on_row(base, (0, 1), (1, 1))
        assert support.weights.tolist() == pytest.approx([1, 2 - K])
        assert moved[1, 0, :2].tolist() == pytest.approx([1 + K * (2 - K), 2])

    def test_one_that_only_confirms_asks_for_less(self):
        # A correction would be asked to lead by 4; this one leads by 0.2 and is asked for 1.
        base = torch.zeros(2, 1, 4)
        base[1, 0, 1] = 0.2
        support, moved = take([([(0, 1)], 1)], base, ROW, alike(0.25, lead=4.0))
        assert support.weights.tolist() == pytest.approx([0.8])
        assert float(moved[1, 0, 1]) == pytest.approx(1)

    def test_it_adds_nothing_where_its_class_leads_already(self):
        base = torch.zeros(2, 1, 4)
        base[1, 0, 1] = 0.5
        alone, before = on_row(base, (0, 1))
        support, moved = on_row(base, (0, 1), (1, 1))
        assert torch.equal(moved, before)
        assert support.weights.tolist() == [*alone.weights.tolist(), 0]

    def test_one_of_another_class_is_weighed_against_the_first(self):
        # The second shall lead by 1: b - K a = 1. To lead by 0.5 the first would need more than
        # 5/4 of its weight 1; what is lacking then is pinned.
        support, moved = on_row(torch.zeros(2, 1, 4), (0, 1), (1, 0))
        a, b = 1.25, 1 + 1.25 * K
        assert support.weights.tolist() == pytest.approx([a, b], abs=1e-3)
        assert support.pins.tolist() == pytest.approx([0.5 - a + K * b, 0], abs=1e-3)
        assert leads(moved, support).tolist() == pytest.approx([0.5, 1], abs=1e-3)

    def test_one_takes_no_more_from_the_first_than_it_must(self):
        # With a lead of 4 the second has weight 4 + 4 K; the first is held at 0.5 and lets it lead.
        hints = [([(0, 0)], 1), ([(0, 1)], 0)]
        support, moved = take(hints, torch.zeros(2, 1, 4), ROW, alike(0.25, lead=4.0))
        a = 0.5 + 4 * K * (1 + K)
        assert support.weights.tolist() == pytest.approx([a, 4 + 4 * K])
        assert leads(moved, support).tolist() == pytest.approx([0.5, 4 + 4 * K - K * a], abs=1e-5)

    def test_one_of_another_reach(self):
        # Depths of 5 and 1 give reaches of 6 and 2 pixels: each acts as far as its own.
        kernel = Kernel(1.0, 0.1, growth=1, curvature=0, lead=2, lead_growth=0, typical=0.03)
        features = seen(torch.randn(1, 2, 10, 10))
        hints = [([(5, 5)], 1), ([(5, 8)], 1)]
        base = torch.zeros(2, 10, 10)
        base[0, 5, 8] = 2
        support, moved = take(hints, base, features, kernel)
        similarity = features.between(features.at(support.positions))[0, 1]
        lacking = 4 - 2 * math.exp(similarity - 1 - 9 / (2 * 6**2))
        assert support.home_reaches.tolist() == pytest.approx([6, 2])
        assert support.weights.tolist() == pytest.approx([2, lacking], abs=1e-5)
        assert float(leads(moved, support)[1]) == pytest.approx(2, abs=1e-5)

    def test_one_of_a_third_class(self):
        base = torch.zeros(3, 1, 4)
        support, moved = on_row(base, (0, 1), (3, 2))
        # They hardly know of each other: k = exp(-6.5), which the second gets over.
        assert support.weights.tolist() == pytest.approx([1, 1 + math.exp(-6.5)])
        assert moved.argmax(0)[0].tolist() == [1, 1, 2, 2]
        assert not moved[0].any()

    def test_its_depth_is_that_in_the_labels_it_was_given_on(self):
        # The first turns the left half, all that is alike. There (3, 2) is 2 deep; it was 3 deep.
        activation = torch.zeros(1, 1, 8, 8)
        activation[..., 4:] = 1
        kernel = Kernel(0.1, nearest=2, growth=1, curvature=0, lead=4, lead_growth=0, typical=0.03)
        base = torch.stack([torch.ones(8, 8), torch.zeros(8, 8)])
        support, moved = take([([(3, 1)], 1)], base, seen(activation), kernel)
        assert torch.equal(moved.argmax(0), (activation[0, 0] == 0).long())
        both, _ = take([([(3, 2)], 0)], base, seen(activation), kernel, support, moved)
        assert support.home_reaches.tolist() == pytest.approx([8 * 2 + 2])
        assert both.home_reaches.tolist() == pytest.approx([8 * 2 + 2, 8 * 2 + 2])

    @pytest.mark.parametrize("neighbours", [[(3, 3), (3, 4)], [(3, 3), (3, 4), (4, 3), (4, 4)]])
    def test_neighbours_that_contradict_each_other_are_all_obeyed(self, neighbours):
        # So much alike and so near that no field can tell them apart.
        activation = torch.zeros(1, 1, 8, 8)
        activation[..., 6:] = 1
        kernel, base, features = alike(50.0, lead=2.0), torch.zeros(2, 8, 8), seen(activation)
        hints = [([pixel], (i + 1) % 2) for i, pixel in enumerate(neighbours)]
        support, moved = take(hints, base, features, kernel)
        assert support.pins.any()
        assert leads(moved, support).min() > 0.49
        pinned = spread(base, features, support, kernel, even(base)) - moved
        assert pinned.abs().max() < 1e-3

    def test_pins_move_nothing_but_their_own_pixels(self):
        none = torch.zeros(2)
        pinned = Support(
            torch.tensor([[0, 0], [0, 3]]), torch.tensor([1, 0]), none + 1, none, none + 3, none + 1
        )
        moved = spread(torch.zeros(2, 1, 4), ROW, pinned, KERNEL, (1.0, 1.0))
        assert moved[:, 0].tolist() == [[0, 0, 0, 3], [3, 0, 0, 0]]


class TestScribbles:
    def test_pixels_that_others_bring_along_get_no_weight(self):
        # The first pixel raises the second by K; the third, unlike, is on its own.
        base = torch.zeros(2, 1, 4)
        base[1, 0, 1] = 0.5
        support, _ = take([([(0, 0), (0, 1), (0, 2)], 1)], base, ROW, KERNEL)
        assert support.weights[1] == 0
        assert support.weights[[0, 2]].min() > 0.9

    def test_every_pixel_of_one_is_obeyed(self):
        # More pixels than similarity maps are held at once.
        base, features = torch.randn(3, 8, 8), seen(torch.randn(1, 3, 8, 8))
        everywhere = torch.cartesian_prod(torch.arange(8), torch.arange(8)).tolist()
        support, moved = take([(everywhere, 2)], base, features, alike(0.2, temperature=0.3))
        assert len(support) == 64
        assert leads(moved, support).min() > 0.99
        assert torch.equal(moved[:2], base[:2])

    def test_many_pixels_of_two_that_cross(self):
        base, features = torch.zeros(2, 8, 8), seen(torch.randn(1, 3, 8, 8))
        down = [(row, 3) for row in range(8)]
        across = [(4, column) for column in range(8) if column != 3]
        support, moved = take([(down, 1), (across, 0)], base, features, alike(0.3))
        assert len(support) == 15
        assert leads(moved, support).min() > 0.49


@st.composite
def scenes(draw) -> tuple[Tensor, Features, list[Drawn], Kernel]:
    """A small scene and up to six clicks on it."""
    shape = draw(st.lists(st.integers(2, 6), min_size=2, max_size=3))
    classes = draw(st.integers(2, 3))
    random = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    base = 3 * torch.randn(classes, *shape, generator=random)
    features = seen(torch.randn(1, 2, *shape, generator=random))
    pixel = st.tuples(*(st.integers(0, length - 1) for length in shape))
    pixels = draw(st.lists(pixel, min_size=1, max_size=6, unique=True))
    hints = [([each], draw(st.integers(0, classes - 1))) for each in pixels]
    return base, features, hints, draw(st.sampled_from([KERNEL, GROWING]))


@given(scenes())
@settings(deadline=None, max_examples=60)
def test_a_new_hint_takes_nothing_back(scene):
    base, features, hints, kernel = scene
    support, moved = take([], base, features, kernel)
    for hint in hints:
        before = support
        support, moved = take([hint], base, features, kernel, support, moved)
        assert (support.weights[:-1] >= before.weights).all()
        assert torch.equal(support.reaches[:-1], before.reaches)
        assert before.starts(support.positions, support.classes)
        # Every hint so far is obeyed at its own pixel, contradicted or not.
        assert leads(moved, support).min() > 0.49
        assert support.weights.min() >= 0
        assert support.pins.min() >= 0


@given(scenes())
@settings(deadline=None, max_examples=30)
def test_it_does_not_matter_where_one_goes_on(scene):
    base, features, hints, kernel = scene
    whole, moved = take(hints, base, features, kernel)
    again = spread(base, features, whole, kernel, even(base))
    torch.testing.assert_close(moved, again, atol=1e-3, rtol=1e-4)
    for kept in range(len(hints)):
        support, _ = take(hints[:kept], base, features, kernel)
        shown = spread(base, features, support, kernel, even(base))
        support, _ = take(hints[kept:], base, features, kernel, support, shown)
        assert same(support, whole)


def test_a_support_starts_what_goes_on_with_it():
    support, _ = on_row(torch.zeros(2, 1, 4), (0, 1), (2, 0))
    positions, classes = torch.tensor([[0, 0], [0, 2], [0, 3]]), torch.tensor([1, 0, 1])
    assert support.starts(positions, classes)
    assert support.starts(positions[:2], classes[:2])
    assert not support.starts(positions[:1], classes[:1])
    assert not support.starts(positions, 1 - classes)
    assert not support.starts(positions.flip(0), classes.flip(0))
    assert Support.empty(2, positions.device).starts(positions, classes)


@pytest.mark.parametrize("ndim", [2, 3])
def test_no_hints_move_nothing(ndim):
    shape = (3, 4, 5)[:ndim]
    base, features = torch.rand(2, *shape), seen(torch.rand(1, 1, *shape))
    nothing = Support.empty(ndim, base.device)
    assert len(nothing) == 0
    assert torch.equal(spread(base, features, nothing, KERNEL, even(base)), base)


def test_what_is_handed_in_is_left_alone():
    base = torch.zeros(2, 1, 4)
    support, moved = on_row(base, (0, 1))
    shown, weights = moved.clone(), support.weights.clone()
    grown, _ = take([([(0, 1)], 0)], base, ROW, KERNEL, support, moved)
    spread(base, ROW, grown, KERNEL, even(base))
    assert not base.any()
    assert torch.equal(moved, shown)
    assert torch.equal(support.weights, weights)
    assert grown.weights[0] > support.weights[0]


class TestUnequalPixels:
    """Looks do not count, and ℓ is a quarter of the longest side."""

    BLIND = alike(0.25, temperature=1e6, lead=4.0)

    def taken(self, drawn, shape, spacing):
        base, features = torch.zeros(2, *shape), seen(torch.zeros(1, 1, *shape))
        sizes = relative(spacing, len(shape))
        return take(drawn, base, features, self.BLIND, spacing=sizes)

    def test_pixels_twice_as_tall_are_reached_over_half_as_many_rows(self):
        support, moved = self.taken([([(4, 8)], 1)], (9, 17), (2, 1))
        # 9 rows are as long as 18 columns, and a typical pixel is √2 columns long.
        assert support.home_reaches.tolist() == pytest.approx([4.5 / math.sqrt(2)])
        for rows in range(5):
            expected = 4 * math.exp(-((2 * rows) ** 2) / (2 * 4.5**2))
            for position in [(4 + rows, 8), (4 - rows, 8), (4, 8 + 2 * rows), (4, 8 - 2 * rows)]:
                assert float(moved[(1, *position)]) == pytest.approx(expected, abs=1e-4)

    def test_three_axes(self):
        support, moved = self.taken([([(1, 2, 4)], 1)], (3, 5, 9), (4, 2, 1))
        # A typical voxel is 2 long, and the longest side 12.
        assert support.home_reaches.tolist() == pytest.approx([1.5])
        expected = 4 * math.exp(-4 / (2 * 1.5**2))
        for position in [(0, 2, 4), (2, 2, 4), (1, 0, 4), (1, 4, 4), (1, 2, 0), (1, 2, 8)]:
            assert float(moved[(1, *position)]) == pytest.approx(expected, abs=1e-4)

    def test_hints_bring_each_other_along_by_their_distance(self):
        # Three rows away, as far as six columns, a lead of 4 is one of 1.64; a confirmation
        # asks for no more than 1.
        apart, _ = self.taken([([(3, 8)], 1), ([(6, 8)], 1)], (9, 17), (2, 1))
        assert apart.weights.tolist() == pytest.approx([4, 0], abs=1e-3)
        # Nine columns away it is 0.54.
        apart, _ = self.taken([([(4, 3)], 1), ([(4, 12)], 1)], (9, 17), (2, 1))
        lacking = 1 - 4 * math.exp(-81 / (2 * 4.5**2))
        assert apart.weights.tolist() == pytest.approx([4, lacking], abs=1e-3)

    def test_only_the_proportions_count(self):
        drawn = [([(4, 8)], 1), ([(6, 2), (6, 3)], 0)]
        for one, other in [((1, 1), (0.3, 0.3)), ((2, 1), (8, 4))]:
            (first, moved), (second, again) = (self.taken(drawn, (9, 17), s) for s in (one, other))
            assert same(first, second)
            assert torch.equal(moved, again)


def test_what_a_field_missed_is_met_at_its_very_pixel():
    logits = torch.stack([torch.ones(4, 4), torch.zeros(4, 4)])
    told = [(1, 1), (2, 2)]
    none = torch.zeros(2)
    support = Support(
        torch.tensor(told), torch.tensor([1, 0]), none + 1, none, none + 0.25, none + 1
    )
    met = pinned(support, logits)
    # It trails by 1 and shall lead by 0.5; the other one leads.
    assert met.pins.tolist() == [1.75, 0.25]
    logits[:, 1, 1] = torch.tensor([0.0, 0.1])
    assert pinned(met, logits) is met
