from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_guideme import Click, GuideSession
from napari_guideme.errors import InputError
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.referring.design import OURS
from napari_guideme.referring.equations import upsampled
from napari_guideme.referring.opening import frozen, imagenet_encoder, load, save, steps_of
from napari_guideme.referring.see_through_text import SeeThroughText, pooled
from tests.referring.untrained import SMALL, untrained

SENTENCE = "the larger dog on the left"


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (48, 80, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> FrozenNetwork:
    return frozen(untrained(), SENTENCE, "dog", "cpu")


def test_for_a_sentence_it_maps_images_to_logits(network):
    x = torch.rand(2, 3, 64, 64)
    logits = network.observe(x)[0]
    assert network.classes == ("background", "dog")
    assert logits.shape == (2, 2, 64, 64)
    module = untrained()
    with torch.no_grad():
        heat = module(pooled(imagenet_encoder()(x), SMALL), [SENTENCE] * 2)
    torch.testing.assert_close(logits.softmax(1)[:, 1:], upsampled(heat, x.shape[2:]))


def test_it_is_traced_node_by_node(network):
    assert not network.is_opaque
    names = [point.name for point in network.guide_points]
    assert any(name.startswith("encoder_stages") for name in names)
    assert any(name.startswith("grouping_gru") for name in names)
    assert network.guide_point(network.default_point).channels == SMALL.filters


def test_another_sentence_is_another_network(network):
    assert network.fingerprint == frozen(untrained(), SENTENCE, "dog", "cpu").fingerprint
    other = frozen(untrained(), "the right dog", "dog", "cpu")
    assert other.fingerprint != network.fingerprint


@pytest.mark.parametrize(
    "told", [{"re_attends": False}, {"refining": "1x1"}, {"comparing": "concatenation"}]
)
def test_ablations_are_frozen_too(told):
    network = frozen(untrained(**told), SENTENCE, device="cpu")
    assert not network.is_opaque
    assert network.observe(torch.rand(1, 3, 64, 64))[0].shape == (1, 2, 64, 64)


@pytest.mark.parametrize("method", ["f-brs", "f-brs-a"])
def test_clicks_correct_what_is_picked(network, image, method):
    before = network.fingerprint
    session = GuideSession(
        image, network, channel_axis=-1, method=method, guide_point=network.default_point
    )
    wrong = 1 - int(session.labels()[10, 60])
    session.add(Click((10, 60), network.classes[wrong]))
    for _ in session.refine():
        pass
    assert session.labels()[10, 60] == wrong
    network.__dict__.pop("fingerprint")
    assert network.fingerprint == before


def test_every_step_can_be_looked_at(network, image):
    done = []
    found = steps_of(
        untrained(), SENTENCE, image, -1, progress=lambda step, total: done.append((step, total))
    )
    assert found.words == ("the", "larger", "dog", "on", "the", "left")
    assert done == [(step, 10) for step in range(1, 11)]
    assert found.heats.shape == found.refined.shape == (10, 48, 80)
    assert found.attention.shape == (10, 6)
    assert -1 <= found.attention.min() < found.attention.max() <= 1
    module = untrained()
    read = module.reader([SENTENCE])
    cosine = torch.cosine_similarity(read.last, read.hidden[0])
    np.testing.assert_allclose(found.attention[0], cosine.detach(), rtol=1e-5)
    assert (np.ptp(found.refined[-1]), np.ptp(found.heats[-1])) > (0, 0)


def test_the_last_step_is_what_the_network_says(network):
    square = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    last = steps_of(untrained(), SENTENCE, square, -1).refined[-1]
    x, _ = network.preparation.prepare(square, channel_axis=-1)
    np.testing.assert_allclose(last, network.observe(x)[0].softmax(1)[0, 1], atol=1e-5)


def test_what_was_learned_is_written_and_read(tmp_path):
    path, network = tmp_path / "small.safetensors", untrained(folds=3, refining="1x1")
    save(network, path)
    with safe_open(path, framework="pt") as file:
        kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
        assert not any("encoder" in name for name in file.keys())  # noqa: SIM118
    assert kinds == {torch.float16}
    again = load(path)
    assert again.design == network.design
    assert again.reader.known == network.reader.known
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value, network.state_dict()[name].half().float())


def test_ours_is_small(tmp_path):
    words = [f"word{index}" for index in range(1000)]
    save(SeeThroughText(words, torch.zeros(1000, OURS.dimensions), OURS), tmp_path / "ours")
    assert (tmp_path / "ours").stat().st_size < 12_000_000


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "small.safetensors"
    with pytest.raises(InputError, match=r"there is no file .*small\.safetensors"):
        load(path)
    path.write_bytes(b"no weights")
    with pytest.raises(InputError, match="holds no See-through-Text"):
        load(path)
    save(untrained(), path)
    state = load_file(path)
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["see_through_text"])
    for spoilt in (
        {},
        about | {"words": ["one"]},
        about | {"design": about["design"] | {"hidden": 4}},
        about | {"design": about["design"] | {"folds": 10**9}},
        about | {"design": about["design"] | {"colour": "red"}},
    ):
        save_file(state, path, {"see_through_text": json.dumps(spoilt)})
        with pytest.raises(InputError):
            load(path)


def test_a_sentence_without_words_is_refused(image):
    with pytest.raises(InputError, match="has no word"):
        frozen(untrained(), "?", device="cpu")
    with pytest.raises(InputError, match="has no word"):
        steps_of(untrained(), "?", image, -1)
