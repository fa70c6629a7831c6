from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.evaluation.named_objects import open_named_objects
from napari_guideme.referring.checking import find_referred
from napari_guideme.referring.claims import KINDS
from napari_guideme.referring.expressions import expressions
from tests.referring.toys import GREY, drawn

RED, BLUE = (200, 20, 20), (30, 50, 200)


def made(*things, **options):
    image, ids, names = drawn(*things)
    return expressions(image, ids, names, np.random.default_rng(0), channel_axis=2, **options)


def told(kind, *things):
    """What is told by one kind alone: pairs of sentence and object."""
    return {(e.sentence.removeprefix("the "), e.object_id) for e in made(*things, kinds=[kind])}


def test_the_only_one_of_a_class_is_named():
    assert told("class", ("cup", 30, 30, 10, GREY), ("bowl", 90, 90, 10, GREY)) == {
        ("cup", 1),
        ("bowl", 2),
    }


def test_sizes_that_differ_little_are_not_spoken_of():
    assert {n for _, n in told("size", ("cup", 30, 30, 10, GREY), ("cup", 90, 90, 14, GREY))} == {
        1,
        2,
    }
    assert not told("size", ("cup", 30, 30, 10, GREY), ("cup", 90, 90, 11, GREY))


def test_of_three_sizes_one_can_be_the_largest_while_none_is_the_smallest():
    cups = [("cup", 20, 20, 8, GREY), ("cup", 60, 60, 8, GREY), ("cup", 100, 100, 14, GREY)]
    assert {n for _, n in told("size", *cups)} == {3}


def test_a_place_has_to_hold_most_of_one_and_little_of_others():
    assert {n for _, n in told("place", ("cup", 20, 60, 10, GREY), ("cup", 100, 60, 10, GREY))} == {
        1,
        2,
    }
    # The second one lies across the line.
    assert not told("place", ("cup", 20, 60, 10, GREY), ("cup", 40, 60, 10, GREY))


def test_objects_are_counted_off_if_they_lie_apart():
    row = [("cup", 60, column, 8, GREY) for column in (15, 45, 75, 105)]
    found = told("order", *row)
    assert {n for _, n in found} == {1, 2, 3, 4}
    assert all("left" in sentence or "right" in sentence for sentence, _ in found)
    stacked = [("cup", 60, 60, 8, GREY), ("cup", 64, 64, 2, GREY)]
    assert not told("order", *stacked)


def test_a_relation_has_to_be_clear():
    bowl, cup = ("bowl", 60, 60, 12, GREY), ("cup", 60, 100, 8, GREY)
    left = told("relation", bowl, cup, ("cup", 60, 20, 8, GREY))
    assert {n for _, n in left} == {2, 3}
    # The second cup lies as much above the bowl as beside it.
    assert not told("relation", bowl, ("cup", 20, 18, 8, GREY), ("cup", 16, 18, 3, GREY))


def test_what_holds_something_holds_one_of_another_class():
    cells = [("cell", 30, 30, 25, GREY), ("nucleus", 30, 30, 8, GREY), ("nucleus", 90, 90, 8, GREY)]
    assert {n for s, n in told("relation", *cells) if "in the cell" in s or "inside" in s} <= {2}
    assert {n for _, n in told("relation", *cells)} >= {2}
    person = [("person" if name == "cell" else name, *rest) for name, *rest in cells]
    assert not any("in the" in s or "with" in s for s, _ in told("relation", *person))


def test_colours_are_measured():
    cups = [("cup", 30, 30, 10, RED), ("cup", 90, 90, 10, BLUE)]
    found = told("colour", *cups, ("bowl", 30, 90, 10, RED))
    assert {n for _, n in found} == {1, 2}
    assert found <= {
        (sentence, n)
        for n, colour in ((1, "red"), (2, "blue"))
        for sentence in (f"{colour} cup", f"cup that is {colour}")
    }
    worn = told("colour", ("person", 30, 30, 10, RED), ("person", 90, 90, 10, BLUE))
    assert worn
    assert all(sentence.startswith(("person ", "one ")) for sentence, _ in worn)


def test_brightness_is_measured():
    found = told("brightness", ("cup", 30, 30, 10, (20, 20, 20)), ("cup", 90, 90, 10, (240,) * 3))
    assert {("dark" in s, n) for s, n in found} == {(True, 1), (False, 2)}


def test_a_number_is_told_with_something_else():
    found = made(("cup", 30, 30, 10, GREY), ("cup", 90, 90, 14, GREY), kinds=["count", "size"])
    counting = [e for e in found if "count" in e.kinds]
    assert {e.object_id for e in counting} == {1, 2}
    assert all("of the two cups" in e.sentence for e in counting)


def test_two_kinds_are_told_where_one_is_not_enough():
    found = made(
        ("nucleus", 100, 20, 6, GREY),
        ("nucleus", 100, 100, 10, GREY),
        ("nucleus", 20, 20, 14, GREY),
        kinds=["size", "place"],
    )
    larger = [e for e in found if e.object_id == 2 and e.kinds == ("size", "place")]
    assert larger
    assert all("larger" in e.sentence or "bigger" in e.sentence for e in larger)


def test_small_objects_are_not_meant_but_count():
    specks = [("cup", 30, 30, 10, GREY), ("cup", 90, 90, 2, GREY)]
    assert {e.object_id for e in made(*specks, least=0.005)} == {1}
    assert not [e for e in made(*specks, least=0.005) if e.kinds == ("class",)]
    assert not [e for e in made(*specks, least=0.005) if "count" in e.kinds]


def test_nobody_compares_skies():
    skies = [("sky", 30, 30, 10, GREY), ("sky", 90, 90, 14, GREY)]
    assert {e.kinds for e in made(*skies)} == {("place",)}


def test_some_sentences_are_of_different_kinds():
    row = [("cup", 60, column, half, GREY) for column, half in ((15, 4), (45, 6), (90, 10))]
    found = [e for e in made(*row, most=3) if e.object_id == 1]
    assert len({e.kinds for e in found}) == len(found) == 3


def test_the_same_chance_gives_the_same_sentences():
    things = [("cup", 30, 30, 10, RED), ("cup", 90, 90, 14, BLUE)]
    assert made(*things) == made(*things)


def test_there_are_several_ways_to_say_it():
    image, ids, names = drawn(("cup", 30, 30, 10, GREY), ("cup", 90, 90, 14, GREY))
    random = np.random.default_rng(0)
    drawn_often = [
        expressions(image, ids, names, random, channel_axis=2, kinds=["size"]) for _ in range(30)
    ]
    assert len({e.sentence for found in drawn_often for e in found if e.object_id == 2}) > 4


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="unknown kind 'taste'; choose class, size"):
        made(("cup", 30, 30, 10, GREY), kinds=["taste"])


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"most": -1}, "most has to be 1 or more"),
        ({"most": 1.5}, "most has to be a whole number"),
        ({"least": 2}, "share of the image from 0 to 1"),
    ],
)
def test_limits_that_are_none_are_refused(limit, said):
    with pytest.raises(InputError, match=said):
        made(("cup", 30, 30, 10, GREY), **limit)


FOLDERS = {
    "objects_coco128": (None, set(KINDS)),
    "nuclei_dsb2018": ("nucleus", {"size", "place", "order", "brightness", "count"}),
    "blood_cells": (
        {1: "cytoplasm", 2: "nucleus"},
        {"class", "size", "order", "relation", "count"},
    ),
    "camvid": (None, set(KINDS)),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_the_reader_finds_what_every_sentence_is_about(shared, name):
    """The reader knows the sentence and what was measured, nothing of how it was made."""
    names, kinds = FOLDERS[name]
    random, seen = np.random.default_rng(3), set()
    limit = {"camvid": 8, "objects_coco128": 40}.get(name, 60)
    for item in open_named_objects(shared / "data" / name, names, limit=limit):
        scene = item.scene
        for e in expressions(
            item.image, item.ids, item.names, random, channel_axis=item.channel_axis
        ):
            assert find_referred(e.sentence, scene) == e.object_id, (item.name, e)
            assert len(e.sentence.split()) <= 20
            seen |= set(e.kinds)
    assert seen >= kinds
