from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_guideme.guidance.applying import applied, blended, carried_to, found_anywhere
from napari_guideme.guidance.carrying import ALIKE, DRIFTED, FIRMNESS, Anchors
from napari_guideme.guidance.methods import method_named
from napari_guideme.guidance.saved import Corrected, SavedGuidance
from napari_guideme.guidance.scene import Scene
from napari_guideme.guidance.support import Support
from napari_guideme.hints import Hints

KERNEL = method_named("residual").kernel

#: A pixel of the dim cell, and one of the background.
DIM_PIXEL, DARK_PIXEL = (11, 11), (0, 0)


def support(weights=(2.0,), at=(DIM_PIXEL,), reach=4.0, label=1) -> Support:
    n = len(weights)
    return Support(
        torch.tensor(at[:n]),
        torch.full((n,), label),
        torch.full((n,), reach),
        torch.tensor(weights),
        torch.zeros(n),
        torch.ones(n),
    )


@pytest.fixture
def scene(network, picture) -> Scene:
    """Every pixel looks either like the cells or like the background, as alike as can be."""
    return Scene(network, picture)


@pytest.fixture
def emptied(network, picture) -> Scene:
    """The same without the dim cell: what lies there looks as unlike as can be."""
    return Scene(network, np.where(picture == np.float32(0.45), 0, picture))


@pytest.fixture
def anchors(scene) -> Anchors:
    """The dim cell, clicked on slice 4."""
    return Anchors.of(scene, support(), 4)


def drifted(anchors: Anchors, scene: Scene, similarity: float) -> Anchors:
    """Anchors that look so much like what lies at their places."""
    (there,) = scene.features.at(anchors.support.positions)
    across = torch.stack([there[:, 1], -there[:, 0]], 1)
    level = similarity * there + math.sqrt(1 - similarity**2) * across
    return replace(anchors, levels=(level,))


def test_pixels_that_weigh_nothing_stay_behind(scene):
    taken = Anchors.of(scene, support((0.0, 3.0), (DARK_PIXEL, DIM_PIXEL)), 7)
    assert taken.support.positions.tolist() == [list(DIM_PIXEL)]
    assert (taken.origins.tolist(), taken.changed.tolist()) == ([7], [1])
    assert taken.levels[0].shape == (1, 2)
    assert not len(Anchors.of(scene, support((0.0,))))


@pytest.mark.parametrize(("index", "thickness"), [(4, 5.0), (5, 1.0), (6, 2.5), (2, 0.5)])
def test_the_kernel_falls_along_the_axis_in_pixels_of_the_plane(anchors, scene, index, thickness):
    beyond = anchors.beyond(index, thickness)
    away = abs(index - 4) * thickness
    assert beyond.item() == pytest.approx(away)
    assert anchors.nearness(index, thickness).item() == pytest.approx(math.exp(-(away**2) / 32))
    moved = anchors.added(scene.logits, scene, KERNEL, beyond) - scene.logits
    firm = 1.0 if index == 4 else FIRMNESS
    at_pixel = firm * 2 * math.exp(-(away**2) / 32)
    assert moved[1][DIM_PIXEL].item() == pytest.approx(at_pixel, rel=1e-4)
    assert moved[1][11, 13].item() == pytest.approx(at_pixel * math.exp(-4 / 32), rel=1e-4)
    unlike = math.exp(-2 / KERNEL.temperature) * math.exp(-16 / 32)
    assert moved[1][15, 11].item() == pytest.approx(at_pixel * unlike, rel=1e-3)
    assert not moved[0].any()


def test_elsewhere_only_the_look_counts(anchors, scene):
    moved = anchors.elsewhere().added(scene.logits, scene, KERNEL) - scene.logits
    assert moved[1][3, 3].item() == pytest.approx(2, rel=1e-4)
    assert moved[1][0, 0].item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("usual", [1.0, 0.8])
@pytest.mark.parametrize(
    ("share", "fit"), [(1.0, 1.0), (ALIKE, 1.0), ((DRIFTED + ALIKE) / 2, 0.5), (DRIFTED, 0.0)]
)
def test_a_hint_fits_by_what_is_usual_between_slices(anchors, scene, share, fit, usual):
    there = drifted(anchors, scene, share * usual)
    there = replace(there, usual=torch.tensor([usual]))
    assert there.similarity(scene).item() == pytest.approx(share * usual, abs=1e-5)
    assert there.fit(scene).item() == pytest.approx(fit, abs=1e-4)


def test_nothing_fits_where_the_opposite_lies(anchors, emptied):
    assert anchors.fit(emptied).tolist() == [0]
    assert not len(anchors.weakened(torch.zeros(1)).fit(emptied))


def test_what_is_usual_is_measured_on_the_neighbours(anchors, scene, network, picture):
    inverted = Scene(network, 1 - picture)
    assert anchors.measured(scene, [scene]).usual.item() == pytest.approx(1)
    assert anchors.measured(scene, []).usual.item() == 1
    assert anchors.measured(scene, [inverted]).usual.item() == pytest.approx(0.1)
    # One neighbour is the same, the other the opposite: a similarity of 0, held at a tenth.
    assert anchors.measured(scene, [scene, inverted]).usual.item() == pytest.approx(0.1)


def test_weakened_to_nothing_is_gone(scene):
    three = Anchors.of(scene, support((1.0, 2.0, 4.0), (DIM_PIXEL, DARK_PIXEL, (3, 3))), 1)
    left = three.weakened(torch.tensor([0.5, 0.01, 1.0]))
    assert left.support.weights.tolist() == [0.5, 4]
    assert left.support.positions.tolist() == [[11, 11], [3, 3]]
    assert torch.equal(left.levels[0], three.levels[0][[0, 2]])
    assert three.support.weights.tolist() == [1, 2, 4]


def test_joined_are_all(scene, anchors):
    none = Anchors.of(scene, support((0.0,)))
    other = Anchors.of(scene, support((3.0,), (DARK_PIXEL,)), 9)
    both = anchors.joined(other)
    assert both.origins.tolist() == [4, 9]
    assert both.support.weights.tolist() == [2, 3]
    assert torch.equal(both.levels[0], torch.cat([anchors.levels[0], other.levels[0]]))
    assert none.joined(anchors) is anchors
    assert anchors.joined(none) is anchors


@pytest.mark.parametrize(
    ("index", "shares"),
    [
        *((0, {2: 1}), (2, {2: 1}), (3, {2: 0.75, 6: 0.25})),
        *((6, {6: 1}), (9, {10: 0.75, 6: 0.25}), (11, {10: 1})),
    ],
)
def test_the_nearer_of_two_slices_counts_more(scene, index, shares):
    corrected = [2, 6, 10]
    some = [Anchors.of(scene, support(), n) for n in corrected]
    found = blended(some, corrected, index)
    weights = zip(found.origins.tolist(), found.support.weights.tolist(), strict=True)
    assert dict(weights) == {n: pytest.approx(2 * share) for n, share in shares.items()}


def test_what_fits_is_carried(anchors, scene):
    result, acting, fit = carried_to(anchors, scene, 5, 1.0)
    assert (result.state, result.why) == ("carried", "")
    assert result.agreement == pytest.approx(1)
    assert fit.item() == pytest.approx(1)
    assert (result.logits.argmax(0)[10:14, 10:14] == 1).all()
    assert len(acting) == 1


def test_what_does_not_fit_is_not_carried_and_says_why(anchors, emptied):
    result, acting, _ = carried_to(anchors, emptied, 5, 1.0)
    assert (result.state, result.agreement) == ("own", 0)
    assert "looks different here" in result.why
    assert torch.equal(result.logits, emptied.logits)
    assert not len(acting)


def test_without_the_check_it_acts_and_is_doubtful(anchors, emptied):
    stronger = replace(anchors, support=support((20.0,)))
    result, *_ = carried_to(stronger, emptied, 5, 1.0, check=False)
    assert (result.state, result.agreement) == ("doubtful", 0)
    assert result.logits[:, 11, 11].argmax() == 1


def test_what_half_fits_is_doubtful_if_it_changes_anything(anchors, scene):
    similarity = DRIFTED + 0.25 * (ALIKE - DRIFTED)
    stronger = replace(drifted(anchors, scene, similarity), support=support((8.0,)))
    result, acting, _ = carried_to(stronger, scene, 5, 1.0)
    assert result.state == "doubtful"
    assert result.agreement == pytest.approx(0.25, abs=1e-3)
    assert acting.support.weights.item() == pytest.approx(2, abs=1e-2)
    weak = replace(stronger, support=support((0.2,)))
    assert carried_to(weak, scene, 5, 1.0)[0].state == "own"


def test_out_of_reach_nothing_is_said(anchors, scene):
    result, *_ = carried_to(anchors, scene, 40, 1.0)
    assert (result.state, result.agreement, result.why) == ("own", None, "")


def test_what_did_not_fit_on_the_way_does_not_fit_again(anchors, scene):
    result, _, fit = carried_to(anchors, scene, 6, 1.0, torch.tensor([0.0]))
    assert (result.state, fit.item()) == ("own", 0)


def test_elsewhere_it_is_refused_to_change_more_than_at_home(anchors, scene):
    changed = float((scene.logits.argmax(0) == 0).float().mean())
    assert changed > 16 / 256
    share = 16 / 256
    for home, state in [(share / 2, "own"), (share, "carried"), (1.0, "carried")]:
        result = found_anywhere(replace(anchors, changed=torch.tensor([home])), scene)
        assert result.state == state
        assert ("it would change more here" in result.why) == (state == "own")
        assert torch.equal(result.logits, scene.logits) == (state == "own")
    strict = replace(anchors, changed=torch.tensor([0.0]))
    assert found_anywhere(strict, scene, check=False).state == "carried"


def test_elsewhere_nothing_that_looks_alike_is_said(anchors, network):
    flat = Scene(network, np.tile(np.float32([[0.0, 0.1]]), (8, 4)))
    stranger = replace(anchors, levels=(torch.tensor([[1.0, 1.0]]) / math.sqrt(2),))
    result = found_anywhere(stranger, flat)
    assert result.state == "own"
    assert result.why == "nothing here looks like what was clicked"


def test_no_anchors_are_the_networks_own(scene):
    result = found_anywhere(Anchors.of(scene, support((0.0,))), scene)
    assert (result.state, result.agreement) == ("own", None)


@pytest.mark.parametrize("index", [None, 5])
def test_saved_guidance_is_applied_to_a_slice_or_another_image(anchors, scene, index):
    saved = SavedGuidance.of(scene, "residual", [Corrected(4, anchors, Hints())], 1.0)
    result = applied(saved, scene, index)
    assert result.state == "carried"
    reached = carried_to(anchors, scene, 5, 1.0)[0] if index else found_anywhere(anchors, scene)
    assert torch.equal(result.logits, reached.logits)
