from __future__ import annotations

import json

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.noc import evaluate_objects, objects_of, outlined
from napari_guideme.evaluation.noc_results import Clicked, summed
from napari_guideme.evaluation.protocol import evaluate

from .toys import clicked_network, network_of

ABOUT = {"network": "n", "method": "m", "hints": 5, "least_pixels": 1}
ABOUT |= {"objects_per_image": None, "seed": 0}


def item_of(ids, image=None, name="a", kind=None):
    ids = np.asarray(ids)
    image = np.zeros(ids.shape, np.float32) if image is None else image
    return Item(name, image, None, ids, np.arange(2), kind)


def course(*ious, kind=None, unmet=None, image="a"):
    return Clicked(image, kind, ious, (0.5,) * len(ious), unmet or (0,) * len(ious))


class Painter:
    """Outlines squares of a side around the clicks; the newest is on top."""

    def __init__(self, shape, side):
        self.found, self.reach, self.clicks = np.zeros(shape, np.uint8), side // 2, []

    def __call__(self, answer):
        (row, column), index = answer
        self.clicks.append(answer)
        rows, columns = (slice(max(i - self.reach, 0), i + self.reach + 1) for i in (row, column))
        self.found[rows, columns] = index
        return self.found.copy()


def test_clicks_and_ious_by_hand():
    """An object of 5 x 10 pixels, painted by squares of 5 x 5: half of it, then all."""
    truth = np.zeros((9, 16), np.int8)
    truth[2:7, 3:13] = 1
    painter = Painter(truth.shape, 5)
    found = outlined(painter, truth, 20, item_of(truth, kind="box"))
    # The deepest pixels of all are (4, 5) to (4, 10); then of the 5 x 5 that are left.
    assert painter.clicks == [((4, 5), 1), ((4, 10), 1)]
    assert found.ious == (0.5, 1.0)
    assert found.unmet == (0, 0)
    assert len(found.seconds) == 2
    assert (found.image, found.kind) == ("a", "box")
    assert (found.clicks_to(0.5), found.clicks_to(0.85), found.clicks_to(1.1)) == (1, 2, None)


def test_what_was_painted_too_much_is_taken_away():
    """A square of 9 x 9 on an object of 5 x 5 at the edge: 25 of 45, then of 20 more."""
    truth = np.zeros((9, 20), np.int8)
    truth[2:7, 0:5] = 1
    painter = Painter(truth.shape, 9)
    found = outlined(painter, truth, 2, item_of(truth))
    # Columns 0 to 6 of all rows are painted: 63 pixels, 25 of them right.
    assert painter.clicks[0] == ((4, 2), 1)
    assert found.ious[0] == pytest.approx(25 / 63)
    assert painter.clicks[1][1] == 0


def test_an_object_is_finished_at_nine_tenths():
    truth = np.zeros((12, 12), np.int8)
    truth[1:11, 1:11] = 1
    answers = iter([85, 89, 90, 100])

    def outline(_):
        labels = np.zeros_like(truth)
        labels[1:11, 1:11].flat[: next(answers)] = 1
        return labels

    found = outlined(outline, truth, 20, item_of(truth))
    assert found.ious == (0.85, 0.89, 0.9)
    assert (found.clicks_to(0.85), found.clicks_to(0.9)) == (1, 3)


def test_clicks_run_out():
    truth = np.zeros((8, 8), np.int8)
    truth[1:7, 1:7] = 1
    found = outlined(lambda _: np.zeros_like(truth), truth, 3, item_of(truth))
    assert found.ious == (0, 0, 0)
    # No click is ever met, and none is given twice: 1, 2 and 3 of them.
    assert found.unmet == (1, 2, 3)


def test_without_a_pixel_left_to_click_an_object_is_given_up():
    truth = np.zeros((4, 4), np.int8)
    truth[1, 1:3] = 1
    found = outlined(lambda _: np.zeros_like(truth), truth, 20, item_of(truth))
    assert len(found.ious) == 2


def test_ignored_pixels_count_neither_for_the_iou_nor_for_clicks():
    truth = np.full((6, 12), -1, np.int8)
    truth[:, :2], truth[2:4, 4:6] = 0, 1
    labels = np.ones_like(truth)
    labels[:, :2] = 0
    clicks = []
    found = outlined(lambda answer: clicks.append(answer) or labels, truth, 20, item_of(truth))
    assert clicks == [((2, 4), 1)]
    assert found.ious == (1.0,)


def test_figures_by_hand():
    result = summed(
        [
            course(0.86, 0.95),
            course(0.5, 0.84, 0.85, 0.88, 0.7, unmet=(1, 0, 0, 0, 2)),
            course(0.1, 0.2, 0.3, 0.4, 0.5, image="b"),
        ],
        ABOUT,
    ).overall
    assert (result.n_objects, result.n_images) == (3, 2)
    assert result.noc85 == pytest.approx((1 + 3 + 5) / 3)
    assert result.noc90 == pytest.approx((2 + 5 + 5) / 3)
    assert (result.failures85, result.failures90) == (1, 2)
    # The finished object keeps 0.95.
    expected = [1.46, 0.95 + 0.84 + 0.2, 0.95 + 0.85 + 0.3, 0.95 + 0.88 + 0.4, 0.95 + 0.7 + 0.5]
    assert list(result.mean_iou_by_click) == ["1", "2", "3", "4", "5"]
    assert list(result.mean_iou_by_click.values()) == pytest.approx([x / 3 for x in expected])
    # 1 + 2 looks at the clicks of the first, 1 + 2 + 3 + 4 + 5 at each of the others.
    assert result.unmet == pytest.approx(3 / (3 + 15 + 15))


def test_reaching_it_with_the_last_click_is_no_failure():
    result = summed([course(0.1, 0.1, 0.1, 0.1, 0.9)], ABOUT).overall
    assert (result.noc90, result.failures90) == (5, 0)


def test_kinds_are_told_apart():
    courses = [course(0.9, kind="light"), course(0.1, 0.9, kind="dark"), course(0.95)]
    kinds = summed(courses, ABOUT).by_kind
    assert list(kinds) == ["dark", "light"]
    assert (kinds["dark"].noc90, kinds["light"].noc90) == (2, 1)


def test_seconds_are_over_all_clicks():
    courses = [
        Clicked("a", None, (0.1, 0.95), (1.0, 2.0), (0, 0)),
        Clicked("a", None, (0.95,), (6.0,), (0,)),
    ]
    seconds = summed(courses, ABOUT).seconds_per_click
    assert seconds.median == 2
    assert seconds.percentile95 == pytest.approx(2 + 0.9 * 4)


def test_no_object_is_an_error():
    with pytest.raises(InputError, match="no object of 1 pixels or more"):
        summed([], ABOUT)


def test_one_object_at_a_time():
    ids = [[0, 1, 1, -1], [2, 2, 2, 7]]
    masks = [mask.tolist() for mask in objects_of(item_of(ids), least_pixels=2)]
    assert masks == [[[0, 1, 1, -1], [0, 0, 0, 0]], [[0, 0, 0, -1], [1, 1, 1, 0]]]
    assert len(list(objects_of(item_of(ids)))) == 3


def test_some_objects_of_an_image_are_drawn_by_the_seed():
    ids = np.arange(1, 31).reshape(5, 6)

    def drawn(seed, name="a"):
        masks = objects_of(item_of(ids, name=name), per_image=3, seed=seed)
        return [int(ids[mask == 1][0]) for mask in masks]

    assert drawn(0) == drawn(0) == sorted(drawn(0))
    assert len(drawn(0)) == 3
    assert drawn(0) != drawn(1)
    assert drawn(0) != drawn(0, name="b")
    assert len(list(objects_of(item_of(ids), per_image=99))) == 30


def two_squares():
    """Two bright squares; the left one is the object, a network alone cannot know that."""
    image = np.zeros((16, 32), dtype=np.float32)
    image[4:10, 4:10] = image[4:10, 22:28] = 1
    ids = np.zeros(image.shape, dtype=int)
    ids[4:10, 4:10] = 1
    return image, ids


def test_a_network_that_finds_the_object_needs_one_click():
    image, ids = two_squares()
    ids[4:10, 22:28] = 1
    result = evaluate_objects([item_of(ids, image)], clicked_network(32), "none", 5, least_pixels=1)
    assert (result.overall.noc85, result.overall.noc90) == (1, 1)
    assert result.overall.unmet == 0


def test_a_method_makes_a_network_listen():
    image, ids = two_squares()
    items = [item_of(ids, image)]
    alone = evaluate_objects(items, clicked_network(32), "none", 5, least_pixels=1)
    assert alone.overall.failures90 == 1
    assert alone.overall.mean_iou_by_click["1"] == pytest.approx(0.5)
    # From the second click on, all but the first ask in vain for background.
    assert alone.overall.unmet == pytest.approx((1 + 2 + 3 + 4) / 15)
    moved = evaluate_objects(items, clicked_network(32), "brs", 5, least_pixels=1)
    assert moved.overall.unmet == 0
    assert moved.overall.mean_iou_by_click["5"] > alone.overall.mean_iou_by_click["5"]


def test_every_object_is_clicked_from_nothing():
    image, ids = two_squares()
    ids[4:10, 22:28] = 2
    network = clicked_network(32)
    both = evaluate_objects([item_of(ids, image)], network, "none", 1, least_pixels=1)
    assert both.overall.n_objects == 2
    assert both.overall.mean_iou_by_click == {"1": pytest.approx(0.5)}


def test_the_result_is_plain_json_and_prints():
    image, ids = two_squares()
    result = evaluate_objects(
        [item_of(ids, image, kind="toy")], clicked_network(32), "none", 2, least_pixels=36, seed=4
    )
    told = json.loads(json.dumps(result.to_json()))
    assert set(told) == {
        "protocol", "network", "method", "hints", "least_pixels", "seed", "n_images", "n_objects",
        "noc85", "noc90", "failures85", "failures90", "mean_iou_by_click", "seconds_per_click",
        "unmet", "by_kind", "objects_per_image",
    }  # fmt: skip
    assert told["protocol"] == "noc"
    assert set(told["seconds_per_click"]) == {"median", "percentile95"}
    assert told["by_kind"]["toy"]["n_objects"] == 1
    assert "NoC@90 2.00 (1 failed)" in str(result)
    assert "after 1, 2 clicks: 50.0%" in str(result)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": network_of(("background", "cell"))}, "toy takes no clicks.*errors or questi"),
        ({"method": "magic"}, "unknown method 'magic'"),
        ({"n_clicks": 0}, "at least one click"),
        ({"per_image": 0}, "one object per image"),
        ({"least_pixels": 37}, "no object of 37 pixels or more"),
    ],
)
def test_bad_requests(changes, message):
    image, ids = two_squares()
    asked = {"network": clicked_network(), "method": "none", "least_pixels": 1, **changes}
    with pytest.raises(InputError, match=message):
        evaluate_objects([item_of(ids, image)], **asked)


def test_an_image_that_the_network_cannot_take_is_named():
    item = Item("odd", np.zeros((4, 4, 2), np.float32), 2, np.ones((4, 4), int), np.arange(2))
    with pytest.raises(InputError, match="odd: the network takes 1 channel"):
        evaluate_objects([item], clicked_network(), "none", least_pixels=1)


def test_a_network_that_takes_clicks_is_not_corrected_as_a_whole():
    with pytest.raises(InputError, match=r"toy outlines one object.*choose noc"):
        evaluate([], clicked_network(), "none", "errors", 1)
