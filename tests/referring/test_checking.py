from __future__ import annotations

from dataclasses import replace

import pytest

from napari_guideme.errors import InputError
from napari_guideme.language.vocabulary import Vocabulary
from napari_guideme.language.wordnet import find_wordnet
from napari_guideme.referring.checking import find_referred
from napari_guideme.referring.grammar import COLUMN, Coloured, Picked, readings
from tests.language.conftest import wordnet as wordnet
from tests.referring.toys import scene

#: A row of three cups, one above them, and a bowl below.
KITCHEN = scene(
    ("cup", 0.5, 0.1, 0.01),
    ("cup", 0.52, 0.4, 0.02),
    ("cup", 0.54, 0.8, 0.04),
    ("cup", 0.1, 0.6, 0.03),
    ("bowl", 0.7, 0.4, 0.05),
)
TWO = scene(("nucleus", 0.2, 0.2, 0.01), ("nucleus", 0.8, 0.7, 0.02))


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("the bowl", 5),
        ("The largest cup.", 3),
        ("smallest cup", 1),
        ("the second largest cup", 4),
        ("the cup at the top", 4),
        ("the cup on the right of the image", 3),
        ("the second cup from the right", 4),
        ("the third cup from the top", 2),
        ("the second cup from left", 2),
        ("the third cup from the top left", None),
        ("the cup at 12 o'clock", 4),
        ("find the cup which is first from the left", 1),
        ("the darkest cup", 1),
        ("the lightest cup in the middle row", 3),
        ("the cup to the right of the brightest object", 3),
        ("the larger cup above the bowl", 4),
        ("the cup left of the largest cup", None),
        ("the leftmost cup left of the largest cup", 1),
        ("of the four cups, the one at the top", 4),
        ("the biggest of the four cups", 3),
        ("the biggest of the three cups", None),
        ("the topmost thing", 4),
        ("a spoon", None),
        ("the cup that sings", None),
        ("the larger cup", None),
        ("the cup", None),
        ("", None),
    ],
)
def test_sentences_find_what_people_would(sentence, found):
    if found is None:
        with pytest.raises(InputError):
            find_referred(sentence, KITCHEN)
    else:
        assert find_referred(sentence, KITCHEN) == found


def test_shades_and_ranks_are_no_names_and_no_brightness(wordnet):
    things = Vocabulary(("cup", "person"), find_wordnet())
    (cup,) = readings("the light blue cup", things)
    assert cup.picked is None
    assert cup.conditions == (Coloured("blue"),)
    (second,) = readings("the second person from left", things)
    assert second.picked == Picked(COLUMN, 1)
    assert not readings("the white on the left", things)


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("the left nucleus", 1),
        ("the lower one", 2),
        ("the bigger one of the two nuclei", 2),
        ("the nucleus further to the right", 2),
        ("bottom right nucleus", 2),
        ("the nucleus in the upper left corner", 1),
        ("the one below the darker nucleus", 2),
    ],
)
def test_one_of_two(sentence, found):
    assert find_referred(sentence, TWO) == found


def test_what_lies_below_does_not_lie_beside():
    below = replace(TWO, objects=(TWO.objects[0], replace(TWO.objects[1], centre=(0.8, 0.3))))
    with pytest.raises(InputError, match="true of no object"):
        find_referred("the nucleus right of the smallest nucleus", below)
    assert find_referred("the nucleus below the smallest nucleus", below) == 2


def test_colours_are_those_of_a_third_of_the_pixels():
    first, second, *others = KITCHEN.objects
    painted = replace(
        KITCHEN,
        objects=(
            replace(first, colours={"red": 0.4, "white": 0.6}),
            replace(second, colours={"red": 0.2, "blue": 0.8}),
            *others,
        ),
    )
    assert find_referred("the red cup", painted) == 1
    assert find_referred("the cup that is blue", painted) == 2
    with pytest.raises(InputError, match="true of no object"):
        find_referred("the green cup", painted)


def test_a_class_may_be_called_like_a_colour():
    fruit = scene(("orange", 0.2, 0.2, 0.01), ("orange", 0.8, 0.2, 0.02), ("cup", 0.5, 0.8, 0.1))
    objects = [replace(thing, colours={"green": 0.9}) for thing in fruit.objects[:1]]
    objects += [replace(thing, colours={"orange": 0.9}) for thing in fruit.objects[1:]]
    fruit = replace(fruit, objects=tuple(objects))
    assert find_referred("the orange orange", fruit) == 2
    assert find_referred("the green orange", fruit) == 1


def test_inside_is_what_lies_within():
    cells = scene(("nucleus", 0.2, 0.2, 0.01), ("nucleus", 0.8, 0.7, 0.02), ("cell", 0.2, 0.2, 0.1))
    cells = replace(cells, within={(1, 3): 0.95, (2, 3): 0.1})
    assert find_referred("the nucleus inside the cell", cells) == 1
    assert find_referred("the nucleus within the cell", cells) == 1


def test_a_sentence_of_two_meanings_is_refused():
    """What is below the car: the building, or the largest building to its left?"""
    street = scene(
        ("building", 0.1, 0.1, 0.05),
        ("building", 0.4, 0.7, 0.01),
        ("building", 0.22, 0.95, 0.01),
        ("car", 0.1, 0.7, 0.01),
    )
    with pytest.raises(InputError, match="may mean the objects 2, 3"):
        find_referred("the building right of the largest building below the car", street)


def test_refusals_say_why():
    with pytest.raises(InputError, match="not understood; say which of bowl, cup it is"):
        find_referred("the zebra", KITCHEN)
    with pytest.raises(InputError, match="may mean the objects 1, 2, 3, 4"):
        find_referred("the cup", KITCHEN)
    with pytest.raises(InputError, match="true of no object"):
        find_referred("the bowl at the top", KITCHEN)
