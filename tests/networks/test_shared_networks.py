"""The three networks beside the repository: each runs as elsewhere, and can be guided."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tifffile
import torch
from imageio import v3 as imageio

from napari_guideme import Click, GuideSession, open_network
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.opening import guess_card

from .files import beside_a_card

VOC = "deeplabv3_mnv2_voc/deeplabv3_mnv2_voc.onnx"
NUCLEI = "zeiss_pgc_nucleus/pgc_nucleus.onnx"
BRAIN = "meshnet_brain_gwm/meshnet_brain_gwm.onnx"

#: The cards in docs/networks.md.
CARDS = {
    VOC: NetworkCard(
        licence="Apache-2.0",
        output="logits",
        preparation={
            "ndim": 2,
            "channels": 3,
            "value_range": "dtype",
            "mean": [0.5],
            "std": [0.5],
            "size": [513, 513],
            "multiple": 16,
            "offset": 1,
        },
    ),
    NUCLEI: NetworkCard(
        licence="BSD-3-Clause",
        classes=("background", "nucleus"),
        output="probabilities",
        channels_last=True,
        preparation={"ndim": 2, "channels": 1, "value_range": "dtype", "size": [1024, 1024]},
    ),
    BRAIN: NetworkCard(
        licence="MIT",
        classes=("background", "white matter", "grey matter"),
        output="logits",
        preparation={
            "ndim": 3,
            "channels": 1,
            "value_range": "percentile",
            "percentiles": [2.0, 98.0],
        },
    ),
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Open a network once, with a card beside it."""
    networks: dict[str, FrozenNetwork] = {}

    def network(file: Path, card: NetworkCard) -> FrozenNetwork:
        if file.name not in networks:
            if not card.classes:
                card = NetworkCard(classes=guess_card(file).classes).completed(card)
            linked = beside_a_card(file, tmp_path_factory.mktemp("network"), card)
            networks[file.name] = open_network(linked, "cpu")
        return networks[file.name]

    return network


def model(shared: Path, name: str) -> Path:
    file = shared / "models" / name
    if not file.is_file():
        pytest.skip(f"{file} is not here")
    return file


def picture(shared: Path, name: str) -> tuple[np.ndarray, int | None]:
    """A real image for a network, and its channel axis."""
    if name == NUCLEI:
        return tifffile.imread(model(shared, NUCLEI).with_name("PGC_20X_crop.tif")), None
    if name == VOC:
        return imageio.imread(shared / "data/objects_coco128/images/000000000036.jpg"), -1
    nibabel = pytest.importorskip("nibabel")
    volume = np.asarray(
        nibabel.load(shared / "data/brain_t1_brainchop/t1_crop.nii.gz").dataobj, dtype=np.uint8
    )
    return volume[64:112, 96:144, 80:144], None


def by_onnxruntime(file: Path, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    # Its fastest kernels are off by 2e-3 in the nuclei network; we agree to 5e-6 with float64.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options)
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.mark.parametrize("name", [VOC, NUCLEI, BRAIN])
def test_it_agrees_with_onnxruntime(shared, opened, name):
    file = model(shared, name)
    network = opened(file, CARDS[name])
    image, channel_axis = picture(shared, name)
    x, _ = network.preparation.prepare(image, channel_axis=channel_axis)
    expected = by_onnxruntime(file, (x.movedim(1, -1) if name == NUCLEI else x).numpy())
    logits, _ = network.observe(x)
    found = logits.exp().movedim(1, -1) if name == NUCLEI else logits
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)


@pytest.mark.parametrize(("name", "least"), [(VOC, 50), (NUCLEI, 80), (BRAIN, 9)])
def test_it_has_real_guide_points(shared, opened, name, least):
    network = opened(model(shared, name), CARDS[name])
    assert len(network.guide_points) >= least
    assert network.default_point != "input"
    assert all(point.tail_share < 1 for point in network.guide_points[1:])
    assert network.feature_points
    strides = {network.guide_point(point).stride for point in network.feature_points}
    assert len(strides) >= (1 if name == BRAIN else 4)


def disputed(labels: np.ndarray) -> tuple[tuple[int, ...], int]:
    """A pixel well inside the smallest class found, and another class for it."""
    from scipy import ndimage

    counts = np.bincount(labels.ravel())
    smallest = min(np.flatnonzero(counts), key=lambda index: counts[index])
    inside = ndimage.distance_transform_edt(labels == smallest)
    pixel = np.unravel_index(inside.argmax(), labels.shape)
    other = next(index for index in np.argsort(-counts) if index != smallest)
    return tuple(int(p) for p in pixel), int(other)


@pytest.mark.parametrize("method", ["residual", "f-brs", "guide-me"])
@pytest.mark.parametrize("name", [VOC, NUCLEI, BRAIN])
def test_a_click_is_satisfied(shared, opened, name, method):
    network = opened(model(shared, name), CARDS[name])
    image, channel_axis = picture(shared, name)
    if name == NUCLEI and method != "residual":
        pytest.skip("takes half a minute; the same code as for the others")
    session = GuideSession(image, network, method=method, channel_axis=channel_axis)
    before = session.predict()
    assert len(np.unique(before)) > 1
    pixel, other = disputed(before)
    session.add(Click(pixel, network.classes[other]))
    for _ in session.refine():
        pass
    assert session.satisfied() == [True]
    assert session.labels()[pixel] == other
    # So deep a click may turn all that it is in, and hardly anything else.
    beside = before != before[pixel]
    assert (session.changed() & beside).sum() < 0.02 * beside.sum()


def test_nuclei_are_found_as_the_origin_says(shared, opened):
    image, _ = picture(shared, NUCLEI)
    session = GuideSession(image, opened(model(shared, NUCLEI), CARDS[NUCLEI]))
    assert (session.predict() == 1).mean() == pytest.approx(0.102, abs=0.001)


def test_without_a_sidecar_the_files_tell_enough(shared):
    voc = guess_card(model(shared, VOC))
    assert voc.classes[:3] == ("background", "aeroplane", "bicycle")
    assert len(voc.classes) == 21
    told = CARDS[VOC].preparation
    assert {k: list(v) if isinstance(v, tuple) else v for k, v in voc.preparation.items()} == told
    brain = guess_card(model(shared, BRAIN))
    assert brain.classes == CARDS[BRAIN].classes
    assert dict(brain.preparation) | {"percentiles": [2.0, 98.0]} == CARDS[BRAIN].preparation
    nuclei = guess_card(model(shared, NUCLEI))
    assert nuclei.channels_last
    assert dict(nuclei.preparation) == {"ndim": 2, "channels": 1, "size": (1024, 1024)}


def test_a_network_leaves_unchanged(shared, opened):
    network = opened(model(shared, VOC), CARDS[VOC])
    before = {k: v.clone() for k, v in network._graph_module.state_dict().items()}
    image, channel_axis = picture(shared, VOC)
    session = GuideSession(image, network, method="f-brs", channel_axis=channel_axis)
    session.add(Click((5, 5), "dog"))
    for _ in session.refine():
        pass
    after = network._graph_module.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert all(p.grad is None for p in network._graph_module.parameters())
