from __future__ import annotations

import gc

import numpy as np
import pytest
import torch

from napari_guideme.errors import InputError
from napari_guideme.guidance import CLICK_METHODS
from napari_guideme.hints import Click, Scribble
from napari_guideme.networks.catalogue import open_network
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.object_session import ObjectSession
from tests import toys
from tests.untouched import lived_in, untouched

CLASSES = ("background", "object")

LEFT, RIGHT = np.s_[8:24, 6:22], np.s_[30:50, 36:60]
ON_LEFT, ON_RIGHT = Click((16, 14), "object"), Click((40, 48), "object")
BETWEEN = Click((26, 29), "background")


def clicked(look: float = 12.0, **options):
    """A network that outlines what is bright and near clicks on it, 64 pixels at a time."""
    maps = InteractionMaps(reach=14, side=64)
    return toys.frozen(toys.Clicked(look), CLASSES, interaction=maps, name="toy", **options)


@pytest.fixture
def image():
    pixels = np.zeros((64, 64), np.float32)
    pixels[LEFT] = pixels[RIGHT] = 1
    return pixels


@pytest.fixture
def session(image):
    return ObjectSession(image, clicked(), method="none")


def finish(session) -> None:
    for _ in session.refine():
        pass


def give(session, *hints) -> None:
    session.add(*hints)
    finish(session)


def seen(session):
    return [session.labels().tolist(), session.objects().tolist(), session.hints, session.method]


def test_a_replay_that_is_dropped_changes_nothing(session):
    for click in (ON_LEFT, ON_RIGHT):
        give(session, click)
        session.next_object()
    session.undo()
    before, history = seen(session), session.history
    replay = session.replay(history)
    next(replay)
    replay.close()
    assert seen(session) == before
    assert (session.can_undo, session.can_redo) == (True, True)
    for _ in session.replay(history):
        pass
    assert seen(session) == before
    assert session.history == history


def test_nothing_is_an_object_before_a_click(session):
    assert not session.labels().any()
    assert session.labels().dtype == np.uint8
    assert not session.objects().any()
    assert session.satisfied() == []
    assert not session.can_undo


def test_a_click_outlines_the_object_and_a_second_one_takes_away(session, image):
    give(session, ON_LEFT)
    labels = session.labels()
    assert labels[LEFT].all()
    assert not labels[:, 30:36].any()
    assert session.satisfied() == [True]
    give(session, Click((9, 7), "background"))
    assert session.labels()[9, 7] == 0
    assert session.labels()[16, 14] == 1
    report = session.report()
    assert (report.satisfied, report.hints, report.unmet) == (2, 2, ())
    assert report.changed_pixels == session.labels().sum()


def test_probabilities_are_those_of_the_labels(session):
    give(session, ON_LEFT)
    probabilities = session.probabilities()
    np.testing.assert_allclose(probabilities.sum(0), 1)
    np.testing.assert_array_equal(probabilities[1] > 0.5, session.labels() == 1)


@pytest.mark.parametrize("channels", [None, (0, 1, 2)])
def test_channels_that_the_network_is_not_fed_change_nothing(channels):
    network = open_network("click", "cpu")
    photo = np.random.default_rng(0).integers(0, 60, (64, 64, 3)).astype(np.uint8)
    photo[LEFT] += np.array([120, 60, 20], np.uint8)
    others = np.full((64, 64, 2 if channels else 1), 255, np.uint8)
    found = []
    for image, chosen in ((photo, None), (np.dstack([photo, others]), channels)):
        session = ObjectSession(image, network, channel_axis=-1, channels=chosen, method="none")
        give(session, ON_LEFT)
        found.append(session.probabilities())
    np.testing.assert_array_equal(*found)


def test_objects_are_committed_under_the_next_free_id(session):
    give(session, ON_LEFT)
    first = session.labels()
    assert session.next_object() == 1
    assert not session.labels().any()
    assert len(session.hints) == 0
    give(session, ON_RIGHT)
    second = session.labels()
    assert session.next_object() == 2
    objects = session.objects()
    np.testing.assert_array_equal(objects == 1, first == 1)
    np.testing.assert_array_equal(objects == 2, second == 1)


@pytest.mark.parametrize("locked", [True, False])
def test_committed_objects_are_background_unless_unlocked(image, locked):
    session = ObjectSession(image, clicked(), method="none", locked=locked)
    give(session, ON_LEFT)
    session.next_object()
    give(session, Click((18, 16), "object"))
    assert session.labels()[LEFT].any() != locked
    assert session.satisfied() == [not locked]


def test_undo_and_redo_go_across_objects(session):
    states = [seen(session)]
    for step in (
        lambda: give(session, ON_LEFT),
        lambda: give(session, BETWEEN),
        session.next_object,
        lambda: give(session, ON_RIGHT),
        session.next_object,
        lambda: session.start_from(np.eye(64)),
    ):
        step()
        states.append(seen(session))
    for state in states[-2::-1]:
        session.undo()
        assert seen(session) == state
    assert not session.can_undo
    for state in states[1:]:
        session.redo()
        assert seen(session) == state
    assert not session.can_redo
    session.undo()
    session.undo()
    give(session, BETWEEN)
    assert not session.can_redo


def test_what_was_refined_is_not_computed_again(session):
    give(session, ON_LEFT)
    before = session.labels()
    (step,) = session.refine()
    assert step.energy == 0
    np.testing.assert_array_equal(session.labels(), before)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 50)])
def test_clicks_on_an_image_of_one_value_are_obeyed(shape):
    network = open_network("click", "cpu")
    session = ObjectSession(np.zeros(shape, np.uint8), network)
    give(session, Click((0, 0), "object"))
    assert session.satisfied() == [True]


def test_hints_that_do_not_count_yet_are_reported_as_unmet():
    large = np.zeros((640, 640), np.float32)
    large[300:310, 400:412] = 1
    session = ObjectSession(large, clicked(), method="none")
    give(session, Click((305, 406), "object"))
    for at in ((639, 639), (0, 0)):
        session.add(Click(at, "object"))
        report = session.report()
        assert (report.hints, report.satisfied) == (2, 1)
        assert report.changed_pixels == session.labels().sum()
        session.undo()


def test_all_that_changed_of_a_mask_is_reported(image):
    session = ObjectSession(image, clicked(), method="none")
    mask = np.zeros((64, 64), bool)
    mask[LEFT] = True
    mask[50:, 50:] = True
    session.start_from(mask)
    for at in ((16, 14), (12, 10), (18, 18)):
        give(session, Click(at, "object"))
        assert session.report().changed_pixels == (session.labels() != mask).sum() > 0


def test_what_changed_far_from_a_hint_is_told_of_the_whole_image(image):
    large = np.zeros((640, 640), np.float32)
    large[290:320, 250:420] = 1
    session = ObjectSession(large, clicked(look=300.0), method="none")
    # The second one lies outside the window around the object.
    give(session, Click((305, 255), "object"), Click((600, 5), "background"))
    labels = session.labels()
    rows, columns = np.nonzero(labels)
    far = np.hypot(rows - 305, columns - 255) > 64
    far &= np.hypot(rows - 600, columns - 5) > 64
    report = session.report()
    assert report.changed_pixels == labels.sum()
    assert report.far_pixels == far.sum() > 0


def test_clicks_beside_an_object_make_none(image):
    session = ObjectSession(image, clicked(look=30.0), method="f-brs-b")
    give(session, Click((16, 14), "background"))
    assert not session.labels().any()
    assert session.satisfied() == [True]
    give(session, ON_RIGHT)
    assert session.labels()[RIGHT].any()
    assert session.satisfied() == [True, True]


def test_a_dropped_refinement_leaves_the_object(session):
    give(session, ON_LEFT)
    before = session.labels()
    session.add(BETWEEN)
    steps = session.refine()
    next(steps)
    steps.close()
    np.testing.assert_array_equal(session.labels(), before)
    finish(session)
    assert session.satisfied() == [True, True]


def test_a_mask_to_start_from_is_the_object_until_clicks_improve_it(session):
    mask = np.zeros((64, 64), np.uint16)
    mask[10:20, 8:18] = 7
    session.start_from(mask)
    np.testing.assert_array_equal(session.labels(), mask > 0)
    np.testing.assert_array_equal(session.predict(), mask > 0)
    assert session.report().changed_pixels == 0
    give(session, Click((22, 20), "object"))
    assert session.labels()[22, 20] == session.labels()[12, 10] == 1
    assert session.report().changed_pixels == (session.labels() != (mask > 0)).sum() > 0


def test_scribbles_count_like_clicks(session):
    give(session, Scribble((((10.0, 10.0), (20.0, 18.0)),), "object", 3))
    assert session.satisfied() == [True]
    assert session.labels()[LEFT].all()


@pytest.mark.parametrize("method", [m for m in CLICK_METHODS if m != "none"])
def test_every_click_is_obeyed_whatever_the_network_sees(image, method):
    """A click on the dark: the network's look is stronger than its maps."""
    network = clicked(look=30.0)
    alone = ObjectSession(image, network, method="none")
    hints = [ON_LEFT, Click((4, 60), "object"), Click((12, 12), "background")]
    give(alone, *hints)
    assert alone.satisfied().count(False) >= 1
    session = ObjectSession(image, network, method=method)
    for hint in hints:
        give(session, hint)
        assert all(session.satisfied())


def test_a_method_is_a_step_of_the_history(image):
    session = ObjectSession(image, clicked(look=30.0), method="none")
    give(session, Click((4, 60), "object"))
    assert session.satisfied() == [False]
    session.method = "brs"
    finish(session)
    assert session.satisfied() == [True]
    session.undo()
    assert session.method == "none"
    assert session.satisfied() == [False]


def test_a_small_object_in_a_large_image_is_looked_at_closely(image):
    large = np.zeros((640, 640), np.float32)
    large[300:310, 400:412] = 1
    session = ObjectSession(large, clicked(), method="none")
    give(session, Click((305, 406), "object"))
    labels = session.labels()
    # At the size at which the whole image is seen, the object is one pixel large.
    assert labels[301:309, 402:410].all()
    assert labels.sum() < 1.6 * large.sum()


def test_a_window_moves_with_an_object_that_outgrows_it(image):
    long = np.zeros((64, 640), np.float32)
    long[20:40, 100:600] = 1
    session = ObjectSession(long, clicked(), method="none")
    give(session, Click((30, 150), "object"))
    assert not session.labels()[30, 590]
    give(session, Click((30, 590), "object"), Click((30, 350), "object"))
    assert session.satisfied() == [True] * 3


def test_colours_come_last_or_first(image):
    colours = np.stack([image] * 3)
    found = []
    for axis in (0, -1):
        session = ObjectSession(
            np.moveaxis(colours, 0, axis), clicked(), method="none", channel_axis=axis
        )
        give(session, ON_LEFT)
        found.append(session.labels())
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("spacing", [(5.0, 1.0), (1.0, 5.0)])
def test_distances_are_physical(image, spacing):
    flat = np.full((64, 64), 1.0, np.float32)
    flat[0, 0] = 0
    session = ObjectSession(flat, clicked(look=2.0), method="none", spacing=spacing)
    give(session, Click((32, 32), "object"))
    rows, columns = (np.ptp(np.flatnonzero(session.labels().any(axis))) for axis in (1, 0))
    assert (rows < columns) == (spacing[0] > spacing[1])


def test_bad_input_is_told_and_changes_nothing(image, session):
    give(session, ON_LEFT)
    before = seen(session)
    for wrong, told in (
        (lambda: session.add(Click((64, 0), "object")), "outside the image"),
        (lambda: session.add(Click((0, 0), "nucleus")), "background, object"),
        (lambda: session.start_from(np.zeros((64, 64))), "empty"),
        (lambda: session.start_from(np.ones((3, 3))), r"\(3, 3\).*\(64, 64\)"),
    ):
        with pytest.raises(InputError, match=told):
            wrong()
        assert seen(session) == before
    session.undo()
    with pytest.raises(InputError, match="no object to keep"):
        session.next_object()


@pytest.mark.parametrize(
    ("image", "options", "told"),
    [
        (np.zeros((0, 5)), {}, r"shape \(0, 5\)"),
        (np.zeros((4, 5, 6)), {}, "2 spatial axes"),
        (np.zeros((4, 5)), {"channel_axis": 2}, "no channel axis 2"),
        (np.full((4, 5), np.nan), {}, "NaN"),
        (np.zeros((4, 5)), {"spacing": (0, 1)}, "2 positive numbers"),
        (np.zeros((4, 5)), {"method": "magic"}, "f-brs-b"),
    ],
)
def test_images_that_cannot_be_used(image, options, told):
    with pytest.raises(InputError, match=told):
        ObjectSession(image, clicked(), **options)


def test_a_network_that_takes_no_clicks_is_for_another_session(image, network):
    with pytest.raises(InputError, match="GuideSession"):
        ObjectSession(image, network)


@pytest.mark.parametrize("method", CLICK_METHODS)
def test_the_users_module_is_left_as_it_was(image, method):
    module = lived_in(toys.Clicked(30.0))
    maps = InteractionMaps(reach=8, side=64)
    with untouched(module):
        network = toys.frozen(module, CLASSES, interaction=maps)
        session = ObjectSession(image, network, method=method)
        give(session, Click((4, 60), "object"))
        del session, network
        gc.collect()


def tensors() -> dict[int, torch.Tensor]:
    return {id(t): t for t in gc.get_objects() if type(t) is torch.Tensor}


def test_the_memory_of_a_large_image_is_that_of_its_labels():
    others = tensors()
    image = np.zeros((3000, 3000), np.uint8)
    image[1000:1400, 1000:1400] = 200
    session = ObjectSession(image, clicked(), method="brs")
    give(session, Click((1200, 1200), "object"))
    largest = max(t.numel() for key, t in tensors().items() if key not in others)
    assert session.labels()[1200, 1200] == 1
    assert largest < 10 * 64 * 64 * 8


def test_the_outline_follows_the_colours_of_the_image():
    rows, columns = np.mgrid[-60:60, -75:75]
    star = np.hypot(rows, columns) < 30 + 4 * np.cos(7 * np.arctan2(rows, columns))
    noise = np.random.default_rng(0).integers(0, 30, (*star.shape, 3))
    picture = (np.where(star[..., None], (200, 30, 30), (30, 160, 60)) + noise).astype(np.uint8)
    wrong = {}
    for method in ("none", "f-brs-b"):
        session = ObjectSession(picture, open_network("click"), method=method, channel_axis=-1)
        give(session, Click((60, 75), "object"))
        wrong[method] = (session.labels() != star).sum()
    assert wrong["f-brs-b"] < 0.2 * wrong["none"]
