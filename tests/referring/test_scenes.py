from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.referring.colours import COLOURS, NAMELESS, light, named_colours
from napari_guideme.referring.scenes import measured_scene, objects_of_classes


def test_an_object_is_measured_by_hand():
    ids = np.zeros((30, 60), int)
    ids[0:10, 20:50] = 700
    image = np.zeros((30, 60, 3), np.uint8)
    image[0:5, 20:50], image[5:10, 20:50] = (220, 20, 20), (20, 40, 200)
    (thing,) = measured_scene(image, ids, {700: "Coffee_Cup"}, 2).objects
    assert (thing.id, thing.name) == (700, "coffee cup")
    assert thing.share == pytest.approx(300 / 1800)
    assert thing.centre == pytest.approx((5 / 60, 35 / 60))
    assert thing.box == pytest.approx((0, 20 / 60, 10 / 60, 50 / 60))
    np.testing.assert_allclose(thing.cells, [[0, 2 / 3, 1 / 3], [0, 0, 0], [0, 0, 0]])
    assert thing.colours == pytest.approx({"red": 0.5, "blue": 0.5})


def test_specks_are_no_objects():
    ids = np.zeros((100, 100), int)
    ids[0, 0:2], ids[50:60, 50:60] = 1, 2
    assert [t.id for t in measured_scene(np.zeros((100, 100)), ids, "cell").objects] == [2]


def test_brightness_follows_the_range_of_the_image():
    image, ids = np.zeros((20, 20), np.uint16), np.zeros((20, 20), int)
    image[2:6, 2:6], image[10:14, 10:14] = 40, 100
    ids[2:6, 2:6], ids[10:14, 10:14] = 1, 2
    dim, bright = measured_scene(image, ids, "nucleus").objects
    assert bright.brightness == pytest.approx(1, abs=0.01)
    assert 0.3 < dim.brightness < 0.5
    assert not dim.colours


def test_what_lies_in_the_hull_of_another_class_is_within_it():
    ids = np.zeros((40, 40), int)
    ids[5:35, 5:35], ids[15:20, 15:20], ids[0:3, 0:3] = 1, 2, 3
    within = measured_scene(
        np.zeros((40, 40)), ids, {1: "cytoplasm", 2: "nucleus", 3: "nucleus"}
    ).within
    assert within == {(2, 1): 1.0}


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((200, 20, 20), "red"),
        ((255, 140, 0), "orange"),
        ((110, 60, 25), "brown"),
        ((240, 220, 30), "yellow"),
        ((90, 120, 50), "green"),
        ((120, 170, 230), "blue"),
        ((128, 0, 128), "purple"),
        ((255, 20, 147), "pink"),
        ((10, 10, 10), "black"),
        ((120, 120, 125), "grey"),
        ((245, 245, 245), "white"),
    ],
)
def test_colours_are_named_as_people_do(rgb, name):
    image = np.zeros((4, 4, 3), np.uint8)
    image[0], image[1:] = (255, 0, 0), rgb
    assert COLOURS[named_colours(light(image, 2))[2, 2]] == name


def test_skin_has_none_of_these_colours():
    image = np.zeros((4, 4, 3), np.uint8) + np.array([220, 170, 140], np.uint8)
    assert (named_colours(light(image, 2)) == NAMELESS).all()


def test_a_grey_picture_of_three_channels_shows_no_colours():
    assert named_colours(np.repeat(np.random.default_rng(0).random((9, 9, 1)), 3, -1)) is None


def test_connected_parts_of_a_class_become_objects():
    labels = np.zeros((20, 20), int)
    labels[0:5, 0:5], labels[10:15, 10:15], labels[18, 18], labels[0:5, 10:15] = 4, 4, 4, 9
    ids, names = objects_of_classes(labels, {4: "car"}, least=0.01)
    assert names == {1: "car", 2: "car"}
    assert (ids > 0).sum() == 50


@pytest.mark.parametrize(
    ("ids", "names", "said"),
    [
        (np.ones((5, 6), int), "cup", "the image has"),
        (np.ones((5, 5)), "cup", "whole numbers"),
        (-np.ones((5, 5), int), "cup", "whole numbers"),
        (np.ones((5, 5), int), {2: "cup"}, "object 1 has no name"),
        (np.ones((5, 5), int), "--", "neither letters nor digits"),
        (np.ones((5, 5), int), {1: 3}, "name of the object 1 has to be a text, not 3"),
    ],
)
def test_what_does_not_fit_together_is_refused(ids, names, said):
    with pytest.raises(InputError, match=said):
        measured_scene(np.zeros((5, 5)), ids, names)


@pytest.mark.parametrize("axis", [None, 5])
def test_an_image_of_other_axes_is_refused(axis):
    with pytest.raises(InputError, match="shape"):
        measured_scene(np.zeros((5, 5, 3)), np.ones((5, 5), int), "cup", axis)
