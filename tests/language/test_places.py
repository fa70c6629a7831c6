from __future__ import annotations

import math

import pytest

from napari_guideme.errors import InputError
from napari_guideme.language.place_words import read_place, rewritten
from napari_guideme.language.places import CELL_NAMES, View, named

UPRIGHT = View.upright(2)


def cells(words: str, view: View = UPRIGHT) -> list[str]:
    region, length = read_place(rewritten(words))
    assert length == len(rewritten(words))
    return [CELL_NAMES[3 * row + column] for row, column in view.cells(region)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("on the top left", ["top left"]),
        ("left at the bottom", ["bottom left"]),
        ("in the middle", ["middle"]),
        ("top centre", ["top middle"]),
        ("middle left", ["middle left"]),
        ("at the top", ["top left", "top middle", "top right"]),
        ("on the right of the image", ["top right", "middle right", "bottom right"]),
        ("in the south", ["bottom left", "bottom middle", "bottom right"]),
        ("across the middle", ["middle left", "middle", "middle right"]),
        ("in the corners", ["top left", "top right", "bottom left", "bottom right"]),
        ("at 3 o clock", ["middle right"]),
        ("everywhere but the middle", [name for name in CELL_NAMES if name != "middle"]),
        ("at the edges of the image", [name for name in CELL_NAMES if name != "middle"]),
        (
            "not on the left but elsewhere",
            [name for name in CELL_NAMES if "left" not in name],
        ),
        ("in the upper half", list(CELL_NAMES[:6])),
        ("on both sides", [name for name in CELL_NAMES if "left" in name or "right" in name]),
        ("everywhere", list(CELL_NAMES)),
    ],
)
def test_places_are_cells_and_their_unions(words, expected):
    assert cells(words) == expected


@pytest.mark.parametrize("words", ["the nucleus", "topology", "near the car", "left right"])
def test_what_is_no_place_is_not_read(words):
    assert read_place(words) is None


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (View((1, 0), (0, -1)), [(0, 2)]),
        (View((-1, 0), (0, 1)), [(2, 0)]),
        (View((0, 1), (1, 0)), [(0, 0)]),
        (View((0, -1), (1, 0)), [(0, 2)]),
    ],
)
def test_top_left_is_where_it_is_seen(view, expected):
    region, _ = read_place("top left")
    assert list(view.cells(region)) == expected
    assert view.spots(view.cells(region)) == [(0, 0)]


@pytest.mark.parametrize("degrees", [30, 45, 60, 200])
def test_a_rotated_image_has_every_side(degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    view = View((c, s), (-s, c))
    for words, direction in (("top", (-c, -s)), ("right", (-s, c))):
        region, _ = read_place(words)
        chosen = view.cells(region)
        assert chosen
        for row, column in chosen:
            assert (row - 1) * direction[0] + (column - 1) * direction[1] > 0


def test_anatomical_places_need_to_know_how_the_patient_lies():
    region, _ = read_place(rewritten("on the patient left"))
    assert region.axes == {"patient"}
    axial = View.upright(2, ("P", "L"))
    assert set(axial.cells(region)) == {(0, 2), (1, 2), (2, 2)}
    anterior, _ = read_place("anterior")
    assert set(axial.cells(anterior)) == {(0, 0), (0, 1), (0, 2)}
    superior, _ = read_place("superior")
    assert "superior" not in axial.axes
    volume = View.upright(3, ("I", "P", "L"))
    assert {cell[0] for cell in volume.cells(superior)} == {0}
    assert len(volume.cells(superior)) == 9


def test_a_letter_that_is_no_side_is_refused():
    with pytest.raises(InputError, match="choose S, I, A, P, L, R"):
        View.upright(2, ("X", "L"))
    with pytest.raises(InputError, match="P, A: two axes cannot"):
        View.upright(2, ("P", "A"))
    with pytest.raises(InputError, match="one letter for each of the 2 axes"):
        View.upright(2, ("P", "L", "S"))


@pytest.mark.parametrize(
    ("spots", "words"),
    [
        ([(0, 0)], "top left"),
        ([(0, 0), (0, 1), (0, 2)], "top"),
        ([], "everywhere"),
        ([(r, c) for r in range(3) for c in range(3) if (r, c) != (1, 1)], "everywhere but middle"),
    ],
)
def test_places_are_named_shortly(spots, words):
    assert named(spots) == words
