from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.language.understanding import NotUnderstood, understand
from napari_guideme.language.vocabulary import Vocabulary, WordVectors
from napari_guideme.language.wordnet import find_wordnet

CELLS = Vocabulary(("background", "nucleus", "mitochondrion", "cell border"))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("nuclei", ("nucleus",)),
        ("cell borders", ("cell border",)),
        ("border", ("cell border",)),
        ("mitos", ("mitochondrion",)),
        ("giraffe", ()),
    ],
)
def test_classes_are_met_by_spelling_and_synonyms(said, meant):
    assert CELLS.meant(said) == meant


@pytest.mark.parametrize(
    ("slip", "right"),
    [("nucelus", "nucleus"), ("mitochondira", "mitochondria"), ("dna", None), ("circus", None)],
)
def test_slips_of_the_hand_are_seen(slip, right):
    assert CELLS.misspelt(slip) == right


def test_american_and_british_spelling_are_one():
    assert Vocabulary(("grey matter",)).meant("gray matter") == ("grey matter",)
    assert Vocabulary(("tumor",)).meant("tumour") == ("tumor",)


def test_vectors_meet_what_wordnet_does_not(shared):
    vectors = WordVectors.read(shared / "models" / "glove100" / "glove100_top50k_f16.npz")
    classes = ("sky", "road", "car")
    assert Vocabulary(classes).meant("truck") == ()
    assert Vocabulary(classes, vectors=vectors).meant("truck") == ("car",)
    assert Vocabulary(classes, vectors=vectors).meant("philosophy") == ()


def test_what_wordnet_knows_as_another_thing_is_no_class(shared, wordnet):
    vectors = WordVectors.read(shared / "models" / "glove100" / "glove100_top50k_f16.npz")
    organs = Vocabulary(("background", "liver", "spleen"), find_wordnet(), vectors)
    for organ in ("lung", "colon", "thyroid"):
        assert organs.meant(organ) == ()
    assert organs.alike("lung") == ("liver",)
    with pytest.raises(NotUnderstood) as refused:
        understand("find the lung", organs.classes, vectors=vectors)
    assert refused.value.suggestions == ("liver",)


def test_rare_senses_and_words_that_look_alike_are_no_class(wordnet):
    things = Vocabulary(("person", "horse", "sheep", "pole", "chair"), find_wordnet())
    for word in ("bear", "goat", "wolf", "head", "leg"):
        assert things.meant(word) == ()
    for word in ("house", "lamp", "hole"):
        assert things.misspelt(word) is None
    assert things.misspelt("hosre") == "horse"


def test_what_words_are_kinds_of(wordnet):
    for classes, said, meant in (
        # All kinds of it, however far from it; a single one may not be all that is meant.
        (("dog", "cat", "horse", "sofa"), "animals", ("dog", "cat", "horse")),
        (("chair", "sofa", "dog"), "furniture", ("chair", "sofa")),
        (("liver", "aorta"), "artery", ()),
        (("background", "horse"), "animal", ()),
        # A tree is a plant, and no potted plant.
        (("pottedplant", "diningtable"), "tree", ()),
        (("pottedplant", "diningtable"), "houseplant", ("pottedplant",)),
        (("sign symbol", "car"), "letter", ()),
        # More often something to eat, or an animal, than a person.
        (("person", "dog"), "hot dog", ()),
        (("person", "dog"), "tigers", ()),
        (("person", "carnivore"), "tiger", ("carnivore",)),
        (("person", "dog"), "kid", ("person",)),
        (("person", "background"), "nurse", ("person",)),
    ):
        assert Vocabulary(classes, find_wordnet()).meant(said) == meant


def test_a_special_kind_is_proposed_for_a_general_word(wordnet):
    with pytest.raises(NotUnderstood) as refused:
        understand("the artery is missing", ("background", "liver", "aorta"))
    assert refused.value.suggestions == ("aorta",)


def test_vectors_by_hand():
    vectors = WordVectors({"cat": 0, "lion": 1, "stone": 2}, np.array([[1, 0], [0.8, 0.6], [0, 1]]))
    cats = Vocabulary(("cat",), vectors=vectors)
    assert cats.meant("lion") == ("cat",)
    assert cats.meant("stone") == ()
    assert cats.meant("lion cub") == ()


@pytest.mark.parametrize("content", [b"", b"PK", b"words"])
def test_broken_tables_are_refused(tmp_path, content):
    path = tmp_path / "vectors.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no table of word vectors"):
        WordVectors.read(path)


def test_tables_of_another_shape_are_refused(tmp_path):
    path = tmp_path / "vectors.npz"
    np.savez(path, words=np.array(["a", "b"]), vectors=np.ones((3, 2)))
    with pytest.raises(InputError, match="as many vectors"):
        WordVectors.read(path)
    np.savez(path, words=np.array(["a"], dtype=object), vectors=np.ones((1, 2)))
    with pytest.raises(InputError, match="no table"):
        WordVectors.read(path)
