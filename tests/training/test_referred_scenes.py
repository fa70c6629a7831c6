from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from napari_guideme.evaluation.named_objects import open_named_objects

TRAINING = str(Path(__file__).parents[2] / "training")


@pytest.fixture
def scenes(monkeypatch):
    monkeypatch.syspath_prepend(TRAINING)
    import referred_scenes

    yield referred_scenes
    for name in ("referred_scenes", "objects", "crops"):
        sys.modules.pop(name, None)


def test_windows_show_few_nuclei(scenes, shared):
    items = open_named_objects(shared / "data/nuclei_dsb2018", "nucleus", limit=6)
    random, few = np.random.default_rng(0), 0
    for item in items:
        scene = scenes.windowed(scenes.NamedPicture.of(item), 96, random)
        assert scene.image.shape == (3, 96, 96)
        assert set(np.unique(scene.ids)) - {0} == set(scene.names)
        few += 2 <= len(scene.names) <= 9
    assert few >= 5


def test_pasted_objects_lie_where_their_ids_do(scenes, shared):
    items = open_named_objects(shared / "data/objects_coco128", limit=8)
    pictures = [scenes.NamedPicture.of(item) for item in items]
    random, alike = np.random.default_rng(0), 0
    for _ in range(10):
        scene = scenes.composed(pictures, 128, random, (2, 4))
        assert 0 <= scene.image.min() <= scene.image.max() <= 1
        assert set(np.unique(scene.ids)) - {0} <= set(scene.names)
        alike += max(Counter(scene.names.values()).values()) > 1
    assert alike >= 5


def test_most_of_every_object_stays_in_sight(scenes, shared):
    items = open_named_objects(shared / "data/objects_coco128", limit=8)
    pictures = [scenes.NamedPicture.of(item) for item in items]
    pasted = 0
    for seed in range(8):
        before, after = (
            scenes.composed(pictures, 128, np.random.default_rng(seed), (n, n)) for n in (0, 4)
        )
        for i in before.names:
            assert (after.ids == i).sum() >= 0.6 * (before.ids == i).sum() > 0
        pasted += len(after.names) - len(before.names)
    assert pasted > 8
