from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.hints import Click, Hints, TextHint
from napari_guideme.language.places import View
from napari_guideme.language.understanding import NotUnderstood
from napari_guideme.object_session import ObjectSession
from napari_guideme.session import GuideSession
from tests.conftest import BRIGHT
from tests.untouched import untouched

pytestmark = pytest.mark.usefixtures("no_wordnet")


@pytest.fixture
def session(network, picture) -> GuideSession:
    return GuideSession(picture, network)


def finish(session: GuideSession) -> np.ndarray:
    for _ in session.refine():
        pass
    return session.labels()


def test_a_sentence_refines(session):
    assert session.tell("the cell on the bottom right is missing") == (
        TextHint("find", "cell", ((2, 2),)),
    )
    labels = finish(session)
    assert (labels[11:14, 11:14] == 1).all()
    assert (labels[BRIGHT] == 1).all()
    assert labels[:9].sum() == session.predict()[:9].sum()
    assert session.satisfied() == [True]
    assert session.report().changed_pixels == 9


def test_a_sentence_removes(session):
    session.tell("there is no cell on the top left")
    labels = finish(session)
    assert labels[BRIGHT].sum() < session.predict()[BRIGHT].sum()
    assert session.satisfied() == [True]


def test_words_and_clicks_mix_and_every_step_can_be_undone(session):
    states = [session.predict()]
    for say in (
        lambda: session.tell("find the cell at the bottom"),
        lambda: session.add(Click((3, 3), "background")),
        lambda: session.tell("remove the cell on the right"),
        lambda: session.add(Click((12, 12), "cell")),
    ):
        say()
        states.append(finish(session))
    assert states[-1][3, 3] == 0
    assert states[-1][12, 12] == 1
    assert all(session.satisfied()[i] for i, h in enumerate(session.hints) if isinstance(h, Click))
    for state in reversed(states[:-1]):
        session.undo()
        np.testing.assert_array_equal(finish(session), state)
    for state in states[1:]:
        session.redo()
        np.testing.assert_array_equal(finish(session), state)


def test_probabilities_after_undo_are_those_of_before_to_the_bit(session):
    session.tell("find the cell at the bottom")
    finish(session)
    session.add(Click((3, 3), "background"))
    finish(session)
    before = session.probabilities()
    session.tell("remove the cell")
    finish(session)
    session.undo()
    np.testing.assert_array_equal(session.probabilities(), before)


def test_the_order_in_which_words_are_told_apart_does_not_matter_for_what_was_found(
    network, picture
):
    """Words that are told at once find what words that are told one by one find."""
    at_once, by_and_by = (GuideSession(picture, network) for _ in range(2))
    said = ("find the cell on the right", "remove the cell on the left")
    at_once.tell(f"{said[0]}, and {said[1]}")
    for sentence in said:
        by_and_by.tell(sentence)
        finish(by_and_by)
    np.testing.assert_array_equal(finish(at_once), by_and_by.labels())


def test_what_is_not_understood_changes_nothing(session):
    with pytest.raises(NotUnderstood):
        session.tell("make me a sandwich")
    assert session.hints == Hints()
    assert not session.can_undo


def test_directions_are_those_that_are_seen(network, picture):
    session = GuideSession(picture, network, view=View((-1, 0), (0, -1)))
    (hint,) = session.tell("find the cell on the top left")
    assert hint.place == ((2, 2),)
    assert (finish(session)[11:14, 11:14] == 1).all()


def test_the_network_is_not_touched(network, picture):
    with untouched(network._graph_module):
        session = GuideSession(picture, network)
        session.tell("find the cell everywhere")
        finish(session)


def test_words_are_followed_in_a_window_that_clicks_open(network, picture):
    session = GuideSession(picture, network, zoom=8)
    session.tell("find the cell on the bottom right")
    session.add(Click((3, 3), "background"))
    labels = finish(session)
    assert (labels[11:14, 11:14] == 1).all()
    assert labels[3, 3] == 0


@pytest.mark.parametrize("way", ["text-guide", "both"])
def test_without_a_guide_only_words_are_followed(way, network, picture):
    with pytest.raises(InputError, match=r"no text guide for toy; choose words"):
        GuideSession(picture, network, telling=way)
    with pytest.raises(InputError, match="choose words, text-guide, both"):
        GuideSession(picture, network, telling="loudly")


def test_hints_about_other_classes_or_grids_are_refused(session):
    with pytest.raises(InputError, match="unknown class 'dog'"):
        session.add(TextHint("find", "dog"))
    with pytest.raises(InputError, match="no cell of a grid"):
        session.add(TextHint("find", "cell", ((0, 3),)))
    assert not session.can_undo


def test_an_object_that_is_clicked_has_no_name(untrained_click_network, picture):
    from napari_guideme.networks.catalogue import open_network

    session = ObjectSession(picture, open_network(untrained_click_network, "cpu"))
    with pytest.raises(InputError, match="knows no names of things"):
        session.add(TextHint("find", "object"))
