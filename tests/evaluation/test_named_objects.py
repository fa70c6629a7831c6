from __future__ import annotations

import json

import numpy as np
import pytest
from imageio import v3 as imageio

from napari_guideme.errors import InputError
from napari_guideme.evaluation.named_objects import open_named_objects


@pytest.fixture
def folder(tmp_path):
    values = np.zeros((20, 20), np.uint8)
    values[0:5, 0:5], values[10:15, 10:15], values[10:15, 0:5] = 3, 3, 4
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
        imageio.imwrite(tmp_path / kind / "a.png", values)
    return tmp_path


def test_classes_become_objects(folder):
    (folder / "classes.txt").write_text("0 background\n3 car\n4 void\n")
    (item,) = open_named_objects(folder)
    assert item.names == {1: "car", 2: "car"}
    assert item.ids[2, 2] != item.ids[12, 12] > 0
    assert item.ids[12, 2] == 0
    assert [thing.id for thing in item.scene.objects] == [1, 2]


def test_classes_can_be_named(folder):
    (item,) = open_named_objects(folder, {4: "tree"})
    assert item.names == {1: "tree"}


def test_ids_have_one_name(folder):
    (item,) = open_named_objects(folder, "nucleus")
    assert [(thing.id, thing.name) for thing in item.scene.objects] == [
        (3, "nucleus"),
        (4, "nucleus"),
    ]


def test_ids_are_named_beside_the_mask(folder):
    (folder / "labels").rename(folder / "masks")
    (folder / "instances").mkdir()
    told = {"instances": {"3": {"name": "cup"}, "4": {"name": "bowl"}}}
    (folder / "instances" / "a.json").write_text(json.dumps(told))
    (item,) = open_named_objects(folder)
    assert item.scene.names == ("bowl", "cup")


def test_objects_without_names_are_refused(folder):
    with pytest.raises(InputError, match=r"nothing names the objects .*--names NAME"):
        open_named_objects(folder)


def test_a_folder_of_another_layout(tmp_path):
    with pytest.raises(InputError, match="must have a folder images, and labels or masks"):
        open_named_objects(tmp_path, "nucleus")
