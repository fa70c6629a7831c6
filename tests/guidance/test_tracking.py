from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_guideme.guidance import tracking
from napari_guideme.guidance.anchor_tensors import anchors_of, tensors_of
from napari_guideme.guidance.applying import carried_to
from napari_guideme.guidance.carrying import FIRMNESS, Anchors
from napari_guideme.guidance.scene import Scene
from napari_guideme.guidance.support import Support
from napari_guideme.guidance.tracking import Thing

#: A patch of 6 x 4 pixels that the network calls a cell.
ROWS, COLUMNS = slice(5, 11), slice(6, 10)


def drawn(*patches, value: float = 1.0) -> np.ndarray:
    pixels = np.zeros((16, 20), np.float32)
    for patch in patches:
        pixels[patch] = value
    return pixels


def unmoved(mask: np.ndarray) -> np.ndarray:
    return mask


def moved(by: int) -> tuple[slice, slice]:
    return ROWS, slice(COLUMNS.start + by, COLUMNS.stop + by)


def at(*places, label: int = 0, weight: float = 3.0) -> Support:
    n = len(places)
    ones = torch.ones(n)
    classes = torch.full((n,), label)
    return Support(torch.tensor(places), classes, ones, weight * ones, 0 * ones, ones)


def turned(network, pixels, support, labels) -> Anchors:
    scene = Scene(network, pixels)
    return Anchors.of(scene, support, 4).turning(scene, torch.from_numpy(labels))


@pytest.fixture
def anchors(network) -> Anchors:
    """A click on slice 4 turned the patch into background."""
    return turned(network, drawn((ROWS, COLUMNS)), at((8, 8)), drawn().astype(int))


@pytest.fixture
def thing(anchors) -> Thing:
    (only,) = anchors.things
    return only


def pixels_of(thing: Thing) -> np.ndarray:
    return thing.region.drawn((16, 20))


def test_a_thing_is_what_a_click_turned(thing):
    np.testing.assert_array_equal(pixels_of(thing), drawn((ROWS, COLUMNS)) > 0)
    assert (thing.region.owner, thing.label, thing.fit, thing.left) == (0, 1, 1.0, ())
    # The features of a cell are (0, 1); those of all pixels are standardised.
    assert len(thing.turned) == 1
    assert thing.turned[0][1] > 0 > thing.turned[0][0]


@pytest.mark.parametrize(
    ("pixels", "labels", "support"),
    [
        # What was missed is no part of the network's labels.
        (drawn(), drawn((ROWS, COLUMNS)), at((8, 8), label=1)),
        # The click confirmed the label.
        (drawn((ROWS, COLUMNS)), drawn((ROWS, COLUMNS)), at((8, 8), label=1)),
        # It was overruled: the label did not follow it.
        (drawn((ROWS, COLUMNS)), drawn((ROWS, COLUMNS)), at((8, 8))),
        # Two thirds of the part turned: it was cut out of a larger one.
        (drawn((ROWS, COLUMNS)), drawn((slice(9, 11), COLUMNS)), at((8, 8))),
        # 9 pixels are too few.
        (drawn((slice(7, 10), slice(7, 10))), drawn(), at((8, 8))),
    ],
)
def test_what_is_no_thing(network, pixels, labels, support):
    assert not turned(network, pixels, support, labels.astype(int)).things


def test_several_hints_in_a_thing_are_one(network):
    support = at((8, 8), (6, 7), (1, 1))
    support = replace(support, weights=torch.tensor([1.0, 2.0, 3.0]))
    (only,) = turned(network, drawn((ROWS, COLUMNS)), support, drawn().astype(int)).things
    assert only.region.owner == 1


@pytest.mark.parametrize(
    ("by", "overlap"), [(0, 1), (1, 3 / 5), (2, 2 / 6), (3, 1 / 7), (-1, 3 / 5)], ids=str
)
def test_it_is_followed_while_it_overlaps(network, thing, by, overlap):
    found = thing.followed(Scene(network, drawn(moved(by))), unmoved)
    assert (found is not None) == (overlap >= tracking.OVERLAP)
    if found is not None:
        np.testing.assert_array_equal(pixels_of(found), drawn(moved(by)) > 0)
        assert found.fit == pytest.approx(1)


def test_what_moves_with_the_image_is_followed_however_far(network, thing):
    scene = Scene(network, drawn(moved(8)))
    assert thing.followed(scene, unmoved) is None
    found = thing.followed(scene, lambda mask: np.roll(mask, 8, 1))
    np.testing.assert_array_equal(pixels_of(found), drawn(moved(8)) > 0)


def test_what_moves_slowly_is_followed_to_where_it_was_not(network, thing):
    for by in range(1, 6):
        thing = thing.followed(Scene(network, drawn(moved(by))), unmoved)
    np.testing.assert_array_equal(pixels_of(thing), drawn(moved(5)) > 0)
    assert thing.followed(Scene(network, drawn()), unmoved) is None


def test_of_a_larger_part_only_what_lay_in_it_follows(network, thing):
    """24 of 80 pixels are less than half of the part."""
    found = thing.followed(
        Scene(network, drawn((ROWS, slice(6, 19)), (slice(11, 12), slice(6, 8)))), unmoved
    )
    np.testing.assert_array_equal(pixels_of(found), drawn((ROWS, COLUMNS)) > 0)


def test_another_thing_beside_it_does_not_follow(network, thing):
    found = thing.followed(Scene(network, drawn((ROWS, COLUMNS), (ROWS, slice(12, 16)))), unmoved)
    np.testing.assert_array_equal(pixels_of(found), drawn((ROWS, COLUMNS)) > 0)


def angled(levels, angle: float) -> tuple[torch.Tensor, ...]:
    """Features of two channels that are turned by an angle."""
    cos, sin = np.cos(angle), np.sin(angle)
    return tuple(torch.tensor([cos * x - sin * y, sin * x + cos * y]) for x, y in levels)


@pytest.mark.parametrize(
    ("similarity", "fit"), [(0.99, 1.0), (0.95, 1.0), (0.9, 0.5), (0.85, 0.0), (0.5, 0.0)]
)
def test_it_fits_while_it_looks_alike(network, thing, similarity, fit):
    other = replace(thing, turned=angled(thing.turned, np.arccos(similarity)))
    scene = Scene(network, drawn((ROWS, COLUMNS)))
    found = other.followed(scene, unmoved)
    assert (found.fit if found else 0) == pytest.approx(fit, abs=1e-3)
    assert other.followed(scene, unmoved, check=False).fit == 1


@pytest.mark.parametrize(("nearer", "fit"), [(0.05, 1.0), (0.15, 0.5), (0.25, 0.0)])
def test_what_looks_more_like_what_was_left_is_followed_no_further(thing, nearer, fit):
    """What was turned and what was left are 0.6 alike; what lies here is in between."""
    apart, remaining = np.arccos(0.6), np.arccos(0.6 + nearer)
    other = replace(thing, left=angled(thing.turned, apart))
    here = angled(thing.turned, apart - remaining)
    alike = min(1.0, (np.cos(apart - remaining) - 0.8) / 0.1)
    assert alike >= 0.9
    assert other._likeness(here) == pytest.approx(min(alike, fit), abs=1e-3)


def test_what_stopped_fitting_stays_so(network, thing):
    doubted = replace(thing, fit=0.4)
    assert doubted.followed(Scene(network, drawn(moved(1))), unmoved).fit == 0.4


def test_all_of_it_follows_its_anchor_however_far_away(network, anchors):
    scene = Scene(network, drawn(moved(1)))
    here = anchors.followed(scene, unmoved)
    result, _, fit = carried_to(here, scene, 9, 5.0)
    assert (result.state, result.agreement, fit.tolist()) == ("carried", 1.0, [1.0])
    raised = (result.logits - scene.logits)[0]
    inside = drawn(moved(1)) > 0
    assert raised[inside].numpy() == pytest.approx(3 * FIRMNESS)
    assert raised[~inside].abs().max() < 1e-6
    assert not result.logits.argmax(0).any()
    # Without the thing nothing reaches so far: 25 pixels, at a reach of one.
    assert carried_to(anchors.alone(), scene, 9, 5.0)[0].state == "own"


def test_in_another_image_there_are_no_things(anchors):
    assert anchors.things
    assert not anchors.elsewhere().things


def test_a_thing_stays_with_its_anchor(network, anchors):
    others = Anchors.of(Scene(network, drawn()), at((0, 0), (1, 1)), 7)
    both = others.joined(anchors)
    assert [thing.region.owner for thing in both.things] == [2]
    left = both.weakened(torch.tensor([0.0, 1.0, 0.5]))
    assert [thing.region.owner for thing in left.things] == [1]
    assert not both.weakened(torch.tensor([1.0, 1.0, 0.0])).things


def test_a_thing_that_a_later_hint_turned_back_is_not_followed(anchors):
    assert anchors.standing(torch.zeros(16, 20)).things
    assert not anchors.standing(torch.from_numpy(drawn((ROWS, COLUMNS)))).things


def written(anchors: Anchors) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in tensors_of(anchors).items()}


def read(tensors) -> Anchors:
    return anchors_of(tensors, [2], (16, 20), 2)


@pytest.mark.parametrize("with_left", [False, True])
def test_what_is_read_is_what_was_written(anchors, with_left):
    (thing,) = anchors.things
    if with_left:
        thing = replace(thing, left=angled(thing.turned, 1.0), fit=0.3)
    (found,) = read(written(replace(anchors, things=(thing,)))).things
    assert (found.region.owner, found.region.start) == (0, (5, 6))
    assert torch.equal(found.region.mask, thing.region.mask)
    assert (found.label, found.fit) == (thing.label, thing.fit)
    for some, others in ((found.turned, thing.turned), (found.left, thing.left)):
        assert len(some) == len(others)
        assert all(map(torch.equal, some, others))


@pytest.mark.parametrize(
    "changed",
    [
        {"about": torch.tensor([1, 1, 5, 6, 6, 4])},  # Of a pixel that is not there.
        {"about": torch.tensor([0, 2, 5, 6, 6, 4])},  # Of a class that is not there.
        {"about": torch.tensor([0, 1, 11, 6, 6, 4])},  # Beyond the last row.
        {"about": torch.tensor([0, 1, -1, 6, 6, 4])},
        {"about": torch.tensor([0, 1, 5, 6, 6])},
        {"about": torch.tensor([0.0, 1, 5, 6, 6, 4])},
        {"about": torch.tensor([0, 1, 5, 6, 0, 4])},
        {"mask": torch.zeros(2, dtype=torch.uint8)},
        {"mask": torch.zeros(3)},
        {"fit": torch.tensor(1.5)},
        {"fit": torch.tensor(float("nan"))},
        {"turned.0": torch.zeros(3)},
        {"turned.0": torch.tensor([0, float("inf")])},
        {"left.0": torch.zeros(1)},
    ],
)
def test_what_was_tampered_with_is_refused(anchors, changed):
    tensors = written(anchors)
    read(tensors)
    tensors.update({f"thing.0.{name}": value for name, value in changed.items()})
    with pytest.raises(ValueError, match="thing"):
        read(tensors)
