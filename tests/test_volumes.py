from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file

from napari_guideme.errors import InputError
from napari_guideme.guidance.saved import SavedGuidance
from napari_guideme.hints import Click, Scribble, by_slice
from napari_guideme.networks.preparation import Preparation
from napari_guideme.session import GuideSession
from napari_guideme.volumes import EXTENTS, KEPT, VolumeSession
from tests import toys
from tests.conftest import BRIGHT, DIM
from tests.untouched import lived_in, untouched

#: Slices with a dim cell that the network misses; beyond them there is only the bright one.
DIMS = range(2, 9)
LENGTH = 12

ON_DIM = (11, 11)


@pytest.fixture
def volume(picture) -> np.ndarray:
    pixels = np.repeat(picture[None], LENGTH, 0)
    for index in set(range(LENGTH)) - set(DIMS):
        pixels[index][DIM] = 0
    return pixels


@pytest.fixture
def session(volume, network) -> VolumeSession:
    return VolumeSession(volume, network)


def finish(steps) -> list:
    return list(steps)


def correct(session: VolumeSession, index: int, at=ON_DIM, name: str = "cell") -> None:
    session.add(Click((index, *at), name))
    finish(session.refine(index))


def shown(session: VolumeSession):
    """What undo and redo must restore bit for bit."""
    return session.labels().tobytes(), tuple(session.states)


def cells(*patches) -> np.ndarray:
    labels = np.zeros((16, 16), np.uint8)
    for patch in patches:
        labels[patch] = 1
    return labels


def kinds(session: VolumeSession, *names: str) -> list[int]:
    return [state.index for state in session.states if state.state in names]


def test_before_any_hint_labels_are_the_networks_own(session):
    np.testing.assert_array_equal(session.labels(), [cells(BRIGHT)] * LENGTH)
    assert kinds(session, "own") == list(range(LENGTH))
    assert not session.can_undo


def test_a_correction_goes_onward_until_it_no_longer_fits(session):
    correct(session, 5)
    steps = finish(session.carry("onward"))
    assert kinds(session, "corrected") == [5]
    assert kinds(session, "carried") == [n for n in DIMS if n != 5]
    for index in range(LENGTH):
        expected = cells(BRIGHT, DIM) if index in DIMS else cells(BRIGHT)
        np.testing.assert_array_equal(session.slice_labels(index), expected)
    for first_beyond in (DIMS.start - 1, DIMS.stop):
        assert "looks different here" in session.states[first_beyond].why
    assert {step.slice.index for step in steps} == set(range(1, 10)) - {5}
    for step in steps:
        assert step.slice == session.states[step.slice.index]
        np.testing.assert_array_equal(step.labels, session.slice_labels(step.slice.index))
        assert step.total == LENGTH - 1
    assert [step.done for step in steps] == list(range(1, len(steps) + 1))


def test_it_does_not_jump_over_a_gap_onward(volume, network):
    volume[6][DIM] = 0
    session = VolumeSession(volume, network)
    correct(session, 4)
    finish(session.carry("onward"))
    assert kinds(session, "carried") == [2, 3, 5]
    np.testing.assert_array_equal(session.slice_labels(7), cells(BRIGHT))


def test_without_the_check_it_fades_with_the_distance_alone(volume, network):
    volume[6][DIM] = 0
    session = VolumeSession(volume, network)
    correct(session, 4)
    finish(session.carry("onward", check=False))
    assert {3, 5, 7} <= set(kinds(session, "carried"))
    assert 6 in kinds(session, "doubtful", "own")


def test_this_slice_carries_nothing_and_takes_back_what_was_carried(session):
    correct(session, 5)
    finish(session.carry("onward"))
    assert finish(session.carry("slice")) == []
    assert kinds(session, "carried", "doubtful") == []
    np.testing.assert_array_equal(session.slice_labels(6), cells(BRIGHT))
    np.testing.assert_array_equal(session.slice_labels(5), cells(BRIGHT, DIM))


def test_the_whole_volume_is_searched_for_what_looks_the_same(volume, network):
    away = np.roll(volume[5], (-4, -8), (0, 1))
    away[BRIGHT] = 1
    volume[11] = away
    session = VolumeSession(volume, network)
    correct(session, 5)
    finish(session.carry("onward"))
    assert session.states[11].state == "own"
    assert len(finish(session.carry("volume"))) == LENGTH - 1
    assert session.states[11].state in ("carried", "doubtful")
    assert (session.slice_labels(11) != cells(BRIGHT)).any()


def test_thick_slices_are_reached_less_far(volume, network):
    reached = []
    for thickness in (1.0, 20.0):
        session = VolumeSession(volume, network, spacing=(thickness, 1, 1))
        correct(session, 5)
        finish(session.carry("onward"))
        reached.append(len(kinds(session, "carried")))
    assert reached[0] == len(DIMS) - 1
    assert reached[1] < reached[0]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pixels_of_a_slice_are_as_large_as_told(volume, network, axis):
    turned, sizes = np.moveaxis(volume, 0, axis), [6.0, 1.0]
    sizes.insert(axis, 2.0)
    session = VolumeSession(turned, network, axis=axis, spacing=sizes)
    assert session.planes.thickness == pytest.approx(2 / np.sqrt(6))
    alone = GuideSession(np.take(turned, 5, axis), network, spacing=(6, 1))
    session.add_to(5, Click(ON_DIM, "cell"))
    finish(session.refine(5))
    alone.add(Click(ON_DIM, "cell"))
    finish(alone.refine())
    np.testing.assert_array_equal(session.session(5).probabilities(), alone.probabilities())
    assert session.guidance().spacing == alone.spacing == pytest.approx((6**0.5, 6**-0.5))


@pytest.mark.parametrize("axis", [1, 2])
def test_along_any_axis(volume, network, axis):
    session = VolumeSession(np.moveaxis(volume, 0, axis), network, axis=axis)
    assert len(session) == LENGTH
    session.add(Click(tuple(np.insert(ON_DIM, axis, 5)), "cell"))
    assert session.corrected == [5]
    finish(session.refine(5))
    finish(session.carry())
    assert kinds(session, "carried") == [n for n in DIMS if n != 5]
    expected = [cells(BRIGHT, DIM) if n in DIMS else cells(BRIGHT) for n in range(LENGTH)]
    np.testing.assert_array_equal(session.labels(), np.moveaxis(expected, 0, axis))


def drifting(length: int = LENGTH) -> np.ndarray:
    """A bright patch of 6 x 4 pixels that moves by a column a slice, and ends at slice 9."""
    volume = np.zeros((length, 16, 20), np.float32)
    for index in range(length - 2):
        volume[index, 5:11, 3 + index : 7 + index] = 1
    return volume


def test_a_thing_is_followed_to_where_the_click_does_not_reach(network):
    volume = drifting()
    session = VolumeSession(volume, network, spacing=(30, 1, 1))
    correct(session, 2, (7, 6), "background")
    assert not session.slice_labels(2).any()
    finish(session.carry())
    assert kinds(session, "carried") == [0, 1, *range(3, LENGTH - 2)]
    for index in range(LENGTH):
        assert not session.slice_labels(index).any()
    finish(session.carry("slice"))
    np.testing.assert_array_equal(session.labels()[3:], volume[3:] > 0)


def test_between_two_corrected_slices_each_follows_its_own_things_halfway(network):
    volume = drifting()
    volume[:, 12:15, 10:15] = 1
    session = VolumeSession(volume, network, spacing=(30, 1, 1))
    correct(session, 1, (7, 5), "background")
    correct(session, 6, (13, 12), "background")
    finish(session.carry())
    for index in (2, 3):
        assert not session.slice_labels(index)[:12].any()
        assert session.slice_labels(index)[12:].any()
    for index in (4, 5):
        assert session.slice_labels(index)[:12].any()
        assert not session.slice_labels(index)[12:].any()


def test_a_thing_that_was_carried_is_followed_on_unless_it_was_turned_back(network):
    session = VolumeSession(drifting(), network, spacing=(30, 1, 1))
    correct(session, 2, (7, 6), "background")
    finish(session.carry())
    correct(session, 4, (14, 18), "cell")
    finish(session.carry())
    assert not session.slice_labels(6)[5:11].any()
    session.undo()
    session.undo()
    correct(session, 4, (8, 8), "cell")
    assert session.slice_labels(4)[8, 8] == 1
    finish(session.carry())
    assert session.slice_labels(6)[8, 10] == 1


def test_what_was_followed_is_part_of_what_a_slice_began_from(network):
    session = VolumeSession(drifting(), network, spacing=(30, 1, 1))
    correct(session, 2, (7, 6), "background")
    finish(session.carry())
    correct(session, 4, (14, 18), "cell")
    told = json.loads(json.dumps(session.inherited(4).to_json()))
    other = VolumeSession(drifting(), network, spacing=(30, 1, 1))
    other.inherit(4, told)
    np.testing.assert_array_equal(other.slice_labels(4), np.zeros((16, 20)))
    before, after = (one.session(4)._scene.logits for one in (session, other))
    assert before.numpy().tobytes() == after.numpy().tobytes()
    correct(other, 4, (14, 18), "cell")
    finish(session.carry())
    finish(other.carry())
    np.testing.assert_array_equal(session.labels()[5:], other.labels()[5:])
    assert not session.labels()[6, 5:11].any()


def test_things_are_not_saved_for_other_images(network, tmp_path):
    session = VolumeSession(drifting(), network)
    correct(session, 2, (7, 6), "background")
    path = tmp_path / "a.guidance.safetensors"
    session.guidance().save(path)
    assert session._anchors(2).things
    assert not SavedGuidance.read(path).corrected[0].anchors.things
    assert not any("thing" in name for name in load_file(path))


@pytest.mark.parametrize("extent", ["onward", "volume"])
def test_corrected_slices_are_never_overwritten(session, extent):
    correct(session, 5)
    correct(session, 6, (3, 3), "background")
    before = session.slice_labels(6)
    assert before[3, 3] == 0
    steps = finish(session.carry(extent))
    assert not {5, 6} & {step.slice.index for step in steps}
    np.testing.assert_array_equal(session.slice_labels(6), before)
    assert session.states[6].state == "corrected"


def test_between_two_corrected_slices_both_count(session):
    """The dim cell is corrected on one, the bright one taken away on the other."""
    correct(session, 3)
    correct(session, 7, (3, 3), "background")
    finish(session.carry("onward"))
    alone = session.slice_labels(2), session.slice_labels(8)
    np.testing.assert_array_equal(alone[0], cells(BRIGHT, DIM))
    assert (alone[1][BRIGHT] == 0).any()
    near = session.slice_labels(4), session.slice_labels(6)
    assert near[0][DIM].sum() >= near[1][DIM].sum()
    assert near[0][BRIGHT].sum() >= near[1][BRIGHT].sum()
    assert near[0][ON_DIM] == 1
    assert near[1][3, 3] == 0


def test_a_click_on_a_carried_slice_starts_from_the_carried_labels(session):
    correct(session, 5)
    finish(session.carry())
    session.add(Click((6, 3, 3), "background"))
    assert (session.slice_labels(6)[DIM] == 1).all()
    np.testing.assert_array_equal(session.session(6).predict(), cells(BRIGHT))
    finish(session.refine(6))
    assert session.slice_labels(6)[3, 3] == 0
    assert session.slice_labels(6)[ON_DIM] == 1
    assert kinds(session, "corrected") == [5, 6]


def test_what_was_carried_is_carried_on_from_a_slice_that_was_corrected_later(session):
    correct(session, 4)
    finish(session.carry())
    correct(session, 7, (0, 15), "background")
    finish(session.carry())
    np.testing.assert_array_equal(session.slice_labels(8), cells(BRIGHT, DIM))


def test_undo_and_redo_restore_everything_bit_for_bit(session):
    moments = [shown(session)]
    correct(session, 5)
    moments.append(shown(session))
    finish(session.carry("onward"))
    moments.append(shown(session))
    correct(session, 6, (3, 3), "background")
    moments.append(shown(session))
    finish(session.carry("volume"))
    moments.append(shown(session))
    assert len(set(moments)) == len(moments)
    for moment in reversed(moments[:-1]):
        assert session.can_undo
        session.undo()
        assert shown(session) == moment
    assert not session.can_undo
    for moment in moments[1:]:
        session.redo()
        assert shown(session) == moment
    assert not session.can_redo


def test_a_new_click_ends_what_could_be_redone(session):
    correct(session, 5)
    finish(session.carry())
    session.undo()
    correct(session, 2)
    assert not session.can_redo
    session.undo()
    assert kinds(session, "corrected") == [5]


def test_what_is_said_again_is_no_step_of_the_history(session):
    correct(session, 5)
    session.add(Click((5, *ON_DIM), "cell"))
    session.tell(6, "find the cell")
    session.tell(6, "find the cell")
    session.undo()
    assert session.corrected == [5]
    session.undo()
    assert session.corrected == []


def test_a_slice_that_was_only_looked_at_is_carried_to(session):
    correct(session, 5)
    session.session(6)
    session.add(Click((7, 0, 0), "background"))
    session.undo()
    finish(session.carry())
    for index in (6, 7):
        assert session.states[index].state == "carried"
        np.testing.assert_array_equal(session.slice_labels(index), cells(BRIGHT, DIM))
        np.testing.assert_array_equal(session.session(index).labels(), cells(BRIGHT, DIM))


@pytest.mark.parametrize("after", [0, 1, 4])
def test_dropping_the_generator_leaves_everything(session, after):
    correct(session, 5)
    finish(session.carry())
    correct(session, 6, (3, 3), "background")
    before = shown(session)
    steps = session.carry("volume")
    for _ in range(after):
        next(steps)
    steps.close()
    assert shown(session) == before
    session.undo()
    assert session.corrected == [5]


def test_few_slices_hold_their_activations(volume, network):
    session = VolumeSession(volume, network)
    for index in range(LENGTH):
        session.add(Click((index, 0, 0), "background"))
        finish(session.refine(index))
    scenes = [session.session(n)._scene for n in range(LENGTH)]
    assert sum("_observed" in vars(scene) for scene in scenes) <= 2 * KEPT


def test_the_labels_of_a_forgotten_slice_are_the_same(session):
    correct(session, 5)
    before = session.slice_labels(5).copy()
    for index in range(6, 6 + KEPT + 1):
        session.session(index)
    np.testing.assert_array_equal(session.slice_labels(5), before)


def test_what_is_carried_is_what_is_saved(session, network, tmp_path):
    correct(session, 5)
    correct(session, 8)
    saved = session.guidance()
    assert saved.indices == [5, 8]
    assert saved.corrected[0].hints.marks == (Click(tuple(map(float, ON_DIM)), "cell"),)
    path = tmp_path / "a.guidance.safetensors"
    saved.save(path)
    assert replace(SavedGuidance.read(path), corrected=(), spreads=()) == replace(
        saved, corrected=(), spreads=()
    )


def test_the_users_network_is_untouched(volume):
    module = lived_in(toys.DarkAndBright())
    with untouched(module):
        network = toys.frozen(module, guide_point="relu")
        session = VolumeSession(volume, network)
        correct(session, 5)
        finish(session.carry("volume"))
        session.labels()


def test_a_network_of_three_axes(volume):
    preparation = Preparation(ndim=3, channels=1, value_range="none", multiple=2)
    network = toys.frozen(toys.with_statistics(toys.Volume()), preparation=preparation)
    session = VolumeSession(volume, network)
    own = session.labels()
    wrong = network.classes[1 - own[5, 3, 3]]
    correct(session, 5, (3, 3), wrong)
    assert session.slice_labels(5)[3, 3] != own[5, 3, 3]
    finish(session.carry())
    assert session.states[5].state == "corrected"
    with pytest.raises(InputError, match="zoom is for networks of two axes"):
        VolumeSession(volume, network, zoom=8)


@pytest.mark.parametrize(
    "mark",
    [
        Click((LENGTH, 3, 3), "cell"),
        Click((3, 3), "cell"),
        Click((5, 3, 3), "dog"),
        Scribble((((-9.0, 3.0, 3.0), (-8.0, 3.0, 3.0)),), "cell"),
    ],
)
def test_a_bad_hint_adds_none(session, mark):
    with pytest.raises(InputError):
        session.add(Click((5, 3, 3), "cell"), mark)
    assert session.corrected == []
    assert not session.can_undo


def test_bad_input(session, volume, network):
    with pytest.raises(InputError, match="click on a slice first"):
        next(session.carry())
    with pytest.raises(InputError, match="click on a slice first"):
        session.guidance()
    correct(session, 5)
    with pytest.raises(InputError, match=f"choose {', '.join(EXTENTS)}"):
        next(session.carry("everywhere"))
    with pytest.raises(InputError, match="no slice 12"):
        session.session(LENGTH)
    with pytest.raises(InputError, match="unknown method"):
        VolumeSession(volume, network, method="magic")


def test_marks_are_sorted_by_slices():
    stroke = Scribble((((2.0, 1.0, 1.0), (4.0, 1.0, 5.0)),), "cell", 1.0)
    click = Click((3, 0, 2), "background")
    found = by_slice([stroke, click], (6, 4, 8), 0)
    assert sorted(found) == [2, 3, 4]
    assert found[3][1] == Click((0, 2), "background")
    drawn = {
        (index, *pixel)
        for index, (mark, *_) in found.items()
        for pixel in mark.pixels((4, 8)).tolist()
    }
    assert drawn == set(map(tuple, stroke.pixels((6, 4, 8)).tolist()))


@pytest.mark.parametrize("axis", range(3))
def test_a_click_keeps_its_place_in_every_slice(axis):
    (index, (click,)), *others = by_slice([Click((1, 2, 3.4), "cell")], (6, 6, 6), axis).items()
    assert not others
    assert index == (1, 2, 3)[axis]
    assert click.at == tuple(np.delete((1, 2, 3.4), axis))
