"""The decoder of the class-agnostic network learns from two photographs of scikit-image."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import skimage.data
from safetensors.torch import load_file

from napari_guideme.errors import InputError
from napari_guideme.localize.attention import open_attention

TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(TRAINING))
    try:
        import attention

        yield attention
    finally:
        sys.path.remove(str(TRAINING))


@pytest.fixture(scope="module")
def objects(tmp_path_factory) -> Path:
    """A cat in one photograph, a cup in the other, roughly outlined."""
    folder = tmp_path_factory.mktemp("objects")
    for part in ("images", "masks", "instances"):
        (folder / part).mkdir()
    for name, image, where in (
        ("cat", skimage.data.chelsea(), np.s_[20:280, 60:380]),
        ("cup", skimage.data.coffee(), np.s_[30:280, 150:400]),
    ):
        ids = np.zeros(image.shape[:2], np.uint8)
        ids[where] = 1
        imageio.imwrite(folder / "images" / f"{name}.png", image)
        imageio.imwrite(folder / "masks" / f"{name}.png", ids)
        told = {"instances": {"1": {"name": name}}}
        (folder / "instances" / f"{name}.json").write_text(json.dumps(told))
    return folder


@pytest.fixture(scope="module")
def seen(script, objects, tmp_path_factory):
    """Both photographs, whole and mirrored; looked at once, then read."""
    cache = tmp_path_factory.mktemp("cache") / "views.pt"
    eye = script.Eye()
    first = script.looked(objects, cache, eye)
    again = script.looked(objects, cache, eye)
    assert [view.stand_ins for view in first] == [view.stand_ins for view in again]
    return again


def test_what_is_seen_of_a_photograph(seen, script):
    assert [view.stem for view in seen] == ["cat"] * 8 + ["cup"] * 8
    whole = seen[0]
    assert [a.shape[1] for a in whole.activations] == [48, 24, 12]
    assert whole.masks["cat"].shape == (48, 48)
    assert 281 in whole.stand_ins["cat"].positive  # Tabby, as ImageNet counts.
    own = script.Eye().map_of(whole.wide, whole.stand_ins["cat"].positive)
    assert own.shape == (12, 12)
    assert 0 <= own.min() < own.max() <= 1


def test_what_is_kept_out_is_never_learned_from(seen, script):
    lessons = script.Lessons(seen, frozenset({"cup"}), "proxies+distractors", script.Eye())
    _, maps, truth = next(lessons.batches(0))
    assert truth.shape == (script.BATCH, 1, 48, 48)
    assert maps.shape == (script.BATCH, 2, 384, 384)
    cats = {float(view.masks["cat"].float().mean()) for view in seen[:8]}
    assert {float(mask.mean()) for mask in truth} <= cats


@pytest.mark.parametrize(
    ("maps", "told"),
    [
        ("none", (False, False)),
        ("random", (True, False)),
        ("proxies", (True, False)),
        ("proxies+random", (True, True)),
        ("proxies+distractors", (True, True)),
    ],
)
def test_the_kinds_of_maps_of_table_3(maps, told, seen, script):
    lessons = script.Lessons(seen, frozenset(), maps, script.Eye())
    _, drawn, _ = next(lessons.batches(0))
    assert tuple(bool(side.any()) for side in drawn.unbind(1)) == told


def test_learning_lowers_the_loss_goes_on_and_opens(seen, script, tmp_path):
    eye = script.Eye()
    lessons = script.Lessons(seen, frozenset(), "proxies+distractors", eye)
    weights = tmp_path / "decoder.safetensors"
    batch = next(lessons.batches(99))
    before = float(script.loss(script.Decoder().eval(), *batch).detach())
    script.learn(lessons, weights, steps=12, seed=0, rate=5e-3)
    network = open_attention("cat", "cpu", weights)
    assert network.classes == ("background", "cat")
    decoder = script.Decoder()
    decoder.load_state_dict({k: v.float() for k, v in load_file(weights).items()})
    assert float(script.loss(decoder.eval(), *batch).detach()) < before
    with pytest.raises(InputError, match="was started for 12 steps, not 13"):
        script.learn(lessons, weights, steps=13, seed=0)
    other = replace(lessons, maps="none", without=frozenset({"cup"}))
    with pytest.raises(InputError, match="started with other --maps, --without;"):
        script.learn(other, weights, steps=12, seed=0, rate=5e-3)
