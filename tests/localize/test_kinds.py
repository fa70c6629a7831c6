from __future__ import annotations

import gzip

from napari_guideme.language.wordnet import find_wordnet
from napari_guideme.localize.kinds import TABLE, read_kinds
from tests.language.conftest import no_wordnet, wordnet  # noqa: F401
from tests.localize import toys


def test_above_counts_steps():
    assert toys.kinds().above("kitten") == {
        "kitten": 0,
        "tabby": 1,
        "cat": 2,
        "feline": 3,
        "animal": 4,
        "thing": 5,
    }


def test_names_are_found_whatever_their_spelling():
    world = toys.kinds()
    for spelt in ("Persian cat", "persian-cat", "PersianCats", "persian_cats"):
        assert world.meanings(spelt) == ("persian",)
    assert world.meanings("unicorn") == ()


def test_the_table_holds_the_labels_and_the_licence():
    kinds = read_kinds()
    assert len(kinds.imagenet) == len(set(kinds.imagenet)) == 1000
    assert kinds["n02123045"].names[:2] == ("tabby", "tabby cat")
    assert TABLE.is_file()
    assert len(TABLE.read_bytes()) < 300_000
    assert "Princeton University" in gzip.decompress(TABLE.read_bytes()).decode()[:1000]


def test_the_commonest_sense_comes_first():
    kinds = read_kinds()
    assert kinds["n02330245"].names == ("mouse",)
    assert kinds.meanings("mouse")[0] == "n02330245"
    assert "n03793489" in kinds.meanings("mouse")


def test_rarer_names_are_known_with_wordnet(wordnet):  # noqa: F811
    assert read_kinds().meanings("bicyclist") == ()
    kinds = read_kinds(find_wordnet())
    (cyclist,) = kinds.meanings("bicyclists")
    person = "n00007846"
    assert person in kinds.above(cyclist)
    assert kinds.meanings("mouse") == read_kinds().meanings("mouse")
