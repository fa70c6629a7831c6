from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_guideme.errors import InputError
from napari_guideme.hints import Click, Hints, Scribble, TextHint, class_index
from napari_guideme.hints_json import hints_from_json, hints_to_json

SHAPE = (4, 6)
CLASSES = ("background", "cell")
CELL, BACKGROUND = Click((1, 2), "cell"), Click((1, 2), "background")


def stroke(*path: tuple[float, ...], width: float = 1) -> Scribble:
    return Scribble((path,), "cell", width)


def covered(hint: Click | Scribble, shape: tuple[int, ...] = SHAPE) -> list[list[int]]:
    return hint.pixels(shape).tolist()


@pytest.mark.parametrize(
    ("at", "pixel"),
    [
        ((0, 0), [0, 0]),
        ((0, 3), [0, 3]),
        ((3, 5), [3, 5]),
        ((-0.5, -0.5), [0, 0]),
        ((3.49, 5.49), [3, 5]),
        ((1.5, 2.5), [2, 3]),
    ],
)
def test_a_click_is_the_nearest_pixel(at, pixel):
    assert covered(Click(at, "cell")) == [pixel]


@pytest.mark.parametrize(
    "at",
    [(-1, 0), (0, -0.51), (4, 0), (3.5, 0), (0, 5.5), (0, 1e99), (0, 0, 0)],
)
def test_a_click_outside_is_refused(at):
    with pytest.raises(InputError, match=r"the click at .* outside .* 0\.\.3 x 0\.\.5"):
        Click(at, "cell").pixels(SHAPE)


@pytest.mark.parametrize("at", [[1, 2], np.array([1, 2]), np.array([1.0, 2.0], np.float32)])
def test_positions_may_be_lists_and_arrays(at):
    assert Click(at, "cell") == CELL
    assert {Click(at, "cell")} == {CELL}
    drawn = Scribble([[at, at]], "cell", np.int64(1))
    assert drawn == stroke((1, 2), (1, 2))
    hints = Hints((Click(at, "cell"), drawn))
    assert hints_from_json(json.loads(json.dumps(hints_to_json(hints)))) == hints
    assert Scribble(np.array([[at, at]]), "cell") == drawn


@pytest.mark.parametrize(
    "at",
    [(1,), (1, 2, 3, 4), "12", ("1", "2"), 5, (True, 0), (0, np.nan), (0, np.inf), (0, 1e200)],
)
def test_what_is_no_position_is_refused(at):
    with pytest.raises(InputError, match=r"a position is \[row, column\] or .*, not"):
        Click(at, "cell")
    with pytest.raises(InputError, match=r"a position is \[row, column\] or .*, not"):
        stroke((0, 0), at)


@pytest.mark.parametrize("width", [0, -1, np.nan, "3", True])
def test_a_pen_without_width_is_refused(width):
    with pytest.raises(InputError, match="the width must be a positive number, not"):
        stroke((0, 0), width=width)


def test_a_click_in_a_volume():
    assert covered(Click((2, 1, 0), "cell"), (3, 2, 1)) == [[2, 1, 0]]


@pytest.mark.parametrize(
    ("scribble", "pixels"),
    [
        (stroke((0, 0)), [[0, 0]]),
        (stroke((0, 1), (0, 3)), [[0, 1], [0, 2], [0, 3]]),
        (stroke((2, 5), (0, 5)), [[0, 5], [1, 5], [2, 5]]),
        (stroke((0, 0), (2, 2)), [[0, 0], [1, 1], [2, 2]]),
        (stroke((0, 0), (0, 1), (1, 1)), [[0, 0], [0, 1], [1, 1]]),
        (stroke((1, 1), width=2), [[0, 1], [1, 0], [1, 1], [1, 2], [2, 1]]),
        (stroke((0, 0), (0, 0), width=0.1), [[0, 0]]),
        (stroke((0.5, 0), (0.5, 1), width=0.1), [[0, 0], [0, 1], [1, 0], [1, 1]]),
        (Scribble((((0, 0),), ((3, 5),)), "cell"), [[0, 0], [3, 5]]),
    ],
)
def test_a_scribble_covers_pixels_near_its_lines(scribble, pixels):
    assert covered(scribble) == pixels


@pytest.mark.parametrize(
    ("scribble", "pixels"),
    [
        (stroke((0, -9), (0, 1)), [[0, 0], [0, 1]]),
        (stroke((2, 4), (2, 99)), [[2, 4], [2, 5]]),
        (stroke((0, 0), (1e99, 1e99)), [[0, 0], [1, 1], [2, 2], [3, 3]]),
        (stroke((-1, 3), width=2), [[0, 3]]),
        (Scribble((((0, 0),), ((9, 9),)), "cell"), [[0, 0]]),
    ],
)
def test_what_a_scribble_has_outside_is_cut_off(scribble, pixels):
    assert covered(scribble) == pixels
    scribble.check(SHAPE)


@pytest.mark.parametrize(
    "scribble",
    [
        stroke((0, 6), (3, 6)),
        stroke((-1, -1)),
        stroke((4.6, 0), (9, 5)),
        stroke((0, 0, 0), (0, 0, 1)),
        stroke((0, 0), (0, 0, 1)),
        Scribble((), "cell"),
        Scribble(((),), "cell"),
    ],
)
def test_a_scribble_wholly_outside_is_refused(scribble):
    with pytest.raises(InputError, match="outside the image"):
        scribble.pixels(SHAPE)
    with pytest.raises(InputError, match="outside the image"):
        scribble.check(SHAPE)


@given(arrays(np.int8, (3, 5, 7), elements=st.integers(0, 2)))
@settings(deadline=None)
def test_every_pixel_comes_where_it_was_first_drawn_with_who_drew_it_last(drawn):
    hints = Hints(
        tuple(
            Scribble.from_mask(mask == value, CLASSES[value % 2])
            for mask in drawn
            for value in (1, 2)
            if (mask == value).any()
        )
    )
    one_by_one: dict[tuple[int, ...], tuple[int, int]] = {}
    for owner, hint in enumerate(hints):
        told = CLASSES.index(hint.class_name), owner
        one_by_one |= {tuple(pixel): told for pixel in covered(hint, (5, 7))}
    pixels = hints.pixels((5, 7), CLASSES)
    assert [tuple(pixel) for pixel in pixels.positions.tolist()] == list(one_by_one)
    assert list(zip(pixels.classes, pixels.owners, strict=True)) == list(one_by_one.values())


def test_painted_hints_are_checked_without_being_drawn(monkeypatch):
    """Who clicks waits for the check, not for the drawing."""
    hints = Hints((Scribble.from_mask(np.ones(SHAPE, bool), "cell"), CELL))
    monkeypatch.setattr(Scribble, "pixels", lambda *_: pytest.fail("drawn"))
    hints.check(SHAPE, CLASSES)


@given(arrays(bool, array_shapes(min_dims=2, max_dims=3, max_side=7)))
@settings(deadline=None)
def test_a_painted_mask_comes_back_exactly(mask):
    if not mask.any():
        mask.flat[0] = True
    drawn = np.zeros_like(mask)
    drawn[tuple(Scribble.from_mask(mask, "cell").pixels(mask.shape).T)] = True
    np.testing.assert_array_equal(drawn, mask)


def test_a_box_of_a_mask_lies_at_its_corner():
    painted = Scribble.from_mask(np.array([[True, False], [True, True]]), "cell", corner=(2, 3))
    assert covered(painted) == [[2, 3], [3, 3], [3, 4]]


def test_nothing_painted_is_refused():
    with pytest.raises(InputError):
        Scribble.from_mask(np.zeros(SHAPE, bool), "cell").pixels(SHAPE)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([CELL], "cell"),
        ([CELL, CELL], "cell"),
        ([CELL, BACKGROUND], "background"),
        ([BACKGROUND, CELL], "cell"),
        ([CELL, BACKGROUND, CELL], "cell"),
        ([CELL, stroke((1, 0), (1, 5)), BACKGROUND], "background"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_the_newest_hint_wins_at_a_pixel(said, expected, at_once):
    hints = Hints()
    for part in [said] if at_once else [[hint] for hint in said]:
        hints = hints.added(part)
    pixels = hints.pixels(SHAPE, CLASSES)
    there = (pixels.positions == [1, 2]).all(1)
    assert pixels.classes[there].tolist() == [CLASSES.index(expected)]
    assert list(hints)[pixels.owners[there][0]].class_name == expected


def test_what_is_said_twice_counts_once():
    assert list(Hints().added([CELL]).added([CELL])) == [CELL]


def test_a_newer_hint_overrules_an_older_one_pixel_by_pixel():
    pixels = Hints((stroke((0, 0), (0, 2)), Click((0, 1), "background"))).pixels(SHAPE, CLASSES)
    assert len(pixels) == 3
    assert pixels.positions.tolist() == [[0, 0], [0, 1], [0, 2]]
    assert pixels.classes.tolist() == [1, 0, 1]
    assert pixels.owners.tolist() == [0, 1, 0]


def test_no_hints_draw_no_pixels():
    pixels = Hints().pixels((2, 3, 4), CLASSES)
    assert (pixels.positions.shape, pixels.classes.shape, pixels.owners.shape) == (
        (0, 3),
        (0,),
        (0,),
    )


def test_removing():
    assert list(Hints((CELL, BACKGROUND)).removed(CELL)) == [BACKGROUND]
    with pytest.raises(InputError, match="no such hint"):
        Hints((CELL,)).removed(BACKGROUND)


def test_adding_leaves_the_old_hints_alone():
    hints = Hints((CELL,))
    hints.added([BACKGROUND])
    assert list(hints) == [CELL]


@pytest.mark.parametrize("hint", [Click((9, 9), "cell"), Click((0, 0), "bird")])
def test_check_refuses_one_bad_hint_among_good_ones(hint):
    Hints((CELL, BACKGROUND)).check(SHAPE, CLASSES)
    with pytest.raises(InputError):
        Hints((CELL, hint)).check(SHAPE, CLASSES)


def test_an_unknown_class_is_told_which_there_are():
    assert class_index("cell", CLASSES) == 1
    with pytest.raises(InputError, match=r"'bird'.*background, cell"):
        class_index("bird", CLASSES)


positions = st.tuples(*[st.floats(-1e6, 1e6)] * 2)
names = st.sampled_from(CLASSES)
clicks = st.builds(Click, positions, names)
paths = st.lists(positions, min_size=1, max_size=3).map(tuple)
scribbles = st.builds(
    Scribble, st.lists(paths, min_size=1, max_size=3).map(tuple), names, st.floats(0.1, 50)
)


@given(st.lists(clicks, unique=True), st.lists(scribbles, unique=True))
@settings(deadline=None)
def test_hints_survive_json(clicks, scribbles):
    hints = Hints((*clicks, *scribbles))
    assert hints_from_json(json.loads(json.dumps(hints_to_json(hints)))) == hints


def test_the_layout_of_the_manual_is_read():
    hints = hints_from_json(
        {
            "clicks": [{"at": [1, 2], "class": "cell"}],
            "scribbles": [
                {"path": [[0, 0], [0, 5]], "width": 3, "class": "background"},
                {"paths": [[[0, 0]], [[1, 2, 3]]], "class": "cell"},
            ],
        }
    )
    assert list(hints) == [
        Click((1.0, 2.0), "cell"),
        Scribble((((0.0, 0.0), (0.0, 5.0)),), "background", 3.0),
        Scribble((((0.0, 0.0),), ((1.0, 2.0, 3.0),)), "cell", 1.0),
    ]


@pytest.mark.parametrize("entries", [{}, {"clicks": []}, {"clicks": [], "scribbles": []}])
def test_a_file_may_hold_no_hints(entries):
    assert not len(hints_from_json(entries))


@pytest.mark.parametrize("entries", [None, [], "clicks", 3, {"click": []}, {"clicks": [], "x": 1}])
def test_hints_of_another_layout_are_refused(entries):
    with pytest.raises(InputError, match='"clicks", "scribbles" and "texts"'):
        hints_from_json(entries)


@pytest.mark.parametrize("key", ["clicks", "scribbles", "texts"])
@pytest.mark.parametrize("listed", [None, {}, "a", 1])
def test_what_is_no_list_is_refused(key, listed):
    with pytest.raises(InputError, match=f'"{key}" must be a list'):
        hints_from_json({key: listed})


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        {},
        {"at": [0, 0]},
        {"class": "cell"},
        {"at": [0, 0], "class": "cell", "width": 1},
        {"at": [0, 0], "class": 1},
        {"at": [0, 0], "class": None},
        {"at": [0], "class": "cell"},
        {"at": [0, 0, 0, 0], "class": "cell"},
        {"at": "00", "class": "cell"},
        {"at": [0, "0"], "class": "cell"},
        {"at": [0, True], "class": "cell"},
        {"at": [0, None], "class": "cell"},
        {"at": [0, float("nan")], "class": "cell"},
        {"at": [0, float("inf")], "class": "cell"},
        {"at": [0, 10**400], "class": "cell"},
    ],
)
def test_a_malformed_click_is_named(entry):
    with pytest.raises(InputError, match="click 2"):
        hints_from_json({"clicks": [{"at": [0, 0], "class": "cell"}, entry]})


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {"class": "cell"},
        {"path": [[0, 0]]},
        {"path": [[0, 0]], "paths": [[[0, 0]]], "class": "cell"},
        {"path": [[0, 0]], "class": "cell", "colour": "red"},
        {"path": [[0, 0]], "class": ["cell"]},
        {"path": [], "class": "cell"},
        {"path": None, "class": "cell"},
        {"path": [0, 0], "class": "cell"},
        {"path": [[0, float("nan")]], "class": "cell"},
        {"paths": [], "class": "cell"},
        {"paths": [[]], "class": "cell"},
        {"paths": [[0, 0]], "class": "cell"},
        {"paths": {}, "class": "cell"},
        *(
            {"path": [[0, 0]], "class": "cell", "width": width}
            for width in (0, -1, "3", None, True, float("nan"), float("inf"), 10**400)
        ),
    ],
)
def test_a_malformed_scribble_is_named(entry):
    with pytest.raises(InputError, match="scribble 1"):
        hints_from_json({"scribbles": [entry]})


def test_what_was_said_survives_json():
    hints = Hints(
        (
            TextHint("find", "cell", ((0, 2), (1, 2))),
            TextHint("replace", "cell", instead_of="dust"),
            Click((1.0, 2.0), "cell"),
        )
    )
    assert hints_from_json(json.loads(json.dumps(hints_to_json(hints)))) == hints


@pytest.mark.parametrize(
    "entry",
    [
        {"operation": "find"},
        {"operation": "grow", "class": "cell"},
        {"operation": "find", "class": 3},
        {"operation": "find", "class": "cell", "place": "top left"},
        {"operation": "find", "class": "cell", "place": [["top", "left"]]},
        {"operation": "find", "class": "cell", "place": [[True, False]]},
        {"operation": "replace", "class": "cell"},
        {"operation": "replace", "class": "cell", "instead_of": "cell"},
        {"operation": "find", "class": "cell", "instead_of": "dust"},
        {"operation": [], "class": "cell"},
    ],
)
def test_texts_of_another_layout_are_refused(entry):
    with pytest.raises(InputError, match="text 1"):
        hints_from_json({"texts": [entry]})


@pytest.mark.parametrize(("shape", "cells"), [((7, 6), 6), ((2, 2), 1), ((9, 9), 9)])
def test_a_place_is_a_third_along_each_axis(shape, cells):
    mask = TextHint("find", "cell", ((0, 0),)).mask(shape)
    assert mask[0, 0]
    assert mask.sum() == cells
    assert TextHint("find", "cell").mask(shape).all()


@pytest.mark.parametrize(
    ("shape", "told"), [((2, 9), "2 rows, 9 columns"), ((5, 1, 9), "5 planes, 1 rows, 9 columns")]
)
def test_a_place_without_pixels_is_refused(shape, told):
    first, last = (0,) * len(shape), (2,) * len(shape)
    assert TextHint("find", "cell", (first, last)).mask(shape).any()
    hints = Hints((TextHint("find", "cell", (last,)),))
    with pytest.raises(InputError, match=f"no pixel lies in the place .*: the image has {told}"):
        hints.check(shape, CLASSES)


def in_one_box(a, b, radius, shape):
    """Pixels at most a radius away from a segment, of all that the image has."""
    grid = np.stack(np.indices(shape), -1)
    along = b - a
    length = along @ along
    t = np.clip((grid - a) @ along / length, 0, 1) if length else np.zeros(shape)
    distance = np.linalg.norm(grid - (a + t[..., None] * along), axis=-1)
    return np.argwhere(distance <= radius + 1e-9)


@pytest.mark.parametrize("shape", [(150, 210), (30, 140, 24)])
@pytest.mark.parametrize("grid", [1.0, 0.5, 0.01])
@pytest.mark.parametrize("width", [1.0, 5.0, 12.5])
def test_a_line_that_is_drawn_in_pieces_is_the_same(shape, grid, width):
    random = np.random.default_rng(int(100 * grid + width))
    for number in range(8):
        a, b = (np.round(random.uniform(-0.3, 1.3, (2, len(shape))) * shape / grid)) * grid
        if number == 0:
            a = b = np.array(shape) / 2
        if number == 1:
            b[0] = a[0]
        expected = in_one_box(a, b, width / 2, shape)
        if len(expected):
            drawn = Scribble((tuple(map(tuple, (a, b))),), "cell", width).pixels(shape)
            np.testing.assert_array_equal(drawn, expected)


def test_a_long_line_takes_little_memory():
    line = Scribble((((0.0, 0.0), (3999.0, 3999.0)),), "cell", 3.0)
    tracemalloc.start()
    try:
        pixels = line.pixels((4000, 4000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(pixels) > 4 * 3999
    assert peak < 2**24


def test_a_line_far_outside_is_told():
    with pytest.raises(InputError, match="outside"):
        Scribble((((1e99, 1e99), (1e99, 1e99)),), "cell").pixels((8, 8))
