from __future__ import annotations

import json

import pytest

from napari_guideme.localize.kinds import read_kinds
from napari_guideme.localize.known_labels import KnownLabels
from tests.localize import toys


def test_labels_below_something():
    known = toys.labels()
    assert known.below("feline") == {2: 1, 0: 2, 1: 2}
    assert list(known.below("feline")) == [2, 0, 1]
    assert known.below("kitten") == {}
    assert known.called("Tabby-Cat") == [0]


def test_labels_are_placed_by_their_names():
    known = KnownLabels.of(["tabby, my own cat", "mitochondrion-like thing"], (), read_kinds())
    assert known.ids == ("n02123045", None)
    assert known.names[0] == ("tabby", "my own cat", "tabby cat")
    assert known.title(1) == "mitochondrion-like thing"


def test_ids_count_more_than_names():
    known = KnownLabels.of(["spider"], ["n02123045"])
    assert known.ids == ("n02123045",)
    assert "tabby" in known.names[0]


def test_a_label_of_several_senses_is_that_of_imagenet():
    assert KnownLabels.of(["mouse"]).ids == ("n03793489",)


@pytest.mark.parametrize("with_ids", [True, False])
def test_the_names_of_torchvision_are_placed(shared, with_ids):
    folder = shared / "models/imagenet_classes"
    labels = json.loads((folder / "torchvision_categories.json").read_text())
    ids = (folder / "imagenet_synsets.txt").read_text().split()
    known = KnownLabels.of(labels, ids if with_ids else ())
    wrong = [label for label, a, b in zip(labels, known.ids, ids, strict=True) if a != b]
    assert wrong == []
