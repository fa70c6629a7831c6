from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.networks.objects import added_objects, objects


def grid(text: str) -> np.ndarray:
    return np.array([[int(mark) for mark in row] for row in text.split()], dtype=np.uint8)


@pytest.mark.parametrize(
    ("labels", "ids"),
    [
        ("000 000", "000 000"),
        ("111 111", "111 111"),
        ("101 101", "102 102"),
        ("100 010", "100 010"),
        ("112 110", "112 110"),
        ("201 202", "201 203"),
    ],
)
def test_connected_pixels_of_a_class_are_one_object(labels, ids):
    found = objects(grid(labels))
    expected = grid(ids)
    # Which object has which id does not matter.
    pairs = {*zip(found.ravel().tolist(), expected.ravel().tolist(), strict=True)}
    assert len(pairs) == len(np.unique(expected)) == len(np.unique(found))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found == 0, expected == 0)


def test_ids_count_from_one():
    assert np.unique(objects(grid("10102 00000 20001"))).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_separator_parts_touching_objects_and_joins_the_nearer():
    assert objects(grid("1112111"), separator=2).tolist() in (
        [[1, 1, 1, 1, 2, 2, 2]],
        [[1] * 3 + [2] * 4],
    )
    assert objects(grid("112222211"), separator=2)[0, [3, 5]].tolist() == [1, 2]


def test_a_separator_without_an_object_is_no_object():
    assert objects(grid("22000 22011"), separator=2).tolist() == [[0] * 5, [0, 0, 0, 1, 1]]
    assert not objects(grid("222"), separator=2).any()


def test_a_separator_round_an_object_belongs_to_it():
    assert objects(grid("22200 21200 22200"), separator=2).tolist() == [[1, 1, 1, 0, 0]] * 3


def test_objects_of_different_classes_keep_apart():
    ids = objects(grid("1133 2222"), separator=2)
    assert ids[0].tolist() == [1, 1, 2, 2]
    assert ids[1, [0, 3]].tolist() == [1, 2]


def test_objects_in_a_volume_touch_at_corners():
    labels = np.zeros((3, 3, 3), np.uint8)
    labels[0, 0, 0] = labels[1, 1, 1] = labels[2, 0, 2] = 1
    assert objects(labels).max() == 1
    labels[1, 1, 1] = 0
    assert objects(labels).max() == 2


@pytest.mark.parametrize(
    ("overwrite", "expected", "count"),
    # Free are columns 2 and 5; with overwriting also what is kept in columns 3 and 4.
    [(False, "008567", 2), (True, "009887", 3)],
)
def test_objects_are_added_to_those_that_are_kept(overwrite, expected, count):
    kept, ids = grid("000560"), grid("009332")
    together, added = added_objects(kept, ids, 6, overwrite=overwrite)
    np.testing.assert_array_equal(together, grid(expected))
    assert added == count
    assert together.dtype == np.int32


def test_covered_objects_are_not_added():
    kept = grid("1100")
    together, added = added_objects(kept, grid("4400"), 1, overwrite=False)
    assert (together.tolist(), added) == ([[1, 1, 0, 0]], 0)
    together, added = added_objects(kept, grid("4400"), 1, overwrite=True)
    assert (together.tolist(), added) == ([[2, 2, 0, 0]], 1)
    assert kept.tolist() == [[1, 1, 0, 0]]


def test_a_kept_object_that_grew_leaves_no_ring():
    kept, ids = grid("00000 05550 05550 05550 00000"), np.full((5, 5), 2)
    together, count = added_objects(kept, ids, 5, overwrite=False)
    np.testing.assert_array_equal(together, np.full((5, 5), 5))
    assert count == 1
    assert added_objects(together, ids, 5, overwrite=False)[1] == 0


def test_what_was_drawn_or_erased_by_hand_stays():
    """The kept object 5 was painted over in part (3), and one pixel of it was erased."""
    kept, ids = grid("0555533 0505533 0000000"), grid("1111111 1111111 1111111")
    erased = grid("0000000 0010000 0000000").astype(bool)
    together, count = added_objects(kept, ids, 5, overwrite=False, erased=erased)
    # Both are mostly inside the object: neither is the one that grew.
    np.testing.assert_array_equal(together, kept)
    assert count == 0
    kept[:, 5:] = 0
    together, count = added_objects(kept, ids, 5, overwrite=False, erased=erased)
    np.testing.assert_array_equal(together, grid("5555555 5505555 5555555"))
    assert count == 1


def test_an_object_that_merely_touches_a_kept_one_is_new():
    together, count = added_objects(grid("550000"), grid("011111"), 5, overwrite=False)
    assert (together.tolist(), count) == ([[5, 5, 6, 6, 6, 6]], 1)
    together, count = added_objects(grid("555500"), grid("222333"), 5, overwrite=False)
    # The whole of 2 is 5 already; of 3 and 5 no more than half of the smaller one is shared.
    assert (together.tolist(), count) == ([[5, 5, 5, 5, 6, 6]], 1)
