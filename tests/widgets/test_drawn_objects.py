from __future__ import annotations

import numpy as np

from napari_guideme.widgets.drawn_objects import DrawnObjects

HERE = np.s_[1, :]


def drawn(objects, *wanted, locked=True):
    """The second row of a layer of two, after each of some states of a session."""
    layer = np.array([[4, 0, 0, 0], objects], dtype=np.int32)
    session = DrawnObjects((4,))
    rows = []
    for ids in wanted:
        session.draw(np.array(ids), layer, HERE, locked=locked)
        rows.append(layer[HERE].tolist())
    assert layer[0].tolist() == [4, 0, 0, 0]
    return rows


def test_ids_are_above_all_of_the_layer():
    assert drawn([0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 2]) == [[5, 5, 0, 0], [5, 5, 0, 6]]


def test_an_object_comes_back_under_its_id():
    rows = drawn([0, 0, 0, 0], [1, 0, 2, 2], [1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 2, 2])
    assert rows == [[5, 0, 6, 6], [5, 0, 0, 0], [0, 0, 0, 0], [5, 0, 6, 6]]


def test_what_is_not_the_sessions_stays():
    assert drawn([9, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]) == [[9, 10, 0, 0], [9, 0, 0, 0]]


def test_what_was_covered_comes_back():
    rows = drawn([9, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], locked=False)
    assert rows == [[10, 10, 0, 0], [9, 0, 0, 0]]


def test_what_was_drawn_by_hand_stays():
    layer = np.zeros((2, 4), dtype=np.int32)
    session = DrawnObjects((4,))
    session.draw(np.array([1, 1, 0, 0]), layer, HERE, locked=True)
    layer[HERE] = [0, 1, 1, 0]
    session.draw(np.array([1, 1, 0, 2]), layer, HERE, locked=True)
    assert layer[HERE].tolist() == [0, 1, 1, 2]


def test_an_id_that_was_taken_meanwhile_is_not_used_again():
    layer = np.zeros((2, 4), dtype=np.int32)
    session = DrawnObjects((4,))
    session.draw(np.array([1, 0, 0, 0]), layer, HERE, locked=True)
    session.draw(np.array([0, 0, 0, 0]), layer, HERE, locked=True)
    layer[0] = 1
    session.draw(np.array([1, 0, 0, 0]), layer, HERE, locked=True)
    assert layer[HERE].tolist() == [2, 0, 0, 0]
