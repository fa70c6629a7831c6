from __future__ import annotations

import numpy as np

from napari_guideme.evaluation.user import largest_error_click, object_click


def test_a_click_is_at_the_centre_of_the_largest_error():
    truth = np.zeros((9, 12), dtype=int)
    truth[1:4, 1:4] = 1  # 3 x 3, centre (2, 2)
    truth[2:7, 6:11] = 2  # 5 x 5, centre (4, 8)
    assert largest_error_click(np.zeros_like(truth), truth) == ((4, 8), 2)


def test_a_click_corrects_too_much_as_well_as_too_little():
    labels = np.zeros((7, 7), dtype=np.uint8)
    labels[1:6, 1:6] = 1
    assert largest_error_click(labels, np.zeros((7, 7), dtype=int)) == ((3, 3), 0)


def test_the_edge_of_the_image_bounds_an_error():
    """Without padding, the corner would be furthest from what is right."""
    truth = np.zeros((9, 9), dtype=int)
    truth[0:5, 0:5] = 1
    assert largest_error_click(np.zeros_like(truth), truth) == ((2, 2), 1)


def test_a_click_can_be_on_row_0_and_in_the_last_column():
    truth = np.zeros((6, 7), dtype=int)
    truth[0, 6] = 1
    assert largest_error_click(np.zeros_like(truth), truth) == ((0, 6), 1)


def test_an_image_that_is_wrong_everywhere_is_clicked_in_its_centre():
    assert largest_error_click(np.zeros((5, 5), int), np.ones((5, 5), int)) == ((2, 2), 1)


def test_ignored_pixels_are_neither_clicked_nor_part_of_an_error():
    truth = np.zeros((7, 9), dtype=int)
    truth[2:5, 1:6] = 1
    truth[2:5, 1:3] = -1  # What remains to be wrong is 3 x 3, centre (3, 4).
    assert largest_error_click(np.zeros_like(truth), truth) == ((3, 4), 1)
    assert largest_error_click(np.zeros_like(truth), np.full_like(truth, -1)) is None


def test_nothing_wrong_means_no_click():
    truth = np.eye(4, dtype=int)
    assert largest_error_click(truth.copy(), truth) is None


def test_a_pixel_is_not_clicked_again():
    truth = np.zeros((3, 5), dtype=int)
    truth[1, 1] = truth[1, 3] = 1
    labels = np.zeros_like(truth)
    assert largest_error_click(labels, truth, {(1, 1)}) == ((1, 3), 1)
    assert largest_error_click(labels, truth, {(1, 1), (1, 3)}) is None


def test_the_user_changes_nothing():
    truth, labels = np.eye(3, dtype=int), np.zeros((3, 3), dtype=int)
    largest_error_click(labels, truth, {(0, 0)})
    assert (truth == np.eye(3)).all()
    assert not labels.any()


def test_the_first_click_on_an_object_is_its_centre():
    truth = np.zeros((9, 12), dtype=int)
    truth[2:7, 5:10] = 1
    assert object_click(np.zeros_like(truth), truth) == ((4, 7), 1)


def test_a_miss_and_a_surplus_that_touch_are_two_errors():
    """A miss of 7 x 5 and a surplus of 7 x 2; together they are 7 x 7."""
    truth, labels = np.zeros((11, 12), dtype=int), np.zeros((11, 12), dtype=int)
    truth[2:9, 2:7] = labels[2:9, 7:9] = 1
    assert object_click(labels, truth) == ((4, 4), 1)
    assert largest_error_click(labels, truth) == ((5, 5), 1)


def test_a_surplus_is_clicked_where_it_is_deeper_or_as_deep():
    truth, labels = np.zeros((7, 14), dtype=int), np.zeros((7, 14), dtype=int)
    truth[2:5, 1:4] = labels[2:5, 9:12] = 1
    assert object_click(labels, truth) == ((3, 10), 0)
    labels[1:6, 8:13] = 1
    assert object_click(labels, truth) == ((3, 10), 0)


def test_the_outside_of_the_image_bounds_an_object():
    truth = np.zeros((9, 9), dtype=int)
    truth[0:5, 0:5] = 1
    assert object_click(np.zeros_like(truth), truth) == ((2, 2), 1)


def test_what_is_ignored_is_neither_missed_nor_surplus():
    truth, labels = np.full((9, 9), -1), np.ones((9, 9), dtype=int)
    assert object_click(labels, truth) is None
    truth[:3, :3], labels[:3, :3] = 1, 0
    assert object_click(labels, truth) == ((1, 1), 1)


def test_a_pixel_of_an_object_is_not_clicked_again():
    truth = np.zeros((3, 5), dtype=int)
    truth[1, 1] = truth[1, 3] = 1
    assert object_click(np.zeros_like(truth), truth, {(1, 1)}) == ((1, 3), 1)
    assert object_click(np.zeros_like(truth), truth, {(1, 1), (1, 3)}) is None
