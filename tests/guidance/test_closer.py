"""A network that sees every image at one size finds more in windows of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_guideme import Click, GuideSession
from napari_guideme.guidance import closer
from napari_guideme.guidance.closer import look_of, part_at, reconsidered
from napari_guideme.guidance.kernel import Kernel
from napari_guideme.guidance.methods import METHODS, Method
from napari_guideme.guidance.refining import refine
from napari_guideme.guidance.scene import Scene
from napari_guideme.hints import Hints
from napari_guideme.networks import cancelling
from napari_guideme.networks.preparation import Preparation
from tests import toys

SMALL = Preparation(channels=1, value_range="none", size=(8, 8))

#: A bright line as wide as a pixel, which is grey where the image is shrunk to a half.
LINE = np.zeros((16, 16), dtype=np.float32)
LINE[3:10, 5] = 1


class Sure(toys.DarkAndBright):
    """Is sure of what it sees."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 20 * super().forward(x)


#: Reaches a fifth of a pixel: what follows a click beyond its own pixel was seen.
SHORT = Kernel(1.0, 0.0125, growth=0, curvature=0, lead=1, lead_growth=0, outer=1.0)


def network(preparation: Preparation = SMALL):
    """Calls bright what is brighter than one half."""
    return toys.frozen(Sure(), preparation=preparation)


def image_with_two_lines() -> np.ndarray:
    image = LINE.copy()
    image[4:9, 8] = 1
    return image


def test_what_the_whole_image_hides_is_seen_at_a_click():
    scene = Scene(network(), LINE)
    assert (scene.logits.argmax(0) == 0).all()
    look = look_of(scene)
    assert look is not None
    seen = look(torch.tensor([6, 5]), 1)
    assert seen.here[4:9, 5].all()
    assert not seen.here[:, :4].any()
    assert not seen.here[:, 8:].any()


def test_of_a_click_beside_it_nothing_is_seen():
    look = look_of(Scene(network(), LINE))
    assert look is not None
    assert not look(torch.tensor([6, 12]), 1).here.any()


def test_likely_is_the_mean_probability_over_all_views_of_a_pixel():
    scene = Scene(network(), LINE)
    look = look_of(scene)
    assert look is not None
    likely = look(torch.tensor([0, 0]), 1).likely
    whole = scene.logits.softmax(0)[1]
    # Both windows begin at the corner and are 11 and 8 pixels long.
    assert torch.equal(likely[11:], whole[11:])
    wide = Scene(network(), LINE[:11, :11]).logits.softmax(0)[1]
    near = Scene(network(), LINE[:8, :8]).logits.softmax(0)[1]
    assert likely[9, 9] == pytest.approx(float(whole[9, 9] + wide[9, 9]) / 2)
    assert likely[5, 5] == pytest.approx(float(whole[5, 5] + wide[5, 5] + near[5, 5]) / 3)


def test_an_image_is_reconsidered_in_windows_that_cover_it():
    scene = Scene(network(), LINE)
    again = reconsidered(scene)
    assert again is not None
    corner = Scene(network(), LINE[:10, :10]).logits.log_softmax(0)
    # Only the window of its corner holds the first pixel.
    expected = (scene.logits.log_softmax(0)[:, 0, 0] + corner[:, 0, 0]) / 2
    assert torch.allclose(again[:, 0, 0], expected)
    assert again[1, 6, 5] > scene.logits.log_softmax(0)[1, 6, 5]


@pytest.mark.parametrize("shape", [(1, 9), (3, 20), (2, 2)])
def test_images_of_odd_shapes_are_seen(shape):
    scene = Scene(network(), np.zeros(shape, dtype=np.float32))
    look, again = look_of(scene), reconsidered(scene)
    assert look is not None
    assert look(torch.tensor([0, shape[1] - 1]), 1).likely.shape == shape
    assert again is not None
    assert again.isfinite().all()


def test_networks_that_would_not_see_more_do_not_look():
    own_size = Scene(network(Preparation(channels=1, value_range="none")), LINE)
    clicked = Scene(toys.click_network(), np.zeros((16, 16, 3), np.float32), channel_axis=2)
    told = Scene(network(), LINE).shifted(torch.zeros(2, 16, 16))
    for scene in (own_size, clicked, told):
        assert look_of(scene) is None
        assert reconsidered(scene) is None


def test_looking_can_be_cancelled(monkeypatch):
    def stop() -> None:
        raise cancelling.Cancelled

    scene = Scene(network(), LINE)
    monkeypatch.setattr(closer.cancelling, "check", stop)
    with pytest.raises(cancelling.Cancelled):
        reconsidered(scene)


def test_a_part_is_what_holds_the_pixel():
    mask = torch.tensor([[1, 1, 0, 1], [0, 0, 0, 1]], dtype=torch.bool)
    assert part_at(mask, (0, 0)).tolist() == [[True, True, False, False], [False] * 4]
    assert not part_at(mask, (1, 1)).any()


class TestClicks:
    def labels(self, *clicks: Click, kernel: Kernel = SHORT) -> np.ndarray:
        scene = Scene(network(), LINE)
        pixels = Hints(clicks).pixels(scene.shape, toys.CLASSES)
        *_, last = refine(scene, pixels, Method("short", None, kernel=kernel))
        return last.logits.argmax(0).numpy()

    def test_what_is_seen_follows_the_click(self):
        click = Click((6, 5), "cell")
        assert self.labels(click)[5:9, 5].all()
        assert self.labels(click, kernel=replace(SHORT, likely=2.0)).sum() == 1

    def test_a_click_on_the_background_means_no_thing(self):
        scene = Scene(network(Preparation(channels=1, value_range="none", size=(16, 16))), LINE)
        pixels = Hints((Click((6, 5), "background"),)).pixels(scene.shape, toys.CLASSES)
        *_, last = refine(scene, pixels, Method("short", None, kernel=replace(SHORT, middle=2.0)))
        assert last.logits.argmax(0).sum() == 6

    def test_no_part_of_which_an_earlier_hint_said_otherwise(self):
        free = self.labels(Click((6, 5), "cell"))
        denied = self.labels(Click((8, 5), "background"), Click((5, 5), "cell"))
        assert free[6:9, 5].all()
        assert not denied[6:9, 5].any()
        assert denied[5, 5] == 1

    def test_methods_that_only_meet_hints_do_not_look(self):
        assert not METHODS["brs"].kernel.looks_closer
        assert METHODS["residual"].kernel.looks_closer
        assert not Kernel(likely=1.5).looks_closer

    def test_undo_takes_all_of_it_back(self):
        session = GuideSession(LINE, network())
        before = session.labels()
        session.add(Click((6, 5), "cell"))
        for _ in session.refine():
            pass
        after = session.labels()
        session.undo()
        assert (session.labels() == before).all()
        session.redo()
        assert (session.labels() == after).all()


class TestQuestions:
    def test_what_is_seen_on_looking_closer_is_asked_for(self):
        image = image_with_two_lines()
        question = GuideSession(image, network()).question()
        assert question is not None
        assert image[question.position] == 1
        assert question.classes[0] == "cell"

    def test_the_rule_of_the_paper_asks_the_network_as_it_is(self):
        session = GuideSession(image_with_two_lines(), network())
        question = session.question("margin")
        lead = np.abs(np.subtract(*session.probabilities()))
        assert question is not None
        assert lead[question.position] == lead.min()

    def test_memory_is_given_back(self):
        session = GuideSession(LINE, network())
        first = session.question()
        session.forget()
        assert "_second_thoughts" not in session.__dict__
        assert session.question() == first
