"""What a script set for all of torch neither breaks a session nor changes its labels."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from napari_guideme import Click, FrozenNetwork, GuideSession, ObjectSession, VolumeSession
from napari_guideme.guidance.methods import METHODS
from napari_guideme.networks.catalogue import open_network
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.networks.modes import stepwise
from napari_guideme.networks.preparation import Preparation
from tests import toys


@contextmanager
def double():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


MODES = {
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "double": double,
}
PIXELS = np.random.default_rng(0).random((40, 44)).astype(np.float32)
GUIDING = ("residual", "f-brs", "f-brs-a", "guide-me", "brs", "rgb-brs")


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return toys.with_statistics(toys.unet()).eval()


def frozen(module):
    return toys.frozen(module, preparation=Preparation(channels=1, multiple=4))


def corrected(network, method="residual"):
    session = GuideSession(PIXELS, network, method=method)
    before = session.predict()
    session.add(Click((20, 20), network.classes[1 - before[20, 20]]))
    list(session.refine())
    session.question()
    session.report()
    return session.probabilities()


@pytest.mark.parametrize("method", GUIDING)
def test_a_session_is_the_same(mode, method, unet):
    expected = corrected(frozen(unet), method)
    with mode():
        found = corrected(frozen(unet), method)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("method", ["f-brs", "brs"])
def test_a_session_that_was_opened_in_another_mode_goes_on(mode, method, unet):
    expected = corrected(frozen(unet), method)
    with mode():
        session = GuideSession(PIXELS, frozen(unet), method=method)
        before = session.predict()
        session.probabilities()
    session.add(Click((20, 20), session.network.classes[1 - before[20, 20]]))
    list(session.refine())
    np.testing.assert_array_equal(session.probabilities(), expected)


def test_words_are_followed(mode):
    def told():
        session = GuideSession(PIXELS, open_network("nuclei", device="cpu"))
        session.tell("find the nuclei on the left")
        list(session.refine())
        return session.probabilities()

    expected = told()
    with mode():
        np.testing.assert_array_equal(told(), expected)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "saliency-brs"])
def test_so_is_an_object(mode, method):
    maps = InteractionMaps(reach=14, side=64)
    network = toys.frozen(toys.Clicked(), ("background", "object"), interaction=maps)

    def outlined():
        session = ObjectSession(PIXELS, network, method=method)
        session.add(Click((20, 20), "object"), Click((4, 4), "background"))
        list(session.refine())
        return session.probabilities()

    expected = outlined()
    with mode():
        np.testing.assert_array_equal(outlined(), expected)


def test_so_is_what_is_carried(mode, unet):
    def carried():
        session = VolumeSession(np.stack([PIXELS] * 4), frozen(unet))
        session.add(Click((1, 20, 20), "cell"), Click((1, 5, 5), "background"))
        list(session.refine(1))
        list(session.carry("volume"))
        return session.labels()

    expected = carried()
    with mode():
        np.testing.assert_array_equal(carried(), expected)


def test_a_file_is_opened(mode):
    expected = open_network("nuclei", device="cpu").fingerprint
    with mode():
        assert open_network("nuclei", device="cpu").fingerprint == expected


def test_a_module_of_inference_mode_is_guided():
    with torch.inference_mode():
        torch.manual_seed(0)
        module = toys.with_statistics(toys.unet()).eval()
    assert corrected(frozen(module), "f-brs").shape == (2, 40, 44)


@pytest.mark.parametrize("method", ["residual", "f-brs", "guide-me"])
def test_between_steps_the_mode_is_that_of_the_script(method, unet):
    session = GuideSession(PIXELS, frozen(unet), method=method)
    session.add(Click((20, 20), "cell"), Click((4, 4), "background"))
    with torch.no_grad():
        assert not any(torch.is_grad_enabled() for _ in session.refine())
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_a_generator_that_is_dropped_is_closed():
    closed = []

    @stepwise
    def steps():
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    running = steps()
    assert next(running) == 1
    running.close()
    assert closed == [True]


def test_gradients_of_a_tail_are_those_that_were_asked_for(unet):
    network = frozen(unet)
    assert isinstance(network, FrozenNetwork)
    head = network.head(torch.rand(1, 1, 8, 8), network.default_point)
    activation = head.activation.clone().requires_grad_()
    with torch.no_grad():
        assert not network.tail(head, activation).requires_grad
    assert network.tail(head, activation).requires_grad
