"""Sentences about one slice of a volume are told to others while those look alike."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_guideme import Click, VolumeSession
from napari_guideme.errors import InputError
from napari_guideme.volumes.inherited import Inherited
from napari_guideme.volumes.sayings import UNLIKE
from tests.conftest import BRIGHT, DIM

#: Slices with a dim cell that the network misses; beyond them there is only the bright one.
DIMS, LENGTH = range(2, 9), 12

FIND, REMOVE = "find the cell at the bottom right", "there is no cell at the top left"


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


def say(session: VolumeSession, index: int, *sentences: str) -> None:
    for sentence in sentences:
        session.tell(index, sentence)
    finish(session.refine(index))


def cells(*patches) -> np.ndarray:
    labels = np.zeros((16, 16), np.uint8)
    for patch in patches:
        labels[patch] = 1
    return labels


def kinds(session: VolumeSession, name: str) -> list[int]:
    return [state.index for state in session.states if state.state == name]


def everything(session: VolumeSession):
    return session.labels().tobytes(), tuple(session.states)


def test_a_sentence_goes_onward_until_it_no_longer_fits(session):
    say(session, 5, FIND)
    told = session.slice_labels(5)
    assert (told != cells(BRIGHT)).any()
    finish(session.carry("onward"))
    assert kinds(session, "carried") == [n for n in DIMS if n != 5]
    for index in range(LENGTH):
        expected = told if index in DIMS else cells(BRIGHT)
        np.testing.assert_array_equal(session.slice_labels(index), expected)
    for first_beyond in (DIMS.start - 1, DIMS.stop):
        assert session.states[first_beyond].why == UNLIKE
        assert session.states[first_beyond].agreement < 0.5


def test_each_slice_is_told_anew(volume, network):
    """A cell that looks a little different is found all the same."""
    volume[6][DIM] = 0.4
    session = VolumeSession(volume, network)
    say(session, 5, FIND)
    finish(session.carry("onward"))
    assert session.states[6].state == "carried"
    assert (session.slice_labels(6)[DIM] == 1).any()


def test_what_stopped_fitting_is_not_told_beyond_a_gap(volume, network):
    volume[6][DIM] = 0
    session = VolumeSession(volume, network)
    say(session, 4, FIND)
    finish(session.carry("onward"))
    assert kinds(session, "carried") == [2, 3, 5]
    finish(session.carry("volume"))
    np.testing.assert_array_equal(session.slice_labels(7), cells(BRIGHT))
    finish(session.carry("onward", check=False))
    assert (session.slice_labels(7) != cells(BRIGHT)).any()


def test_a_sentence_that_changed_nothing_is_not_told_on(session):
    say(session, 10, "there is no cell at the bottom left")
    finish(session.carry("onward"))
    assert kinds(session, "own") == [n for n in range(LENGTH) if n != 10]


def test_of_two_sentences_each_is_told_where_it_fits(session):
    say(session, 5, FIND, REMOVE)
    finish(session.carry("onward"))
    for index in DIMS:
        np.testing.assert_array_equal(session.slice_labels(index), session.slice_labels(5))
    for beyond in (DIMS.start - 1, DIMS.stop):
        assert not session.slice_labels(beyond)[BRIGHT].all()
        assert not session.slice_labels(beyond)[DIM].any()


def test_how_far_a_sentence_reaches_is_how_deep_its_place_is(volume, network):
    reached = []
    for thickness, place in ((1.0, "at the top left"), (8.0, "at the top left"), (8.0, "")):
        session = VolumeSession(volume, network, spacing=(thickness, 1, 1))
        say(session, 5, f"there is no cell {place}")
        finish(session.carry("onward"))
        reached.append(len(kinds(session, "carried")))
    assert reached[0] > reached[1]
    assert reached[2] > reached[1]


def test_clicks_and_words_are_carried_together(session):
    say(session, 5, FIND)
    session.add(Click((5, 3, 3), "background"))
    finish(session.refine(5))
    finish(session.carry("onward"))
    for index in range(LENGTH):
        assert session.slice_labels(index)[3, 3] == 0
        assert (session.slice_labels(index)[DIM] == 1).any() == (index in DIMS)
    assert session.states[9].state == "carried"
    assert session.states[9].agreement == pytest.approx(0.5)


def test_between_two_slices_the_words_of_the_nearer_one_count(session):
    say(session, 2, FIND)
    session.add(Click((8, 0, 15), "background"))
    finish(session.refine(8))
    finish(session.carry("onward"))
    for index in (3, 4):
        assert (session.slice_labels(index)[DIM] == 1).any()
    for index in (6, 7):
        assert not session.slice_labels(index)[DIM].any()


def test_undo_and_redo_restore_everything_bit_for_bit(session):
    moments = [everything(session)]
    say(session, 5, FIND)
    moments.append(everything(session))
    finish(session.carry("onward"))
    moments.append(everything(session))
    say(session, 6, REMOVE)
    moments.append(everything(session))
    finish(session.carry("onward"))
    moments.append(everything(session))
    assert len(set(moments)) == len(moments)
    for moment in reversed(moments[:-1]):
        session.undo()
        assert everything(session) == moment
    for moment in moments[1:]:
        session.redo()
        assert everything(session) == moment


def test_a_slice_that_was_told_begins_from_there_and_tells_it_on(session):
    say(session, 4, FIND)
    finish(session.carry("onward"))
    np.testing.assert_array_equal(session.session(7).labels(), session.carried_labels(7))
    session.add(Click((7, 0, 15), "background"))
    finish(session.refine(7))
    assert (session.slice_labels(7)[DIM] == 1).any()
    finish(session.carry("onward"))
    assert (session.slice_labels(8)[DIM] == 1).any()
    assert not session.slice_labels(9)[DIM].any()


class TestInherited:
    """What a slice began from, as session files hold it."""

    @pytest.fixture
    def began(self, session) -> Inherited:
        say(session, 5, FIND)
        finish(session.carry("onward"))
        session.session(6)
        return session.inherited(6)

    def test_it_is_read_as_it_was_written(self, session, began, volume, network):
        scene = session.planes.scene(6)
        told = json.loads(json.dumps(began.to_json()))
        assert Inherited.from_json(told, scene).to_json() == told
        other = VolumeSession(volume, network)
        other.inherit(6, told)
        np.testing.assert_array_equal(other.session(6).labels(), session.carried_labels(6))
        np.testing.assert_array_equal(
            other.session(6).probabilities(), session.session(6).probabilities()
        )

    def test_files_of_earlier_versions_hold_no_words(self, session, began):
        told = {name: value for name, value in began.to_json().items() if name != "sayings"}
        again = Inherited.from_json(told, session.planes.scene(6))
        assert not again.sayings
        assert replace(began, sayings=()).to_json() == again.to_json()

    @pytest.mark.parametrize(
        "change",
        [
            {"hint": {"click": {"at": [1, 1], "class": "cell"}}},
            {"hint": {"text": {"operation": "find", "class": "nucleus"}}},
            {"hint": 5},
            {"anchors": "AAAA"},
        ],
    )
    def test_what_is_broken_is_refused(self, session, began, change):
        told = began.to_json()
        told["sayings"] = [{**told["sayings"][0], **change}]
        with pytest.raises(InputError, match="what a slice began from is broken") as error:
            Inherited.from_json(told, session.planes.scene(6))
        assert "\n" not in str(error.value)
        with pytest.raises(InputError, match="is broken"):
            Inherited.from_json({**told, "sayings": 7}, session.planes.scene(6))
