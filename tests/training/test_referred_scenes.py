from __future__ import annotations

import runpy
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from napari_guideme.evaluation.named_objects import open_named_objects
from napari_guideme.referring.checking import find_referred
from napari_guideme.referring.expression_files import read_expressions

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


def test_scenes_are_written_as_a_folder_to_train_and_evaluate_on(
    scenes, shared, tmp_path, monkeypatch
):
    words = [shared / "data/objects_coco128", "--out", tmp_path / "some", "--part", "test"]
    words += ["--windows", "3", "--composed", "3", "--side", "128", "--most", "2"]
    monkeypatch.setattr(sys, "argv", ["referred_scenes.py", *map(str, words)])
    runpy.run_path(f"{TRAINING}/referred_scenes.py", run_name="__main__")
    said = read_expressions(tmp_path / "some/expressions.jsonl")
    items = {item.name: item for item in open_named_objects(tmp_path / "some")}
    assert said.keys() == items.keys()
    assert len(said) >= 3
    for stem, told in said.items():
        item = items[stem]
        assert item.image.shape == (128, 128, 3)
        for one in told:
            assert find_referred(one.sentence, item.scene) == one.object_id
