from __future__ import annotations

from collections.abc import Callable
from threading import Event

import numpy as np
import pytest
from scipy.special import softmax
from torch import nn

from napari_guideme.errors import InputError
from napari_guideme.guidance import GUIDE_METHODS, QUESTION_NAMES
from napari_guideme.guidance.questions import NOT_SURE
from napari_guideme.hints import Click, Hints, Scribble, TextHint
from napari_guideme.networks.cancelling import Cancelled, cancellable
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.networks.preparation import Preparation
from napari_guideme.session import GuideSession
from tests import toys
from tests.conftest import BRIGHT, DIM
from tests.untouched import lived_in, untouched

ON_DIM, ON_BRIGHT = Click((11, 11), "cell"), Click((3, 3), "background")
CORNER = Click((0, 15), "cell")


#: Methods whose corrections reach the look-alikes of a pixel in a network that sees only pixels.
FAR_REACHING = ("residual", "f-brs", "guide-me")


@pytest.fixture(params=FAR_REACHING)
def session(request, network, picture) -> GuideSession:
    return GuideSession(picture, network, method=request.param)


@pytest.fixture(params=GUIDE_METHODS)
def any_session(request, network, picture) -> GuideSession:
    return GuideSession(picture, network, method=request.param)


def finish(session: GuideSession):
    *_, step = session.refine()
    return step


def shown(session: GuideSession) -> tuple[list, list]:
    return session.labels().tolist(), session.probabilities().tolist()


def cells(*patches) -> np.ndarray:
    labels = np.zeros((16, 16), np.uint8)
    for patch in patches:
        labels[patch] = 1
    return labels


def test_before_any_hint_labels_are_the_networks_own(session, picture):
    np.testing.assert_array_equal(session.predict(), cells(BRIGHT))
    np.testing.assert_array_equal(session.labels(), cells(BRIGHT))
    assert session.labels().dtype == np.uint8
    logit = np.exp([1 - picture, picture])
    np.testing.assert_allclose(session.probabilities(), logit / logit.sum(0), rtol=1e-5)
    assert session.shape == (16, 16)


def test_labels_follow_a_hint(session):
    session.add(ON_DIM)
    np.testing.assert_array_equal(session.labels(), cells(BRIGHT))
    finish(session)
    np.testing.assert_array_equal(session.labels(), cells(BRIGHT, DIM))
    np.testing.assert_array_equal(session.predict(), cells(BRIGHT))
    np.testing.assert_array_equal(session.changed(), cells(DIM) == 1)
    probabilities = session.probabilities()
    assert probabilities.dtype == np.float32
    np.testing.assert_array_equal(probabilities.argmax(0), session.labels())
    np.testing.assert_allclose(probabilities.sum(0), 1, rtol=1e-5)


def test_a_report_tells_what_became_of_the_hints(session):
    session.add(ON_DIM)
    assert session.satisfied() == [False]
    assert session.report().unmet == (0,)
    finish(session)
    report = session.report()
    assert session.satisfied() == [True]
    assert (report.satisfied, report.hints, report.unmet) == (1, 1, ())
    assert report.changed_pixels == 16
    # Of the dim cell 7 pixels are more than 1.6 pixels, a tenth of the image, from the click.
    assert report.far_pixels == 7
    assert report.seconds > 0
    assert report.to_json() == {
        "satisfied": 1,
        "hints": 1,
        "unmet": (),
        "changed_pixels": 16,
        "far_pixels": 7,
        "seconds": report.seconds,
    }


def test_changes_are_counted_from_other_labels_and_places_that_were_told_are_near(session):
    session.add(ON_DIM)
    finish(session)
    none = np.zeros((16, 16), bool)
    report = session.report(none)
    assert report.changed_pixels == session.labels().sum()
    assert report.far_pixels > 0
    session.add(TextHint("find", "cell"))
    finish(session)
    assert session.report(none).far_pixels == 0


def test_a_report_without_hints(session):
    report = session.report()
    assert (report.satisfied, report.hints, report.changed_pixels, report.far_pixels) == (0,) * 4


@pytest.mark.parametrize(("bright", "met"), [(40, True), (38, True), (37, False)])
def test_a_scribble_is_satisfied_by_nearly_all_its_pixels(network, bright, met):
    session = GuideSession(np.repeat([1.0, 0.0], [bright, 60 - bright])[None], network)
    session.add(Scribble((((0, 0), (0, 39)),), "cell"))
    assert session.satisfied() == [met]


def test_an_overruled_hint_does_not_ask(session):
    session.add(Click((11, 11), "background"), ON_DIM)
    finish(session)
    assert session.satisfied() == [True, True]
    assert session.labels()[11, 11] == 1
    session.add(Click((11, 11), "background"))
    finish(session)
    assert session.labels()[11, 11] == 0
    assert len(session.hints) == 2


def test_a_new_hint_takes_nothing_back(session):
    session.add(ON_DIM)
    finish(session)
    session.add(Click((12, 12), "cell"), Click((0, 0), "background"))
    finish(session)
    np.testing.assert_array_equal(session.labels(), cells(BRIGHT, DIM))
    assert session.satisfied() == [True] * 3


def test_neighbours_that_contradict_each_other_are_both_satisfied(any_session):
    any_session.add(ON_DIM)
    finish(any_session)
    any_session.add(Click((11, 12), "background"))
    finish(any_session)
    any_session.add(Click((12, 12), "cell"))
    finish(any_session)
    assert any_session.satisfied() == [True] * 3


def test_every_method_can_be_undone_to_the_bit(any_session):
    states = [shown(any_session)]
    for hint in (ON_DIM, ON_BRIGHT):
        any_session.add(hint)
        finish(any_session)
        states.append(shown(any_session))
    assert len({str(state) for state in states}) == 3
    any_session.undo()
    assert shown(any_session) == states[1]
    any_session.undo()
    assert shown(any_session) == states[0]
    any_session.redo()
    any_session.redo()
    assert shown(any_session) == states[2]


def test_a_network_that_takes_clicks_is_for_another_session(picture):
    network = toys.frozen(toys.Clicked(), interaction=InteractionMaps())
    with pytest.raises(InputError, match="ObjectSession"):
        GuideSession(picture, network)


def test_undo_and_redo_restore_exactly(session):
    states = [shown(session)]
    for hint in (ON_DIM, ON_BRIGHT, CORNER):
        session.add(hint)
        finish(session)
        states.append(shown(session))
    assert len({str(state) for state in states}) == 4
    for state in states[-2::-1]:
        session.undo()
        assert shown(session) == state
    assert not session.can_undo
    for state in states[1:]:
        session.redo()
        assert shown(session) == state
    assert not session.can_redo
    session.undo()
    finish(session)
    assert shown(session) == states[-2]


def test_undo_and_redo_stop_at_the_ends(session):
    session.undo()
    session.redo()
    assert not session.can_undo
    assert not session.can_redo
    session.add(ON_DIM)
    session.redo()
    assert list(session.hints) == [ON_DIM]
    session.undo()
    session.undo()
    assert list(session.hints) == []
    assert session.can_redo


def test_what_was_refined_is_not_searched_again(session, monkeypatch):
    session.add(ON_DIM)
    finish(session)
    found = shown(session)
    session.undo()
    session.redo()
    calls, tail = [], session.network.tail
    monkeypatch.setattr(session.network, "tail", lambda *x: calls.append(x) or tail(*x))
    (step,) = session.refine()
    assert step.logits is not None
    assert len(calls) <= 1
    assert shown(session) == found


def test_a_new_hint_cuts_redo(session):
    session.add(ON_DIM)
    session.undo()
    session.add(CORNER)
    assert not session.can_redo
    assert list(session.hints) == [CORNER]


def test_what_changes_nothing_is_no_step_of_the_history(session):
    session.add()
    session.clear()
    session.method = session.method
    assert not session.can_undo
    session.add(ON_DIM)
    session.undo()
    session.replace(Hints())
    assert session.can_redo


def test_remove_and_clear_take_hints_back(session):
    session.add(ON_DIM, CORNER)
    finish(session)
    both = shown(session)
    session.remove(CORNER)
    finish(session)
    assert list(session.hints) == [ON_DIM]
    assert session.labels()[0, 15] == 0
    assert session.labels()[11, 11] == 1
    session.clear()
    finish(session)
    np.testing.assert_array_equal(session.labels(), session.predict())
    session.undo()
    session.undo()
    assert shown(session) == both


def test_it_does_not_matter_how_hints_were_added(session, network, picture):
    other = GuideSession(picture, network, method=session.method)
    for each in (session, other):
        each.add(ON_DIM)
        finish(each)
    session.add(ON_BRIGHT)
    session.add(CORNER)
    other.add(ON_BRIGHT, CORNER)
    finish(session)
    finish(other)
    assert shown(session) == shown(other)


def test_a_dropped_refinement_leaves_the_labels(session):
    session.add(ON_DIM)
    finish(session)
    before = shown(session)
    session.add(CORNER, ON_BRIGHT)
    steps = session.refine()
    step = next(steps)
    steps.close()
    if step.logits is None:
        assert shown(session) == before
    finish(session)
    assert session.labels()[0, 15] == 1


def test_a_refinement_that_never_started_leaves_the_labels(session):
    session.add(ON_DIM)
    session.refine().close()
    np.testing.assert_array_equal(session.labels(), session.predict())


def test_hints_that_come_while_refining_are_not_lost(session):
    session.add(ON_DIM)
    steps = session.refine()
    next(steps)
    session.add(CORNER)
    list(steps)
    finish(session)
    assert session.labels()[11, 11] == session.labels()[0, 15] == 1


@pytest.mark.parametrize("name", GUIDE_METHODS)
def test_a_switch_of_method_can_be_undone(session, name):
    own = session.method
    session.add(ON_DIM)
    finish(session)
    before = shown(session)
    session.method = name
    finish(session)
    assert session.method == name
    assert session.labels()[11, 11] == 1
    if name != own:
        session.undo()
    assert session.method == own
    assert shown(session) == before


@pytest.mark.parametrize(
    "bad",
    [
        Click((16, 0), "cell"),
        Click((-1, 0), "cell"),
        Click((0, 0), "bird"),
        Click((0, 0, 0), "cell"),
        Scribble((((20, 0), (30, 0)),), "cell"),
    ],
)
def test_a_rejected_hint_leaves_everything(session, bad):
    session.add(ON_DIM)
    finish(session)
    session.add(CORNER)
    session.undo()
    before = shown(session)
    with pytest.raises(InputError):
        session.add(ON_BRIGHT, bad)
    with pytest.raises(InputError):
        session.remove(bad)
    assert list(session.hints) == [ON_DIM]
    assert session.can_redo
    assert shown(session) == before


def test_what_does_not_exist_is_refused(network, picture, session):
    with pytest.raises(InputError, match=r"residual, .*f-brs"):
        GuideSession(picture, network, method="magic")
    with pytest.raises(InputError, match="input, relu"):
        GuideSession(picture, network, guide_point="encoder")
    with pytest.raises(InputError, match="NaN"):
        GuideSession(np.full((3, 3), np.nan), network)
    own = session.method
    with pytest.raises(InputError, match="magic"):
        session.method = "magic"
    assert session.method == own
    assert not session.can_undo


@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (17, 1), (5, 3), (33, 15)])
@pytest.mark.parametrize("multiple", [1, 4])
@pytest.mark.parametrize("method", GUIDE_METHODS)
def test_an_image_of_any_size_has_corners_to_click(shape, multiple, method):
    preparation = Preparation(channels=1, value_range="none", multiple=multiple)
    network = toys.frozen(toys.DarkAndBright(), preparation=preparation, guide_point="relu")
    session = GuideSession(np.full(shape, 0.45), network, method=method)
    session.add(Click((0, 0), "cell"), Click((shape[0] - 1, shape[1] - 1), "cell"))
    finish(session)
    assert np.isfinite(session.probabilities()).all()
    assert session.labels().shape == shape
    assert session.labels()[0, 0] == session.labels()[-1, -1] == 1


def test_channels_are_chosen(network, picture):
    image = np.stack([np.zeros_like(picture), picture])
    session = GuideSession(image, network, channel_axis=0, channels=[1])
    np.testing.assert_array_equal(session.labels(), cells(BRIGHT))


@pytest.mark.parametrize("method", GUIDE_METHODS)
def test_a_volume_is_refined(method):
    preparation = Preparation(ndim=3, channels=1, value_range="none", multiple=2)
    network = toys.frozen(toys.with_statistics(toys.Volume()), preparation=preparation)
    image = np.random.default_rng(0).random((3, 8, 7), dtype=np.float32)
    session = GuideSession(image, network, method=method, guide_point="relu")
    other = network.classes[1 - session.labels()[2, 7, 6]]
    session.add(Click((2, 7, 6), other))
    finish(session)
    assert session.report().satisfied == 1


def test_labels_come_as_instances():
    classes = ("background", "cell", "border")
    module = toys.pixelwise([0.0, 1.0, 4.0], [0.5, 0.0, -4.5])
    image = np.array([[1, 1, 2, 1, 1, 0, 0, 1]])
    session = GuideSession(image, toys.frozen(module, classes, separator="border"))
    assert session.labels().tolist() == [[1, 1, 2, 1, 1, 0, 0, 1]]
    ids = session.labels(instances=True)
    assert ids[0, [0, 1, 3, 4, 5, 6, 7]].tolist() == [1, 1, 2, 2, 0, 0, 3]
    assert ids[0, 2] in (1, 2)
    whole = GuideSession(image, toys.frozen(module, classes)).labels(instances=True)
    assert len(np.unique(whole)) == 5


#: Methods, and whether labels were asked for before; residual then runs the network no more.
RUNS = [(method, asked) for method in GUIDE_METHODS for asked in (False, True)]
INTERRUPTIBLE = [run for run in RUNS if run != ("residual", True)]


class TestTheUsersModule:
    """It is handed back unchanged, and the session goes on, whatever happened."""

    @pytest.fixture(params=[toys.unet, toys.Chain])
    def module(self, request) -> nn.Module:
        return lived_in(request.param())

    @pytest.fixture
    def happenings(self, module) -> list[Callable[[], None]]:
        """What happens at the next convolution."""
        happenings: list[Callable[[], None]] = []

        def hook(*_: object) -> None:
            for happening in happenings:
                happening()

        for part in module.modules():
            if isinstance(part, nn.Conv2d):
                part.register_forward_hook(hook)
        return happenings

    @pytest.fixture
    def session(self, module, happenings, run) -> GuideSession:
        method, asked = run
        preparation = Preparation(channels=1, value_range="none", multiple=4)
        network = toys.frozen(module, preparation=preparation)
        image = np.random.default_rng(0).random((12, 9), dtype=np.float32)
        point = network.guide_points[-2].name
        session = GuideSession(image, network, method=method, guide_point=point)
        if asked:
            session.predict()
        session.add(Click((0, 8), "cell"), Click((11, 0), "background"))
        return session

    @pytest.mark.parametrize("run", RUNS)
    def test_after_refining(self, module, session):
        with untouched(module):
            finish(session)
            session.undo()
            session.redo()
            session.labels(instances=True)
            session.report()

    @pytest.mark.parametrize("run", RUNS)
    def test_after_a_dropped_refinement(self, module, session):
        with untouched(module):
            steps = session.refine()
            next(steps)
            steps.close()

    @pytest.mark.parametrize("run", INTERRUPTIBLE)
    def test_after_an_error(self, module, session, happenings):
        def boom() -> None:
            raise RuntimeError("boom")

        happenings.append(boom)
        with untouched(module), pytest.raises((RuntimeError, InputError), match="boom"):
            finish(session)
        happenings.clear()
        self.check_that_it_goes_on(session)

    @pytest.mark.parametrize("run", INTERRUPTIBLE)
    def test_after_a_cancel(self, module, session, happenings):
        event = Event()
        happenings.append(event.set)
        with untouched(module), pytest.raises(Cancelled), cancellable(event):
            finish(session)
        happenings.clear()
        self.check_that_it_goes_on(session)

    def check_that_it_goes_on(self, session: GuideSession) -> None:
        np.testing.assert_array_equal(session.labels(), session.predict())
        finish(session)
        assert session.report().hints == 2
        assert session.changed().any() or session.report().satisfied == 2


@pytest.mark.gpu
@pytest.mark.parametrize("method", GUIDE_METHODS)
def test_a_session_on_a_gpu(cuda, picture, method):
    def begun(device):
        network = toys.frozen(toys.DarkAndBright(), device=device, guide_point="relu")
        session = GuideSession(picture, network, method=method)
        session.add(ON_DIM)
        finish(session)
        return session

    session = begun(cuda)
    np.testing.assert_array_equal(session.labels(), begun("cpu").labels())
    found = shown(session)
    session.undo()
    session.redo()
    assert shown(session) == found


@pytest.mark.parametrize("rule", QUESTION_NAMES)
def test_a_question_is_about_doubt_and_changes_nothing(picture, rule):
    steep = toys.frozen(toys.pixelwise([-20.0, 20.0], [10.0, -10.0]))
    session = GuideSession(picture, steep)
    before = shown(session)
    question = session.question(rule)
    assert cells(DIM)[question.position]
    assert question.classes == ("background", "cell")
    assert shown(session) == before
    assert (len(session.hints), session.can_undo) == (0, False)


@pytest.mark.parametrize("rule", QUESTION_NAMES)
def test_an_answer_leads_to_another_question(session, rule):
    first = session.question(rule)
    session.add(Click(first.position, "cell"))
    finish(session)
    assert session.question(rule).position != first.position
    session.undo()
    assert session.question(rule) == first


@pytest.mark.parametrize("rule", QUESTION_NAMES)
def test_around_a_pixel_that_was_skipped_nothing_is_asked(network, rule):
    picture = np.zeros((100, 100), dtype=np.float32)
    picture[40:60, 40:60] = 0.45
    session = GuideSession(picture, network)
    skipped = []
    for _ in range(5):
        question = session.question(rule, skip=skipped)
        distance = [np.linalg.norm(np.subtract(question.position, at)) for at in skipped]
        assert all(d > NOT_SURE * 100 for d in distance)
        skipped.append(question.position)


@pytest.mark.parametrize("rule", QUESTION_NAMES)
def test_there_is_no_question_where_nothing_is_uncertain(rule):
    module = toys.pixelwise([-20.0, 20.0], [10.0, -10.0])
    picture = np.zeros((8, 8), dtype=np.float32)
    picture[4:] = 1
    sure = GuideSession(picture, toys.frozen(module))
    assert sure.question(rule) is None
    picture[2, 3] = 0.5
    unsure = GuideSession(picture, toys.frozen(module))
    assert unsure.question(rule).position == (2, 3)
    unsure.add(Click((2, 3), "cell"))
    assert unsure.question(rule) is None


@pytest.mark.parametrize("rule", QUESTION_NAMES)
def test_scribbled_pixels_are_not_asked_for(network, rule):
    session = GuideSession(np.full((4, 300), 0.45), network)
    session.add(*(Scribble((((row, 0), (row, 298)),), "cell") for row in range(4)))
    finish(session)
    assert session.question(rule).position[1] == 299


def test_an_unknown_rule_of_asking_is_told(session):
    with pytest.raises(InputError, match="choose settle, margin"):
        session.question("magic")


@pytest.mark.parametrize("method", GUIDE_METHODS)
def test_zoomed_in_a_hint_changes_nothing_beyond_its_window(picture, network, method):
    image = np.zeros((64, 80), np.float32)
    image[:16, :16] = picture
    image[40:50, 60:70] = 0.45
    session = GuideSession(image, network, method=method, zoom=24)
    session.add(ON_DIM)
    finish(session)
    assert session.satisfied() == [True]
    assert not session.changed()[:, 28:].any()
    assert not session.changed()[28:].any()
    states = [shown(session)]
    session.add(Click((45, 65), "cell"), Click((0, 79), "background"))
    finish(session)
    assert session.satisfied() == [True] * 3
    states.append(shown(session))
    session.undo()
    assert shown(session) == states[0]
    session.redo()
    assert shown(session) == states[1]


@pytest.mark.parametrize("count", [4, 5])
def test_zoomed_in_values_are_those_of_the_channels_that_are_fed(picture, count):
    network = toys.frozen(toys.DarkAndBright(), preparation=Preparation(channels=1))
    image = np.zeros((64, 80, count), np.float32)
    image[:16, :16, :3] = picture[..., None]
    image[..., 3:] = 5
    found = []
    for pixels, channels in ((image[..., :3], None), (image, (0, 1, 2) if count > 4 else None)):
        session = GuideSession(pixels, network, channel_axis=2, channels=channels, zoom=24)
        session.add(ON_DIM)
        finish(session)
        found.append(session.probabilities())
    np.testing.assert_array_equal(*found)


def test_zoomed_in_it_is_the_whole_image_if_that_is_small(picture, network):
    found = []
    for zoom in (None, 500):
        session = GuideSession(picture, network, zoom=zoom)
        session.add(ON_DIM)
        finish(session)
        session.add(CORNER)
        finish(session)
        assert session.question() is None or session.question().position
        found.append(session.probabilities())
    np.testing.assert_allclose(*found, atol=1e-6)


class TestPixelsThatAreNotSquare:
    """A flat image, so that only places tell its pixels apart."""

    @staticmethod
    def clicked(shape, at, spacing=None) -> GuideSession:
        module = toys.DarkAndBright() if len(shape) == 2 else toys.DarkAndBright3d()
        preparation = Preparation(ndim=len(shape), channels=1, value_range="none")
        network = toys.frozen(module, preparation=preparation)
        session = GuideSession(np.full(shape, 0.2), network, spacing=spacing)
        session.add(Click(at, "cell"))
        finish(session)
        return session

    def test_twice_as_tall_half_as_many_rows_are_reached(self):
        # Six away from the edge, which says how far the click reaches.
        tall = self.clicked((41, 81), (2, 40), (2, 1)).changed()
        below, beside = tall[3:, 40].sum(), tall[2, 41:].sum()
        assert 5 < below < 38
        assert beside in (2 * below, 2 * below + 1)
        # The same in a square of as many rows as columns.
        square = self.clicked((81, 81), (5, 40)).changed()
        assert square[5].sum() == square[6:, 40].sum() * 2 + 1
        assert abs(square[5].sum() - tall[2].sum()) <= 2

    def test_three_axes(self):
        deep = self.clicked((21, 41, 81), (10, 20, 7), (4, 2, 1)).changed()
        planes, rows, columns = (
            deep[11:, 20, 7].sum(),
            deep[10, 21:, 7].sum(),
            deep[10, 20, 8:].sum(),
        )
        assert 3 < planes < 10
        assert rows in (2 * planes, 2 * planes + 1)
        assert columns in (2 * rows, 2 * rows + 1)

    def test_the_network_itself_is_asked_as_ever(self, network, picture):
        tall = GuideSession(picture, network, spacing=(3, 1))
        np.testing.assert_array_equal(tall.predict(), GuideSession(picture, network).predict())

    @pytest.mark.parametrize("zoom", [None, 12])
    @pytest.mark.parametrize("method", GUIDE_METHODS)
    def test_equal_sizes_in_any_unit_are_the_very_same(self, network, picture, method, zoom):
        found = []
        for spacing in (None, (1, 1), (0.4, 0.4)):
            session = GuideSession(picture, network, method=method, zoom=zoom, spacing=spacing)
            session.add(TextHint("find", "cell", ((2, 2),)), ON_DIM)
            finish(session)
            session.add(Scribble((((0, 12), (2, 15)),), "cell", 2.0))
            finish(session)
            asked = [session.question(rule, skip=[(8, 8)]) for rule in QUESTION_NAMES]
            report = session.report()
            found.append((shown(session), asked, report.far_pixels, report.changed_pixels))
        assert found[0] == found[1] == found[2]

    def test_far_is_told_by_sizes(self):
        tall = self.clicked((41, 81), (2, 40), (2, 1))
        rows, columns = np.nonzero(tall.changed())
        away = np.hypot(2.0 * (rows - 2), columns - 40)
        assert 0 < tall.report().far_pixels == (away > 0.1 * 82).sum() < len(away)

    @pytest.mark.parametrize("spacing", [(1,), (1, 0), (1, np.nan), (1, 1, 1)])
    def test_what_is_no_spacing_is_told(self, network, picture, spacing):
        with pytest.raises(InputError, match="2 positive numbers"):
            GuideSession(picture, network, spacing=spacing)


def test_a_zoom_that_shows_nothing_is_told(picture, network):
    with pytest.raises(InputError, match="zoom of 0"):
        GuideSession(picture, network, zoom=0)


def test_what_words_moved_is_told_without_the_clicks(network, picture):
    session = GuideSession(picture, network)
    assert not session.moved_by_words().any()
    session.add(TextHint("find", "cell", ((2, 2),)))
    assert not session.moved_by_words().any()
    finish(session)
    alone = session.moved_by_words()
    own = softmax(np.stack([1 - picture, picture]), 0)[1]
    np.testing.assert_allclose(alone, np.abs(session.probabilities()[1] - own), atol=1e-6)
    assert alone.dtype == np.float32
    assert alone[11:14, 11:14].min() > 0.01
    assert not alone[:8, :8].any()
    session.add(Click((0, 0), "cell"))
    finish(session)
    np.testing.assert_array_equal(session.moved_by_words(), alone)
    session.undo()
    session.undo()
    assert not session.moved_by_words().any()
