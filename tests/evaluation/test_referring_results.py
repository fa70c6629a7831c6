from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.evaluation.referring_results import (
    ClickedAfter,
    Figures,
    Outcome,
    Referred,
    ReferringResult,
    Summary,
    compared,
)

#: Two objects of 4 x 4 pixels, side by side, and one of two pixels.
IDS = np.zeros((4, 10), int)
IDS[:, :4], IDS[:, 4:8], IDS[0, 8:] = 1, 2, 5


def found(columns):
    mask = np.zeros(IDS.shape, bool)
    mask[:, columns] = True
    return mask


def test_outcomes_by_hand():
    # 12 of the first object's 16 pixels and 4 of the second's: 12 / 20 and 4 / 28.
    mask = found(slice(1, 5))
    outcome = compared(mask, IDS, 1)
    assert (outcome.common, outcome.either) == (12, 20)
    assert outcome.other == pytest.approx(4 / 28)
    assert outcome.is_nearest
    assert outcome.is_picked
    wrong = compared(mask, IDS, 2)
    assert (wrong.common, wrong.either, wrong.other) == (4, 28, 12 / 20)
    assert not wrong.is_nearest


def test_nothing_found_picks_nothing():
    outcome = compared(np.zeros(IDS.shape, bool), IDS, 1)
    assert (outcome.iou, outcome.other) == (0, 0)
    assert not outcome.is_nearest


def test_the_nearest_need_not_fit():
    outcome = compared(found(slice(3, 4)), IDS, 1)
    assert outcome.iou == 0.25
    assert outcome.is_nearest
    assert not outcome.is_picked


SAID = [
    Referred("a", ("class",), 1, Outcome(90, 100)),
    Referred("a", ("place",), 2, Outcome(60, 100, 0.1)),
    Referred("b", ("relation", "size"), 6, Outcome(10, 50, 0.7)),
    Referred("b", ("place",), 9, Outcome(0, 150, 0.2)),
]


def test_figures_by_hand():
    figures = Figures.of(SAID)
    assert (figures.n, figures.n_images) == (4, 2)
    assert figures.miou == 160 / 400
    assert figures.mean_iou == pytest.approx((0.9 + 0.6 + 0.2 + 0) / 4)
    # More than so much, as in the paper: 0.6 is not more than 0.6.
    assert figures.prec == {"0.5": 0.5, "0.6": 0.25, "0.7": 0.25, "0.8": 0.25, "0.9": 0.0}
    assert (figures.pick_accuracy, figures.nearest) == (0.5, 0.5)


def test_parts_are_told_apart():
    summary = Summary.of(SAID)
    assert {kind: part.n for kind, part in summary.by_kind.items() if part.n} == {
        "class": 1,
        "place": 2,
        "relation": 1,
        "size": 1,
    }
    assert {n: part.n for n, part in summary.by_candidates.items()} == {
        "1": 1,
        "2": 1,
        "3": 0,
        "4": 0,
        "5": 0,
        "6": 1,
        "more": 1,
    }
    assert summary.place_or_relation.n == 2
    assert summary.place_or_relation.pick_accuracy == 0.5
    assert summary.by_candidates["3"].miou is None


def test_a_result_is_told_in_json_and_in_words():
    result = ReferringResult(
        {"network": "own", "folds": 2, "expressions": "generated"},
        Summary.of(SAID),
        {"largest": Summary.of(SAID[:1])},
        {"largest": 3},
        ClickedAfter("f-brs-b", (0.4, 0.6), 4),
    )
    told = result.to_json()
    assert (told["protocol"], told["miou"], told["folds"]) == ("referring", 0.4, 2)
    assert told["baselines"]["largest"]["left_out"] == 3
    assert told["baselines"]["largest"]["pick_accuracy"] == 1
    assert told["clicks"] == {"method": "f-brs-b", "mean_iou": (0.4, 0.6), "n": 4}
    shown = str(result)
    assert "own, 2 folds: 4 sentences on 2 images" in shown
    assert "largest: 3 sentences left out" in shown
    assert "mean IoU after 0 to 1 clicks by f-brs-b, 4 sentences: 40.0%, 60.0%" in shown
