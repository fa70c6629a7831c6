from __future__ import annotations

import pytest

from napari_guideme.referring.naming import class_of, names_nothing, without_articles

LEARNED = ("cup", "cups", "largest", "nuclei", "nucleus", "wing", "chicken")


@pytest.mark.parametrize(
    ("sentence", "name"),
    [
        ("the larger nucleus at the bottom", "nucleus"),
        ("Find the second dog from the left.", "dog"),
        ("the dog left of the chair", "dog"),
        ("of the three cups, the red one", "cup"),
        ("the biggest of the three nuclei", "nucleus"),
        ("two dogs", "dog"),
        ("two flibbers", "flibbers"),
        ("the office chair in the upper left corner", "office chair"),
        ("the cup that sings", "cup"),
        ("the fluffy largest cell", "cell"),
        ("the man wearing a red shirt", "man"),
        ("the chicken wing", "chicken wing"),
        ("the one left of the cup", "object"),
        ("the topmost thing", "object"),
        ("the largest", "object"),
        ("the background", "object"),
        ("", "object"),
    ],
)
def test_the_class_is_told_from_the_sentence_alone(sentence, name):
    assert class_of(sentence, LEARNED) == name


def test_what_someone_does_is_no_part_of_a_name_though_the_word_is_known():
    known = (*LEARNED, "wearing", "sitting")
    assert class_of("the man wearing a red shirt", known) == "man"
    assert class_of("the dog sitting on the left", known) == "dog"


def test_what_only_asks_is_left_out():
    asked = ("dog", "the dog", "Please find me a dog.", "all the dogs in the picture")
    assert [without_articles(one) for one in asked] == ["dog", "dog", "dog", "dogs"]
    assert without_articles("where is the cup in the bowl?") == "cup in the bowl"


@pytest.mark.parametrize("sentence", ["the left", "largest", "the one", "the object at the top"])
def test_some_sentences_name_nothing(sentence):
    assert names_nothing(sentence)


@pytest.mark.parametrize("sentence", ["the dog", "the orange", "the left dog"])
def test_others_do(sentence):
    assert not names_nothing(sentence)
