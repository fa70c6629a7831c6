"""Networks that never saw a click obey them: interaction maps enter at their first convolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_guideme.files import read_image
from napari_guideme.guidance.methods import maps_offset
from napari_guideme.guidance.scene import Scene
from napari_guideme.hints import Click
from napari_guideme.networks.catalogue import open_network
from napari_guideme.session import GuideSession

NETWORKS = {
    "photographs": "deeplabv3_mnv2_voc/deeplabv3_mnv2_voc.onnx",
    "brain": "meshnet_brain_gwm/meshnet_brain_gwm.onnx",
}


def image_for(shared: Path, name: str):
    """A small picture that each network is for, and its channel axis."""
    if name == "photographs":
        pixels, axis = read_image(shared / "data/objects_coco128/images/000000000061.jpg")
        return pixels[::2, ::2], axis
    nibabel = pytest.importorskip("nibabel")
    volume = np.asarray(nibabel.load(shared / "data/brain_t1_brainchop/t1_crop.nii.gz").dataobj)
    middle = tuple(slice(n // 2 - 12, n // 2 + 12) for n in volume.shape)
    return volume[middle].astype(np.float32), None


@pytest.fixture(params=NETWORKS)
def converted(request, shared):
    network = open_network(shared / "models" / NETWORKS[request.param], "cpu")
    return network, *image_for(shared, request.param)


def test_without_hints_the_output_is_unchanged_to_the_bit(converted):
    network, image, axis = converted
    scene = Scene(network, image, channel_axis=axis)
    point, maps = maps_offset(scene)
    entered = scene.at(point)
    zero = maps.initial(network.device)
    assert zero.shape[1] == len(network.classes)
    moved = entered.guided(maps.apply(entered.head.activation, zero))
    assert torch.equal(moved, scene.logits)


def test_brs_makes_it_obey(converted):
    network, image, axis = converted
    session = GuideSession(image, network, method="brs", channel_axis=axis)
    labels = session.predict()
    middle = tuple(n // 2 for n in labels.shape)
    other = network.classes[(int(labels[middle]) + 1) % len(network.classes)]
    corner = tuple(0 for _ in labels.shape)
    session.add(Click(middle, other), Click(corner, network.classes[int(labels[corner])]))
    for _ in session.refine():
        pass
    assert session.satisfied() == [True, True]
    found = session._state.guidance
    assert found.values is not None
    assert found.values.any()
    if len(session.shape) == 2:
        assert found.support is None, "met by the maps alone, the residual had nothing to complete"
