from __future__ import annotations

import numpy as np
import pytest

from napari_guideme import Click, GuideSession, VolumeSession
from napari_guideme.networks.frozen import FrozenNetwork


@pytest.fixture
def volume(picture) -> np.ndarray:
    """Seven slices that are the same."""
    return np.stack([picture] * 7)


@pytest.fixture
def session(volume, network: FrozenNetwork) -> VolumeSession:
    """The dim cell of the middle slice is corrected."""
    session = VolumeSession(volume, network)
    session.add(Click((3, 11, 11), "cell"))
    exhaust(session.refine(3))
    return session


def exhaust(steps) -> None:
    for _ in steps:
        pass


def states(session: VolumeSession) -> list[str]:
    return [state.state for state in session.states]


def test_at_once_slices_count_as_they_come_and_can_be_taken_back(session):
    before = session.carried
    steps = session.carry("onward", at_once=True)
    first = next(steps).slice
    assert first.state == "carried"
    assert session.states[first.index].state == "carried"
    steps.close()
    assert session.states[first.index].state == "carried"
    session.restore(before)
    assert set(states(session)) == {"own", "corrected"}


def test_what_is_carried_at_once_is_no_entry_of_the_history(session):
    exhaust(session.carry("onward", at_once=True))
    session.undo()
    assert session.corrected == []


def test_a_dropped_carry_leaves_everything(session):
    steps = session.carry("onward")
    next(steps)
    steps.close()
    assert set(states(session)) == {"own", "corrected"}


def test_nothing_is_carried_to_this_slice_alone(network, volume):
    session = VolumeSession(volume, network)
    assert list(session.carry("slice")) == []


def test_a_session_without_hints_gives_way_to_what_is_carried(session):
    own = session.session(4)
    assert session.opened(4) is own
    exhaust(session.carry("onward", at_once=True))
    assert session.opened(4) is None
    carried = session.session(4)
    np.testing.assert_array_equal(carried.labels(), session.carried_labels(4))
    exhaust(session.carry("onward", at_once=True))
    assert session.opened(4) is carried
    session.restore({})
    assert session.opened(4) is None


def test_hints_are_not_overtaken_and_can_be_undone_and_redone(session):
    exhaust(session.carry("onward", at_once=True))
    there = session.session(4)
    there.add(Click((0, 15), "cell"))
    exhaust(session.refine(4))
    corrected = there.labels()
    exhaust(session.carry("onward", at_once=True))
    assert session.opened(4) is there
    there.undo()
    assert session.opened(4) is there
    exhaust(session.carry("onward", at_once=True))
    assert session.opened(4) is there
    there.redo()
    np.testing.assert_array_equal(there.labels(), corrected)


def test_untouched_sessions_are_not_kept(session):
    for index in range(7):
        session.session(index)
    assert session.opened(0) is None
    assert session.opened(3) is not None


def test_a_session_of_a_slice_can_be_adopted(session, picture, network):
    alone = GuideSession(picture, network)
    alone.add(Click((11, 11), "cell"))
    exhaust(alone.refine())
    session.adopt(6, alone)
    assert session.corrected == [3, 6]
    exhaust(session.carry("onward"))
    assert states(session)[5] == "carried"


def test_guidance_of_an_image_is_that_of_its_hints(picture, network):
    session = GuideSession(picture, network)
    with pytest.raises(ValueError, match="no correction"):
        session.guidance()
    session.add(Click((11, 11), "cell"))
    exhaust(session.refine())
    saved = session.guidance()
    saved.check(network)
    assert saved.corrected[0].hints == session.hints
    assert saved.thickness == 0
