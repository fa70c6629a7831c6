"""What a click changed gets the outline that the click network draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.draw import disk

from napari_guideme import Click, GuideSession
from napari_guideme.guidance.outlining import outlined, outliner
from napari_guideme.guidance.scene import Scene
from napari_guideme.networks.preparation import Preparation
from tests import toys

SHAPE = (24, 24)
BACKGROUND, CELL = 0, 1

#: What a click made of a thing: 12 x 12 pixels, 6 deep, so that two pixels (0.25 of 6, and
#: less than two) at most are drawn anew on both sides.
THING = np.s_[6:18, 6:18]
MIDDLE = (12, 12)


def logits(*cells, sure: float = 1.0) -> torch.Tensor:
    """Background leads by `sure`, but in cells the cell does."""
    found = torch.full(SHAPE, -sure)
    for cell in cells:
        found[cell] = sure
    return torch.stack([torch.zeros(SHAPE), found])


def drawn(before, after, probability, hints=((MIDDLE, CELL),), weight=2.0):
    """What :func:`outlined` returns, and what the click network was asked."""
    asked = []

    def draw(mask, inside, outside):
        asked.append((mask, inside.tolist(), outside.tolist()))
        return probability

    positions = torch.tensor([place for place, _ in hints])
    classes = torch.tensor([index for _, index in hints])
    regions = outlined(before, after, positions, classes, torch.tensor(weight), draw)
    return regions, asked


def probability(*changes) -> np.ndarray:
    """1 in the thing and 0 beside it, but for what is told."""
    found = np.zeros(SHAPE, dtype=np.float32)
    found[THING] = 1
    for where, value in changes:
        found[where] = value
    return found


def test_what_is_likely_beside_the_thing_follows_with_what_it_needs():
    beside = np.s_[10:14, 18]
    before = logits(sure=3.0)
    regions, asked = drawn(before, logits(THING), probability((beside, 0.6)))
    (region,) = regions
    expected = np.zeros(SHAPE, dtype=bool)
    expected[beside] = True
    np.testing.assert_array_equal(region.drawn(SHAPE), expected)
    # It trails by 3 and shall lead by 0.5: a weight of 2 does it 1.75 times.
    assert region.shares(torch.tensor([[10, 18]])).tolist() == [1.75]
    ((mask, inside, outside),) = asked
    np.testing.assert_array_equal(mask, probability() > 0)
    assert (inside, outside) == ([list(MIDDLE)], [])


def test_what_hardly_trails_follows_as_the_click_itself():
    beside = np.s_[10:14, 18]
    (region,), _ = drawn(logits(sure=0.1), logits(THING), probability((beside, 0.6)))
    assert region.shares(torch.tensor([[10, 18]])).tolist() == [1.0]


@pytest.mark.parametrize(("value", "follows_less"), [(0.1, True), (0.3, False)])
def test_only_what_surely_is_none_of_it_is_spared(value, follows_less):
    rim = np.s_[10:14, 17]
    regions, _ = drawn(logits(), logits(THING), probability((rim, value)))
    assert len(regions) == follows_less
    if regions:
        assert regions[0].shares(torch.tensor([[10, 17]])).tolist() == [0.0]


def test_what_had_the_class_before_is_not_spared():
    regions, _ = drawn(logits(THING), logits(THING), probability((THING, 0.0)))
    assert regions == []


def test_far_from_the_outline_nothing_is_drawn():
    far = [(np.s_[0:3, 0:3], 0.9), (np.s_[11:14, 9:15], 0.0)]
    assert drawn(logits(), logits(THING), probability(*far))[0] == []


def test_hinted_pixels_stay_as_they_were_told():
    beside, rim = (12, 18), (12, 17)
    hints = ((beside, BACKGROUND), (rim, CELL), (MIDDLE, CELL))
    changes = [(np.s_[11:14, 18], 0.9), (np.s_[11:14, 17], 0.0)]
    regions, asked = drawn(logits(), logits(THING), probability(*changes), hints)
    gained, spared = regions
    assert gained.drawn(SHAPE)[11, 18]
    assert not gained.drawn(SHAPE)[beside]
    assert spared.drawn(SHAPE)[11, 17]
    assert not spared.drawn(SHAPE)[rim]
    assert asked[0][1:] == ([list(rim), list(MIDDLE)], [list(beside)])


def test_a_click_that_ends_a_thing_leaves_what_likely_is_of_it():
    whole = np.s_[6:18, 6:21]
    click = (12, 20)
    changes = [(np.s_[8:16, 18], 0.6), (np.s_[8:16, 17], 0.1)]
    regions, asked = drawn(
        logits(whole), logits(THING), probability(*changes), [(click, BACKGROUND)]
    )
    gone, kept = regions
    assert gone.drawn(SHAPE)[8:16, 17].all()
    assert gone.drawn(SHAPE).sum() == 8
    assert kept.drawn(SHAPE)[8:16, 18].all()
    assert kept.shares(torch.tensor([[8, 18]])).tolist() == [0.0]
    np.testing.assert_array_equal(asked[0][0], probability() > 0)
    assert asked[0][1:] == ([], [list(click)])


@pytest.mark.parametrize(
    ("before", "after", "hint"),
    [
        (logits(), logits(np.s_[10:14, 10:14]), (MIDDLE, CELL)),
        (logits(THING), logits(), (MIDDLE, BACKGROUND)),
        (logits(), logits(), (MIDDLE, BACKGROUND)),
    ],
    ids=["too small", "nothing is left", "there was nothing"],
)
def test_where_there_is_no_thing_the_click_network_is_not_asked(before, after, hint):
    assert drawn(before, after, probability(), [hint]) == ([], [])


#: A bright disc in a dim picture, all of which the toy network sees at 16 x 16 pixels.
SIDE = 192
ROUND = np.zeros((SIDE, SIDE), dtype=bool)
ROUND[disk((96, 96), 50)] = True


def picture(bright: float = 0.9) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 0.03, ROUND.shape)
    return (np.where(ROUND, bright, 0.1) + noise).astype(np.float32)


class Sure(toys.DarkAndBright):
    """Leads by far more than a click that confirms asks for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 20 * super().forward(x)


def network_for(channels: int = 1, size: tuple[int, int] | None = (16, 16)):
    module = toys.DarkAndBright() if channels == 1 else torch.nn.Conv2d(channels, 2, 1)
    return toys.frozen(
        module, preparation=Preparation(channels=channels, value_range="none", size=size)
    )


def iou(a, b) -> float:
    return (a & b).sum() / (a | b).sum()


def test_the_bundled_network_draws_a_disc_from_a_square():
    draw = outliner(Scene(network_for(), picture()))
    assert draw is not None
    square = np.zeros_like(ROUND)
    square[52:140, 52:140] = True
    none = torch.zeros(0, 2, dtype=torch.long)
    found = draw(square, torch.tensor([[96, 96]]), none)
    assert iou(found > 0.5, ROUND) > max(iou(square, ROUND) + 0.03, 0.93)
    assert (draw(square, torch.tensor([[96, 96]]), torch.tensor([[96, 30]])) >= 0).all()


@pytest.mark.parametrize(
    "network",
    [network_for(size=None), network_for(channels=2)],
    ids=["sees images as they are", "sees no picture"],
)
def test_other_networks_draw_their_own_outlines(network):
    image = picture()
    if network.preparation.channels == 2:
        image = np.stack([image, image])
    axis = 0 if image.ndim == 3 else None
    assert outliner(Scene(network, image, channel_axis=axis)) is None


def test_a_click_on_a_missed_disc_finds_its_outline_and_undo_takes_it_back():
    session = GuideSession(picture(0.45), network_for())
    before = session.labels()
    assert not before.any()
    session.add(Click((96, 96), "cell"))
    for _ in session.refine():
        pass
    found = session.labels()
    assert iou(found == CELL, ROUND) > 0.9
    session.undo()
    np.testing.assert_array_equal(session.labels(), before)
    session.redo()
    np.testing.assert_array_equal(session.labels(), found)
    again = GuideSession(picture(0.45), network_for())
    for _ in again.replay(session.history):
        pass
    np.testing.assert_array_equal(again.labels(), found)


def test_a_click_that_confirms_a_label_outlines_the_thing_and_changes_nothing_else():
    image = picture()
    image[:40, :40] = 0.48
    preparation = Preparation(channels=1, value_range="none", size=(16, 16))
    session = GuideSession(image, toys.frozen(Sure(), preparation=preparation))
    before = session.labels() == CELL
    assert not before[:40, :40].any()
    session.add(Click((96, 96), "cell"))
    for _ in session.refine():
        pass
    found = session.labels() == CELL
    assert iou(found, ROUND) > iou(before, ROUND)
    changed = found != before
    assert changed.any()
    assert found[changed].all()
    assert not changed[:40, :40].any()
    assert not changed[80:112, 80:112].any()
