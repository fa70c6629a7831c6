"""Directions are what the user sees, so a picture of the canvas is what counts."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from napari_guideme.hints import TextHint
from napari_guideme.language.place_words import read_place
from napari_guideme.language.places import CELL_NAMES, View
from napari_guideme.widgets.flight import camera_of
from napari_guideme.widgets.orientation import letters, view_of
from napari_guideme.widgets.slices import shown_slice

SHAPE = (60, 90)


def turned(degrees: float) -> np.ndarray:
    """A turn of the plane, as an affine."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 3.0], [s, c, -7.0], [0, 0, 1]])


def cells(view: View, place: str) -> tuple[tuple[int, ...], ...]:
    region, _ = read_place(place)
    return view.cells(region)


def seen_at(viewer, layer, place: str) -> np.ndarray:
    """Where a place is seen: how far down and right of the middle of the image."""
    part = shown_slice(viewer, layer)
    chosen = TextHint("find", "cell", cells(view_of(part, viewer), place)).mask(part.shape)
    data = np.full(layer.data.shape, 100, np.uint8)
    data[part.slices][chosen] = 255
    layer.data = data
    picture = viewer.screenshot(flash=False)[..., :3].mean(-1)
    image, bright = np.argwhere(picture > 50), np.argwhere(picture > 200)
    assert len(bright)
    return bright.mean(0) - image.mean(0)


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": (1, -1)},
        {"scale": (-2, 1)},
        {"rotate": 90},
        {"affine": turned(90)},
        {"affine": turned(30)},
        {"affine": turned(180), "scale": (1, -3)},
        {"shear": [0.4]},
    ],
    ids=str,
)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["upright", "transposed"])
def test_a_place_is_where_it_is_seen(viewer, options, order):
    layer = viewer.add_image(np.zeros(SHAPE, np.uint8), contrast_limits=(0, 255), **options)
    viewer.dims.order = order
    viewer.reset_view()
    down, right = seen_at(viewer, layer, "top left")
    assert down < 0
    assert right < 0
    down, right = seen_at(viewer, layer, "bottom")
    assert down > abs(right)


def test_every_direction_has_a_cell_however_an_image_is_turned(viewer):
    layer = viewer.add_image(np.zeros((80, 80)))
    for degrees in range(0, 360, 10):
        layer.affine = turned(degrees)
        view = view_of(shown_slice(viewer, layer), viewer)
        found = [cells(view, place) for place in CELL_NAMES]
        assert sorted(cell for place in found for cell in place) == list(np.ndindex(3, 3))
        assert all(len(place) == 1 for place in found)


def test_a_viewer_whose_rows_go_up(viewer):
    layer = viewer.add_image(np.zeros(SHAPE, np.uint8), contrast_limits=(0, 255))
    camera_of(viewer).orientation2d = ("up", "left")
    down, right = seen_at(viewer, layer, "top left")
    assert down < 0
    assert right < 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (0, 0)),
        ({"scale": (1, -1)}, (0, 2)),
        ({"affine": turned(90)}, (0, 2)),
        ({"affine": turned(180)}, (2, 2)),
    ],
    ids=str,
)
def test_the_cell_on_the_top_left(viewer, options, expected):
    layer = viewer.add_image(np.zeros(SHAPE), **options)
    assert cells(view_of(shown_slice(viewer, layer), viewer), "top left") == (expected,)


def test_an_image_among_others_with_more_axes(viewer):
    viewer.add_image(np.zeros((4, *SHAPE)))
    layer = viewer.add_image(np.zeros((*SHAPE, 3)), rgb=True, scale=(-1, 1))
    assert cells(view_of(shown_slice(viewer, layer), viewer), "top left") == ((2, 0),)


# -- the patient ----------------------------------------------------------------


def of_napari_nifti(viewer):
    """A volume as napari-nifti gives it: axes lead superior, anterior, right; all are flipped."""
    metadata = {
        "affine": np.eye(4),
        "direction": np.eye(3),
        "header": {},
        "coordinate_system": "RAS",
    }
    data = np.zeros((4, 60, 90), np.uint8)
    return viewer.add_image(
        data, scale=(-3, -1, -1), metadata=metadata, contrast_limits=(0, 255), name="brain"
    )


@pytest.mark.parametrize(
    ("order", "expected", "seen"),
    [
        # Axial: anterior at the top, the patient's right on the left.
        ((0, 1, 2), ("A", "R"), {"anterior": "top", "patientright": "left"}),
        # Sagittal: superior at the top, anterior on the left.
        ((2, 0, 1), ("S", "A"), {"superior": "top", "anterior": "left"}),
        ((1, 0, 2), ("S", "R"), {"inferior": "bottom", "patientleft": "right"}),
    ],
)
def test_sides_of_the_patient_in_slices_of_a_volume(viewer, order, expected, seen):
    layer = of_napari_nifti(viewer)
    viewer.dims.order = order
    view = view_of(shown_slice(viewer, layer), viewer)
    assert view.letters == expected
    for side, place in seen.items():
        assert cells(view, side) == cells(view, place)


def test_what_is_seen_of_a_slice_of_the_patient(viewer):
    layer = of_napari_nifti(viewer)
    viewer.reset_view()
    down, right = seen_at(viewer, layer, "anterior")
    assert down < -3 * abs(right)
    down, right = seen_at(viewer, layer, "patientleft")
    assert right > 3 * abs(down)


LPS = np.array([[-1.0, 0, 0, 90], [0, -1, 0, 60], [0, 0, 3, 0], [0, 0, 0, 1]])


def header(shape):
    return nibabel.Nifti1Image(np.zeros(shape), LPS).header


@pytest.mark.parametrize(
    ("shape", "metadata", "expected"),
    [
        ((9, 8, 7), {}, ("", "", "")),
        ((9, 8, 7), {"affine": LPS}, ("", "", "")),
        ((9, 8, 7), {"affine": LPS, "header": header((9, 8, 7))}, ("L", "P", "S")),
        ((7, 8, 9), {"affine": LPS, "header": header((9, 8, 7))}, ("S", "P", "L")),
        ((7, 7, 9), {"affine": LPS, "header": header((9, 8, 7))}, ("", "", "")),
        ((7, 8, 7), {"affine": LPS, "header": header((7, 8, 7))}, ("", "", "")),
        ((8, 8, 8), {"affine": LPS, "header": header((8, 8, 8))}, ("", "", "")),
        (
            (9, 8, 7),
            {"affine": LPS[:, [1, 2, 0, 3]], "header": header((9, 8, 7))},
            ("P", "S", "L"),
        ),
        ((9, 8, 7), {"affine": LPS, "direction": np.eye(3)}, ("", "", "")),
        ((9, 8, 7), {"affine": np.zeros((4, 4))}, ("", "", "")),
        ((9, 8, 7), {"affine": "unknown"}, ("", "", "")),
        ((9, 8), {"affine": np.eye(3)}, ("", "")),
    ],
)
def test_letters_are_those_that_the_metadata_tell(viewer, shape, metadata, expected):
    layer = viewer.add_image(np.zeros(shape), metadata=metadata)
    assert letters(layer) == expected


@pytest.mark.parametrize(
    ("shape", "scale", "expected"),
    [
        ((8, 8, 8), (1, 1, 3), ("L", "P", "S")),
        ((8, 8, 8), (-3, 1, 1), ("S", "P", "L")),
        ((8, 8, 8), (1, 3, 1), ("", "", "")),
        ((9, 8, 7), (1, 1, 1), ("L", "P", "S")),
        ((9, 8, 7), (3, 1, 1), ("", "", "")),
    ],
)
def test_sizes_of_voxels_tell_how_a_cube_lies_and_may_not_contradict(
    viewer, shape, scale, expected
):
    metadata = {"affine": LPS, "header": header(shape)}
    layer = viewer.add_image(np.zeros(shape), scale=scale, metadata=metadata)
    assert letters(layer) == expected


def test_an_axis_between_two_sides_has_no_letter(viewer):
    slightly, halfway = (
        np.block([[turned(angle)[:2, :2], np.zeros((2, 2))], [np.zeros((2, 2)), np.eye(2)]])
        for angle in (30, 45)
    )
    metadata = {"affine": slightly, "header": header((9, 8, 7))}
    layer = viewer.add_image(np.zeros((9, 8, 7)), metadata=metadata)
    assert letters(layer) == ("R", "A", "S")
    layer.metadata["affine"] = halfway
    assert letters(layer)[2] == "S"
    assert letters(layer)[:2] == ("", "")
