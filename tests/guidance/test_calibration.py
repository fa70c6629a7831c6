from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from skimage.data import immunohistochemistry

from napari_guideme import Click, GuideSession, open_network
from napari_guideme.guidance.calibration import (
    Trial,
    best,
    calibrate,
    candidates,
    remember,
    remembered,
)
from napari_guideme.guidance.scene import Scene
from napari_guideme.networks.frozen import FrozenNetwork
from tests import toys
from tests.untouched import untouched


@pytest.fixture
def cells() -> np.ndarray:
    """Soft bright discs on 64 x 64 pixels."""
    rows, columns = np.mgrid[:64, :64]
    image = np.zeros((64, 64), dtype=np.float32)
    for row, column in ((16, 16), (16, 48), (44, 30)):
        image += np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 60)
    return image


@pytest.fixture
def module() -> toys.Chain:
    """Finds bright pixels at half resolution."""
    module = toys.Chain()
    with torch.no_grad():
        for layer in (module.fine, module.coarse):
            layer.weight.fill_(1 / layer.weight[0].numel())
            layer.bias.zero_()
        module.classifier.weight.copy_(torch.tensor([[-1.0] * 4, [1.0] * 4]).view(2, 4, 1, 1))
        module.classifier.bias.copy_(torch.tensor([1.0, -1.0]))
    return module


@pytest.fixture
def network(module) -> FrozenNetwork:
    """Nobody says where to guide it."""
    return toys.frozen(module)


def test_every_candidate_is_tried_once(network, cells):
    trials = list(calibrate(Scene(network, cells)))
    assert [trial.point for trial in trials] == candidates(network)
    assert [trial.index for trial in trials] == list(range(1, len(trials) + 1))
    assert {trial.total for trial in trials} == {len(trials)}
    assert all(trial.restored <= 1 for trial in trials)


def test_it_measures_the_same_every_time(network, cells):
    first, second = (list(calibrate(Scene(network, cells))) for _ in range(2))
    assert first == second


def test_nothing_is_tried_where_noise_changes_nothing(network):
    assert not list(calibrate(Scene(network, np.zeros((32, 32), np.float32))))


def test_the_best_restores_most_and_the_later_of_equals_is_cheaper():
    trials = [Trial(1, 3, "a", 0.2), Trial(2, 3, "b", 0.5), Trial(3, 3, "c", 0.5)]
    assert best(trials) == "c"
    assert best([]) is None


def test_it_is_remembered_for_this_very_network(network):
    point = candidates(network)[0]
    assert remembered(network) is None
    remember(network, [Trial(1, 1, point, 0.5)])
    assert remembered(network) == point
    torch.manual_seed(1)
    assert remembered(toys.frozen(toys.Chain())) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"guide_point": 3}', '{"guide_point": "gone"}'])
def test_a_broken_memory_is_no_memory(network, cache, text):
    remember(network, [Trial(1, 1, candidates(network)[0], 0.5)])
    (file,) = cache.rglob("*.json")
    file.write_text(text)
    assert remembered(network) is None


def test_a_memory_that_cannot_be_written_is_no_error(network, cache, caplog):
    (cache / "napari-guideme").write_text("in the way")
    remember(network, [Trial(1, 1, candidates(network)[0], 0.5)])
    assert "was not kept" in caplog.text


class TestInASession:
    def refined(self, session: GuideSession) -> list[int]:
        session.add(Click((16, 30), "cell"))
        return [step.index for step in session.refine()]

    def test_the_first_refinement_that_guides_measures_and_keeps(
        self, network, module, cells, cache
    ):
        session = GuideSession(cells, network, method="f-brs")
        with untouched(module):
            steps = self.refined(session)
        (file,) = cache.rglob("*.json")
        told = json.loads(file.read_text())
        assert set(told["restored"]) == set(candidates(network))
        assert told["guide_point"] == session.guide_point
        assert len(steps) > len(candidates(network))
        assert session.satisfied() == [True]

    def test_another_session_does_not_measure_again(self, network, cells, cache):
        point = candidates(network)[0]
        remember(network, [Trial(1, 1, point, 0.5)])
        session = GuideSession(cells, network, method="f-brs")
        self.refined(session)
        assert session.guide_point == point

    @pytest.mark.parametrize("options", [{"method": "residual"}, {"guide_point": "relu"}])
    def test_nothing_is_measured_without_need(self, network, cells, cache, options):
        self.refined(GuideSession(cells, network, **{"method": "f-brs", **options}))
        assert not list(cache.rglob("*.json"))

    def test_a_point_on_the_card_is_taken(self, cells, cache):
        network = toys.frozen(toys.Chain(), guide_point="relu")
        session = GuideSession(cells, network, method="f-brs")
        self.refined(session)
        assert session.guide_point == "relu"
        assert not list(cache.rglob("*.json"))

    def test_undo_goes_back_to_before_it_was_measured(self, network, cells):
        session = GuideSession(cells, network)
        self.refined(session)
        before = session.probabilities()
        session.method = "f-brs"
        list(session.refine())
        session.undo()
        list(session.refine())
        np.testing.assert_array_equal(session.probabilities(), before)

    def test_dropped_half_way_it_measures_again(self, network, cells, cache):
        session = GuideSession(cells, network, method="f-brs")
        session.add(Click((16, 30), "cell"))
        next(session.refine())
        assert not list(cache.rglob("*.json"))
        list(session.refine())
        assert list(cache.rglob("*.json"))


def test_guiding_a_real_network_restores_something():
    network = open_network("nuclei", "cpu")
    trials = list(calibrate(Scene(network, immunohistochemistry()[:128, :128], channel_axis=2)))
    assert 0 < max(trial.restored for trial in trials) <= 1
