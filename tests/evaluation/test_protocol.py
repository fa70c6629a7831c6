from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.protocol import Talk, correct, evaluate, simulated_users
from napari_guideme.evaluation.results import Course, Tally
from napari_guideme.guidance.refining import Step
from napari_guideme.hints import Click, TextHint
from napari_guideme.session import GuideSession

from .toys import network_of

USERS = simulated_users()
ABOUT = {"network": "n", "method": "m", "protocol": "errors", "ask": None, "operation": None}


def item_of(image, truth, network, name="a", kind=None, merged=None):
    merged = np.arange(len(network.classes)) if merged is None else np.array(merged)
    return Item(name, np.asarray(image, np.float32), None, np.asarray(truth), merged, kind)


def shades():
    """16 x 16: left half dark, right half bright but for a dim 4 x 4 square that is missed."""
    image = np.zeros((16, 16), dtype=np.float32)
    image[:, 8:] = 1
    truth = (image > 0.5).astype(int)
    image[6:10, 11:15] = 0.3
    return image, truth


def course_of(*confusions, unmet=0):
    confusions = [np.array(counts, dtype=np.int64) for counts in confusions]
    return Course(confusions, [0.5] * (len(confusions) - 1), unmet, 0.25)


PERFECT = [[50, 0], [0, 50]]
MISSED = [[50, 0], [50, 0]]


def test_before_the_first_hint_the_figures_are_the_networks_own(bright):
    image, truth = shades()
    result = evaluate([item_of(image, truth, bright)], bright, "residual", "errors", 0)
    # 128 pixels of either class, 16 of the foreground are missed.
    assert result.miou == {"0": pytest.approx((128 / 144 + 112 / 128) / 2)}
    assert result.pixel_accuracy == {"0": pytest.approx(240 / 256)}
    assert result.foreground_iou == {"0": pytest.approx(112 / 128)}
    assert (result.n_images, result.harm_rate, result.unmet) == (1, 0.0, 0)
    assert result.seconds_per_hint is None
    assert result.seconds_per_forward > 0


@pytest.mark.parametrize("method", ["residual", "f-brs"])
def test_clicks_correct_and_stop_when_nothing_is_wrong(bright, method):
    image, truth = shades()
    course = correct(item_of(image, truth, bright), bright, method, USERS["errors"], 40)
    assert len(course.confusions) == len(course.seconds) + 1
    first, last = course.confusions[0], course.confusions[-1]
    assert first.tolist() == [[128, 0], [16, 112]]
    assert last.trace() > first.trace()
    assert len(course.seconds) < 40
    assert last.tolist() == [[128, 0], [0, 128]]


def test_an_image_without_mistakes_gets_no_hints(bright):
    image = shades()[0]
    truth = (image > 0.5).astype(int)
    result = evaluate([item_of(image, truth, bright)], bright, "residual", "errors", 3)
    assert result.miou == {"0": 1.0, "1": 1.0, "2": 1.0, "3": 1.0}
    assert result.seconds_per_hint is None
    assert result.harm_rate == 0


def test_mistakes_in_ignored_pixels_are_none(bright):
    image, truth = shades()
    truth[6:10, 11:15] = -1
    result = evaluate([item_of(image, truth, bright)], bright, "residual", "errors", 1)
    assert result.miou["1"] == 1.0
    assert result.seconds_per_hint is None


def test_answers_are_given_even_where_nothing_is_wrong(bright):
    image = shades()[0]
    truth = (image > 0.5).astype(int)
    item = item_of(image, truth, bright)
    course = correct(item, bright, "residual", USERS["questions"], 2)
    assert len(course.seconds) == 2
    assert course.unmet == 0


def test_the_rule_of_asking_is_used(bright):
    image, truth = shades()
    image[3, 3] = 0.52
    asked = []

    def user(session, item, before):
        asked.append(simulated_users("margin")["questions"](session, item, before))
        return asked[-1]

    correct(item_of(image, truth, bright), bright, "residual", user, 2)
    assert asked[0] == Click((3, 3), bright.classes[0])
    assert asked[1] is not None
    assert asked[1].at != (3, 3)


@pytest.mark.parametrize("ask", ["settle", "margin"])
def test_where_the_truth_is_not_known_the_user_is_not_sure(ask):
    """All that is uncertain has no truth, but for one pixel far away from the rest."""
    network = network_of(("background", "cell"), None, [0, 20.0], [0, -10.0])
    image = np.zeros((16, 48), dtype=np.float32)
    truth = np.zeros((16, 48), dtype=int)
    image[:, 40:], truth[:, 40:] = 0.45, -1
    image[15, 7], truth[15, 7] = 0.45, 1
    item, asked = item_of(image, truth, network), set()
    session = GuideSession(image, network)
    answer = simulated_users(ask)["questions"](session, item, asked)
    assert answer == Click((15, 7), "cell")
    unsure = asked - {(15, 7)}
    assert unsure or ask == "margin"
    assert all(truth[position] < 0 for position in unsure)
    assert len(session.hints) == 0


def test_without_a_known_truth_questions_end(bright):
    item = item_of(np.full((8, 8), 0.5), np.full((8, 8), -1), bright)
    course = correct(item, bright, "residual", USERS["questions"], 3)
    assert len(course.confusions) == 1


def test_doubt_between_classes_that_count_as_one_does_not_count(bordered):
    """Nucleus or border is undecided on the left, background or border on the right."""
    image = np.zeros((8, 16), dtype=np.float32)
    image[:, :4], image[:, 12:] = 0.8, 0.41
    merged = item_of(image, np.zeros((8, 16), int), bordered, merged=[0, 1, 1])
    session = GuideSession(image, bordered)
    for ask in ("settle", "margin"):
        user = simulated_users(ask)["questions"]
        assert user(session, merged, set()).at[1] >= 12


def test_the_separator_counts_as_object(bordered):
    image = np.array([[0, 0.5, 1, 0.5, 0, 0]] * 4, dtype=np.float32)
    truth = np.array([[0, 1, 1, 1, 0, 0]] * 4)
    item = item_of(image, truth, bordered, merged=[0, 1, 1])
    result = evaluate([item], bordered, "residual", "errors", 1)
    assert result.miou == {"0": 1.0, "1": 1.0}
    own = evaluate([item_of(image, truth, bordered)], bordered, "residual", "errors", 0)
    assert own.miou["0"] < 1


def test_figures_are_pooled_over_images():
    tally = Tally(1, 2)
    tally.add(course_of([[90, 0], [10, 0]], [[90, 0], [0, 10]]), None)
    tally.add(course_of([[10, 0], [0, 90]]), None)  # Nothing wrong, so no hint.
    result = tally.result(ABOUT | {"seed": 5})
    # Pooled before: [[100, 0], [10, 90]].
    assert result.miou["0"] == pytest.approx((100 / 110 + 90 / 100) / 2)
    assert result.pixel_accuracy["0"] == pytest.approx(190 / 200)
    assert result.miou["1"] == result.pixel_accuracy["1"] == 1.0
    # Mean over images, not pooled.
    assert result.foreground_iou == {"0": 0.5, "1": 1.0}
    assert (result.hints, result.seed, result.n_images) == (1, 5, 2)
    assert (result.seconds_per_hint, result.seconds_per_forward) == (0.5, 0.25)


def test_harm_is_a_hint_after_which_the_image_lost_more_than_a_point():
    # Accuracy over two classes of 1000: 1.0, 0.995 (IoU falls half a point), 0.9, 1.0.
    course = course_of(
        [[1000, 0], [0, 1000]],
        [[995, 5], [5, 995]],
        [[900, 100], [0, 1000]],
        [[1000, 0], [0, 1000]],
    )
    assert course.harmful == 1


def test_harm_is_a_share_of_the_hints_given():
    tally = Tally(4, 2)
    tally.add(course_of(PERFECT, MISSED, PERFECT, unmet=1), "dark")  # 1 of 2 did harm.
    tally.add(course_of(MISSED, PERFECT, unmet=2), "light")  # 0 of 1.
    tally.add(course_of(PERFECT), "light")  # 0 of 0.
    result = tally.result(ABOUT | {"seed": 0})
    assert result.harm_rate == pytest.approx(1 / 3)
    assert result.unmet == 3
    assert list(result.by_kind) == ["dark", "light"]
    dark, light = result.by_kind.values()
    assert (dark.n_images, dark.harm_rate) == (1, 0.5)
    assert dark.foreground_iou == {"0": 1.0, "1": 0.0, "2": 1.0, "3": 1.0, "4": 1.0}
    assert (light.n_images, light.harm_rate) == (2, 0.0)
    assert light.foreground_iou == {"0": 0.5, "1": 1.0, "2": 1.0, "3": 1.0, "4": 1.0}


def test_a_hint_that_wrecks_an_image_is_seen_as_harm(bright):
    """One speck in a uniform image: all that looks like it follows, and is wrong."""
    truth = np.zeros((32, 32), dtype=int)
    truth[16, 16] = 1
    item = item_of(np.full((32, 32), 0.45), truth, bright)
    result = evaluate([item], bright, "residual", "errors", 1)
    assert result.pixel_accuracy["1"] < result.pixel_accuracy["0"]
    assert result.harm_rate == 1.0


def contrary(session, item, asked):
    """Say in turn the one and the other of neighbours that look the same."""
    asked.add((0, len(asked)))
    return Click((0, len(asked) - 1), session.network.classes[(len(asked) - 1) % 2])


def test_neighbours_that_contradict_each_other_are_all_met(bright):
    image, truth = shades()
    course = correct(item_of(image, truth, bright), bright, "residual", contrary, 8)
    assert len(course.seconds) == 8
    assert course.unmet == 0


def test_hints_that_are_not_met_in_the_end_are_counted(bright, monkeypatch):
    """A method that does nothing leaves four of the eight unmet."""

    def idle(scene, *_):
        yield Step(1, 1, 0.0, logits=scene.logits)

    monkeypatch.setattr("napari_guideme.refinement.refine", idle)
    image, truth = shades()
    course = correct(item_of(image, truth, bright), bright, "residual", contrary, 8)
    assert course.unmet == 4


def test_the_result_is_plain_json(bright):
    image, truth = shades()
    items = [item_of(image, truth, bright, kind="plain")]
    told = json.loads(json.dumps(evaluate(items, bright, "residual", "errors", 2).to_json()))
    assert set(told) == {
        "network", "method", "protocol", "ask", "operation", "hints", "seed", "n_images", "miou",
        "pixel_accuracy", "foreground_iou", "by_kind", "harm_rate", "unmet", "seconds_per_hint",
        "seconds_per_forward",
    }  # fmt: skip
    assert list(told["miou"]) == ["0", "1", "2"]
    assert told["by_kind"]["plain"]["n_images"] == 1
    assert (told["network"], told["method"], told["protocol"]) == ("toy", "residual", "errors")
    assert told["ask"] is None
    asked = evaluate(items, bright, "residual", "questions", 0, ask="margin")
    assert asked.to_json()["ask"] == "margin"


def test_the_result_prints_a_row_for_each_number_of_hints(bright):
    image, truth = shades()
    lines = str(evaluate([item_of(image, truth, bright)], bright, "residual", "errors", 2))
    rows = [line.split()[0] for line in lines.splitlines() if line.split()[0].isdigit()]
    assert rows == ["0", "1", "2"]
    assert "87.5%" in lines


@pytest.mark.parametrize(
    ("method", "protocol", "n_hints", "message"),
    [
        ("residual", "guesses", 1, "unknown protocol 'guesses'; choose errors, questions"),
        ("magic", "errors", 1, "unknown method 'magic'; choose residual"),
        ("residual", "errors", -1, "-1 hints"),
        ("residual", "errors", 1, "no image to evaluate"),
    ],
)
def test_bad_requests(bright, method, protocol, n_hints, message):
    with pytest.raises(InputError, match=message):
        evaluate([], bright, method, protocol, n_hints)


def test_an_unknown_rule_of_asking(bright):
    with pytest.raises(InputError, match="choose settle, margin"):
        evaluate([], bright, "residual", "questions", 1, ask="magic")


def test_an_image_that_the_network_cannot_take_is_named(bright):
    image = np.zeros((4, 4, 2), dtype=np.float32)
    item = Item("odd", image, 2, np.zeros((4, 4), int), np.arange(2))
    with pytest.raises(InputError, match=r"odd: the network takes 1 channel\(s\)"):
        evaluate([item], bright, "residual", "errors", 1)


def test_a_truth_without_objects_is_pointed_out(caplog):
    network = network_of(("background", "cell"), biases=[1.0, 0.0])
    item = item_of(np.zeros((4, 4)), np.zeros((4, 4), int), network)
    with caplog.at_level(logging.WARNING):
        evaluate([item], network, "residual", "errors", 1)
    assert "no pixel of the truth" in caplog.text


@pytest.fixture
def shaded(bright):
    """A dim cell that is missed, and a bright speck that is none."""
    image = np.zeros((24, 24), dtype=np.float32)
    image[2:6, 2:6], image[18:22, 18:22] = 0.45, 0.55
    truth = np.zeros((24, 24), dtype=int)
    truth[2:6, 2:6] = 1
    return item_of(image, truth, bright)


@pytest.mark.parametrize(("operation", "cell"), [("find", (0, 0)), ("remove", (2, 2))])
def test_what_is_said_is_what_is_wrong(operation, cell, shaded, bright):
    if operation == "find":
        shaded.image[18:22, 18:22] = 0
    else:
        shaded.image[2:6, 2:6] = 1
    session = GuideSession(shaded.image, bright)
    user = simulated_users(operation=operation)["text"]
    said = {user(session, shaded, set()) for _ in range(3)}
    assert said == {TextHint(operation, bright.classes[1], (cell,))}
    assert len(session.hints) == 0


def test_words_correct_and_are_counted(shaded, bright):
    talk = Talk("either", "words")
    result = evaluate([shaded], bright, "residual", "text", 4, talk=talk, seed=1)
    assert (result.method, result.operation, result.ask) == ("words", "either", None)
    assert result.miou["4"] == 1.0 > result.miou["0"]
    assert result.unmet == 0


def test_the_same_seed_says_the_same(bright):
    random = np.random.default_rng(0)
    truth = (random.random((30, 30)) > 0.5).repeat(4, 0).repeat(4, 1).astype(int)
    item = item_of(np.full(truth.shape, 0.4), truth, bright)
    session = GuideSession(item.image, bright)
    said = {
        simulated_users("settle", "find", seed)["text"](session, item, set()) for seed in (0, 0)
    }
    assert len(said) == 1
