from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.language.vocabulary import WordVectors
from napari_guideme.language.wordnet import find_wordnet
from napari_guideme.localize.kinds import read_kinds
from napari_guideme.localize.known_labels import KnownLabels
from napari_guideme.localize.proxies import candidates, related, stand_ins
from tests.language.conftest import no_wordnet, wordnet  # noqa: F401
from tests.localize import toys

VOC = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]
#: Of COCO's classes, those that no label of ImageNet stands in for.
NONE_IN_COCO = {"fire hydrant", "carrot", "cake", "sink"}


def titles(name, known):
    return {known.title(label) for label in candidates(name, known)}


def own(name, how="relation"):
    found = related(name, toys.labels())
    return found.relation, [[toys.LABELS[label] for label in sense] for sense in found.senses]


@pytest.mark.parametrize(
    ("name", "relation", "senses"),
    [
        ("cat", "kinds", [["tabby", "persian"]]),
        ("tabby", "kinds", [["tabby"]]),
        ("felines", "kinds", [["cheetah", "tabby", "persian"]]),
        ("crane", "kinds", [["crane machine"], ["crane bird"]]),
        ("train", "kinds", [["locomotive"]]),
        ("kitten", "general", [["tabby"]]),
        ("toilet", "words", [["seat"]]),
        ("handbag", "synonyms", [["purse"]]),
        ("bird", "kinds", [["crane bird"]]),
        ("thing", "", []),
        ("cell", "", []),
    ],
)
def test_the_first_relation_that_any_label_has_counts(name, relation, senses):
    assert own(name) == (relation, senses)


def test_siblings_have_something_narrow_in_common():
    world = toys.kinds()
    only = ("cheetah", "locomotive")
    known = KnownLabels(tuple(world[id].names for id in only), only, world)
    assert related("tabby", known).relation == "siblings"
    assert candidates("tabby", known) == (0,)
    assert candidates("handbag", known) == ()


def test_the_image_tells_which_sense_is_meant():
    known = toys.labels()
    probabilities = np.full(len(known), 0.01)
    bird, machine = toys.LABELS.index("crane bird"), toys.LABELS.index("crane machine")
    probabilities[bird] = 0.5
    assert stand_ins("crane", known, probabilities).positive == (bird,)
    probabilities[machine] = 0.6
    found = stand_ins("crane", known, probabilities)
    assert found.positive == (machine,)
    assert bird not in found.negative


def test_the_likeliest_stand_in_and_the_likeliest_others_distract():
    probabilities = np.array([0.1, 0.2, 0.3, 0.05, 0.04, 0.03, 0.02, 0.01, 0.2, 0.05])
    known = toys.labels()
    found = stand_ins("cat", known, probabilities, most=1)
    assert found.positive == (1,)
    # Neither the tabby, which is a cat, nor the cat carrier, which says so.
    assert found.negative == (2,)
    assert stand_ins("cat", known, probabilities, most=3).positive == (1, 0)
    assert stand_ins("cat", known, probabilities, most=3).negative == (2, 3, 9)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tabbi", "'tabbi' is not known; known and near: tabby"),
        ("", "'' is not known"),
        ("thing", "can be anything"),
        ("cell", "no label of the classifier stands in for 'cell'"),
    ],
)
def test_what_has_no_stand_in_is_told(name, said):
    with pytest.raises(InputError, match=said) as told:
        stand_ins(name, toys.labels(), np.ones(10) / 10)
    assert "\n" not in str(told.value)


def test_probabilities_must_be_of_the_labels():
    with pytest.raises(InputError, match="10 labels but probabilities of shape"):
        stand_ins("cat", toys.labels(), np.ones(3))


def test_an_unknown_way_is_refused():
    with pytest.raises(InputError, match="choose wordnet or vectors"):
        candidates("cat", toys.labels(), "guess")  # type: ignore[arg-type]


def test_by_vectors_the_largest_cosine_counts():
    words = {"cat": 0, "tabby": 1, "persian": 2, "cheetah": 3, "carrier": 4, "toilet": 5, "seat": 6}
    angles = np.deg2rad([0, 10, 40, 20, 90, 120, 150])
    vectors = WordVectors(words, np.stack([np.cos(angles), np.sin(angles)], axis=1))
    found = candidates("cat", toys.labels(), "vectors", vectors)
    # "tabby cat" is at 5 degrees, "Persian cat" at 20 as "cheetah" is, "cat carrier" at 45.
    assert [toys.LABELS[i] for i in found] == ["tabby", "persian", "cheetah", "carrier", "seat"]
    with pytest.raises(InputError, match="'unicorn' is not among the word vectors"):
        candidates("unicorn", toys.labels(), "vectors", vectors)
    with pytest.raises(InputError, match="need a file"):
        candidates("cat", toys.labels(), "vectors")


@pytest.mark.parametrize("name", VOC)
def test_every_class_of_voc_has_stand_ins_without_wordnet(name):
    assert related(name, KnownLabels.imagenet()).relation == "kinds"


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("motorbike", {"moped", "motor scooter"}),
        ("couch", {"studio couch"}),
        ("tvmonitor", {"television", "monitor", "screen"}),
        ("tv", {"television"}),
        ("potted plant", {"pot"}),
        ("cow", {"ox"}),
        ("train", {"bullet train", "steam locomotive", "passenger car"}),
        ("cell phone", {"cellular telephone"}),
        ("person", {"ballplayer", "groom", "scuba diver"}),
        ("mouse", {"mouse"}),
        ("sports ball", {"soccer ball", "tennis ball"}),
        ("stop sign", {"street sign"}),
        ("tennis racket", {"racket"}),
    ],
)
def test_what_stands_in(name, some):
    assert some <= titles(name, KnownLabels.imagenet())


def test_other_senses_stand_in_for_nothing():
    known = KnownLabels.imagenet()
    assert "plane" not in titles("aeroplane", known)
    assert "Komodo dragon" not in titles("tv monitor", known)
    assert "lion" not in titles("cat", known)
    assert not titles("chair", known) & {"groom", "ballplayer"}
    assert candidates("cell", known) == ()
    assert candidates("red blood cell", known) == ()
    assert candidates("cells", known) == ()


def test_wordnet_changes_no_answer_for_common_names(shared, wordnet):  # noqa: F811
    alone = KnownLabels.imagenet()
    helped = KnownLabels.imagenet(read_kinds(find_wordnet()))
    listed = (shared / "data/objects_coco128/classes.txt").read_text().splitlines()[1:]
    coco = [line.split(" ", 1)[1] for line in listed]
    assert len(coco) == 80
    for name in (*VOC, *coco):
        assert candidates(name, alone) == candidates(name, helped), name
    assert {name for name in coco if not candidates(name, alone)} == NONE_IN_COCO


def test_rare_words_need_wordnet(wordnet):  # noqa: F811
    with pytest.raises(InputError, match="fetch-wordnet"):
        candidates("bicyclist", KnownLabels.imagenet())
    helped = KnownLabels.imagenet(read_kinds(find_wordnet()))
    assert candidates("bicyclist", helped) == ()
    with pytest.raises(InputError, match="'felidd' is not known; known and near: felid"):
        candidates("felidd", helped)
