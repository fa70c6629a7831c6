"""The bundled networks on a GPU: the same labels as on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut, immunohistochemistry

from napari_guideme import Click, GuideSession, open_network
from napari_guideme.object_session import ObjectSession
from napari_guideme.referring.following import follow
from napari_guideme.referring.opening import open_referring


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["residual", "guide-me", "f-brs"])
def test_clicks_on_nuclei(cuda, method):
    def labels(device):
        session = GuideSession(
            immunohistochemistry()[:256, :256],
            open_network("nuclei", device),
            method=method,
            channel_axis=-1,
        )
        session.add(Click((60, 60), "background"))
        for _ in session.refine():
            pass
        return session.labels()

    assert (labels(cuda) == labels("cpu")).mean() > 0.99


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["none", "f-brs-b", "brs", "rgb-brs"])
def test_clicks_on_an_object(cuda, method):
    def labels(device):
        session = ObjectSession(
            astronaut(), open_network("click", device), method=method, channel_axis=-1
        )
        for at, name in (((100, 220), "object"), ((400, 150), "object"), ((80, 400), "background")):
            session.add(Click(at, name))
            for _ in session.refine():
                pass
        return session.labels()

    assert (labels(cuda) == labels("cpu")).mean() > 0.99


@pytest.mark.gpu
def test_refusing_the_middle_of_an_object(cuda):
    session = ObjectSession(astronaut(), open_network("click", cuda), channel_axis=-1)
    for at, name in (((100, 220), "object"), ((300, 220), "background")):
        session.add(Click(at, name))
        for _ in session.refine():
            pass
    assert session.satisfied() == [True, True]


@pytest.mark.gpu
def test_a_sentence(cuda):
    def likelihood(device):
        network = open_referring(device=device)
        cells = immunohistochemistry()[:256, :256]
        return follow("the largest nucleus", cells, network, channel_axis=-1).likelihood

    np.testing.assert_allclose(likelihood(cuda), likelihood("cpu"), atol=0.01)
