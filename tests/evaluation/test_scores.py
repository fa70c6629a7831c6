from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.evaluation.scores import (
    confusion,
    foreground_iou,
    mean_iou,
    pixel_accuracy,
)

TRUTH = np.array([[0, 0, 1], [1, 2, -1]])
LABELS = np.array([[0, 1, 1], [1, 1, 2]], dtype=np.uint8)


def test_confusion_has_truth_along_rows_and_leaves_out_what_is_ignored():
    counts = confusion(TRUTH, LABELS, 4)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_figures_by_hand():
    counts = confusion(TRUTH, LABELS, 4)
    # Class 0: 1 of 2, class 1: 2 of 4, class 2: 0 of 1, class 3 occurs nowhere.
    assert mean_iou(counts) == pytest.approx((1 / 2 + 2 / 4 + 0) / 3)
    assert pixel_accuracy(counts) == pytest.approx(3 / 5)
    # Foreground: both say it at 3 pixels, one of them at 4.
    assert foreground_iou(counts) == pytest.approx(3 / 4)


def test_a_class_that_is_only_found_counts():
    counts = confusion(np.zeros((1, 4), int), np.array([[0, 0, 0, 2]]), 3)
    assert mean_iou(counts) == pytest.approx((3 / 4 + 0) / 2)


def test_nothing_to_be_wrong_about():
    nothing = np.zeros((2, 2), dtype=np.int64)
    assert (mean_iou(nothing), pixel_accuracy(nothing), foreground_iou(nothing)) == (1, 1, 1)


def test_many_classes_do_not_overflow_small_integers():
    counts = confusion(np.full((1, 2), 149), np.full((1, 2), 149, dtype=np.uint8), 150)
    assert counts[149, 149] == 2
    assert counts.sum() == 2
