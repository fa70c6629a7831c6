"""NIfTI and NRRD: the grid of an image is that of its labels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.files import Picture, open_image, write_labels
from napari_guideme.files.geometry import LPS, Geometry

nibabel = pytest.importorskip("nibabel")
nrrd = pytest.importorskip("nrrd")

SHAPE = (5, 4, 3)


def turned(*degrees: float) -> np.ndarray:
    """A rotation about x, y and z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        i, j = [k for k in range(3) if k != axis]
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        matrix = step @ matrix
    return matrix


def placed(directions: np.ndarray, origin=(-91.25, 126.7, -72.013)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = directions, origin
    return affine


AFFINES = {
    "straight": placed(np.diag([0.7, 0.8, 3.0])),
    "flipped": placed(np.diag([-0.7, 0.8, -3.0])),
    "swapped": placed(np.diag([-0.7, 0.8, 3.0])[[2, 0, 1]]),
    "oblique": placed(turned(11, -23, 37) @ np.diag([0.7, 0.8, 3.0])),
    "oblique, left-handed": placed(turned(170, 40, -5) @ np.diag([0.7, -0.8, 3.0])),
}


def nifti(path, affine, data=None, sform=1, qform=1, unit="mm"):
    image = nibabel.Nifti1Image(numbered(SHAPE) if data is None else data, affine)
    image.set_sform(affine if sform else None, sform)
    image.set_qform(affine if qform else None, qform)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)
    return path


def numbered(shape):
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape)


@pytest.fixture(params=AFFINES)
def affine(request):
    return AFFINES[request.param]


def test_planes_rows_and_columns_are_the_axes_of_the_file_reversed(tmp_path, affine):
    picture = open_image(nifti(tmp_path / "a.nii", affine))
    np.testing.assert_array_equal(picture.pixels, numbered(SHAPE).T)
    assert picture.axes == ("z", "y", "x")
    at = picture.geometry.affine @ [2, 1, 3, 1]
    np.testing.assert_allclose(at, affine @ [3, 1, 2, 1], rtol=1e-6)
    np.testing.assert_allclose(picture.geometry.spacing, (3.0, 0.8, 0.7), rtol=1e-6)


@pytest.mark.parametrize("forms", [(1, 1), (2, 0), (0, 1), (3, 1), (0, 0)])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_keeps_sform_qform_and_their_codes(tmp_path, affine, forms, ending):
    source = nifti(tmp_path / f"a{ending}", affine, sform=forms[0], qform=forms[1])
    picture = open_image(source)
    write_labels(tmp_path / f"labels{ending}", picture.pixels % 3, picture)
    before, after = nibabel.load(source), nibabel.load(tmp_path / f"labels{ending}")
    np.testing.assert_allclose(after.affine, before.affine, rtol=0, atol=1e-6)
    for get in ("get_sform", "get_qform"):
        was, code = getattr(before.header, get)(coded=True)
        now, code_now = getattr(after.header, get)(coded=True)
        assert code_now == code
        if code:
            np.testing.assert_allclose(now, was, rtol=0, atol=1e-6)
    assert after.header.get_zooms() == before.header.get_zooms()
    assert after.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_array_equal(np.asarray(after.dataobj), numbered(SHAPE) % 3)
    assert picture.geometry.patient == any(forms)


def test_an_sform_that_differs_from_the_qform_is_kept_apart(tmp_path):
    image = nibabel.Nifti1Image(numbered(SHAPE), AFFINES["oblique"])
    image.set_sform(AFFINES["oblique"], 4)
    image.set_qform(AFFINES["flipped"], 1)
    nibabel.save(image, tmp_path / "a.nii")
    picture = open_image(tmp_path / "a.nii")
    write_labels(tmp_path / "b.nii", picture.pixels, picture)
    after = nibabel.load(tmp_path / "b.nii")
    np.testing.assert_allclose(after.get_sform(), AFFINES["oblique"], atol=1e-5)
    np.testing.assert_allclose(after.get_qform(), AFFINES["flipped"], atol=1e-5)


@pytest.mark.parametrize("nrrd_ending", [".nrrd", ".nhdr"])
def test_from_nifti_to_nrrd_and_back(tmp_path, affine, nrrd_ending):
    picture = open_image(nifti(tmp_path / "a.nii.gz", affine))
    write_labels(tmp_path / f"b{nrrd_ending}", picture.pixels, picture)
    between = open_image(tmp_path / f"b{nrrd_ending}")
    np.testing.assert_allclose(between.geometry.affine, picture.geometry.affine, atol=1e-6)
    write_labels(tmp_path / "c.nii.gz", between.pixels, between)
    back = nibabel.load(tmp_path / "c.nii.gz")
    np.testing.assert_allclose(back.affine, nibabel.load(tmp_path / "a.nii.gz").affine, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(back.dataobj), numbered(SHAPE))
    assert between.geometry.letters == picture.geometry.letters


@pytest.mark.parametrize("space", ["left-posterior-superior", "RAS", "left-anterior-superior"])
def test_spaces_of_nrrd_are_one_world(tmp_path, space):
    nrrd.write(
        str(tmp_path / "a.nrrd"),
        numbered(SHAPE),
        {"space": space, "space directions": np.diag([1.0, 2, 3]), "space origin": [1, 2, 3]},
    )
    letters = {"left-posterior-superior": "SPL", "RAS": "SAR", "left-anterior-superior": "SAL"}
    assert "".join(open_image(tmp_path / "a.nrrd").geometry.letters) == letters[space]


def test_an_nrrd_without_a_space_has_spacings(tmp_path):
    nrrd.write(str(tmp_path / "a.nrrd"), numbered(SHAPE), {"spacings": [0.5, 1.0, 4.0]})
    picture = open_image(tmp_path / "a.nrrd")
    assert picture.geometry.spacing == (4.0, 1.0, 0.5)
    assert picture.geometry.letters == ("", "", "")
    write_labels(tmp_path / "b.nrrd", picture.pixels, picture)
    assert open_image(tmp_path / "b.nrrd").geometry.spacing == (4.0, 1.0, 0.5)


def test_a_new_detached_header_never_meets_old_data(tmp_path):
    for value in (1, 2):
        write_labels(tmp_path / "a.nhdr", np.full((3, 4, 5), value))
        assert (open_image(tmp_path / "a.nhdr").pixels == value).all()
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]
    assert len(list(tmp_path.iterdir())) == 2


def test_data_of_others_stay_when_their_header_is_replaced(tmp_path):
    nrrd.write(str(tmp_path / "a.nhdr"), numbered(SHAPE))
    before = {file.name for file in tmp_path.iterdir()}
    write_labels(tmp_path / "a.nhdr", np.ones((3, 4, 5), int))
    assert before < {file.name for file in tmp_path.iterdir()}


def test_a_plane_in_a_space_of_two_axes_keeps_its_spacing(tmp_path):
    header = {"space dimension": 2, "space directions": [[0.3, 0], [0, 0.7]]}
    header |= {"space origin": [5.0, 6.0], "space units": ["mm", "mm"]}
    nrrd.write(str(tmp_path / "a.nrrd"), numbered((5, 4)), header)
    picture = open_image(tmp_path / "a.nrrd")
    assert picture.axes == ("y", "x")
    assert picture.geometry.spacing[1:] == pytest.approx((0.7, 0.3))
    assert picture.geometry.unit == "millimeter"
    np.testing.assert_allclose(picture.geometry.affine @ [0, 1, 2, 1], [5.6, 6.7, 0, 1])
    write_labels(tmp_path / "b.nrrd", picture.pixels, picture)
    read = open_image(tmp_path / "b.nrrd")
    np.testing.assert_allclose(read.geometry.affine, picture.geometry.affine)


@pytest.mark.parametrize("space", ["left-posterior-superior-time", "LPST"])
def test_time_is_no_axis_of_space(tmp_path, space):
    directions = np.diag([0.7, 0.8, 3.0, 2.0])
    header = {"space": space, "space directions": directions, "space origin": [1.0, 2, 3, 0]}
    nrrd.write(str(tmp_path / "a.nrrd"), numbered((*SHAPE, 2)), header)
    picture = open_image(tmp_path / "a.nrrd")
    assert picture.axes == ("t", "z", "y", "x")
    assert picture.geometry.letters == ("S", "P", "L")
    assert picture.geometry.spacing == pytest.approx((3.0, 0.8, 0.7))


def test_patients_sides_are_told_by_the_affine():
    # Planes lead to the feet, rows to the back, columns to the right hand.
    geometry = Geometry(placed(np.array([[0, 0, 1.0], [0, -2, 0], [-3, 0, 0]])), patient=True)
    assert geometry.letters == ("I", "P", "R")
    assert Geometry(LPS @ geometry.affine, patient=True).letters == ("I", "A", "L")


def test_colours_of_nifti_are_channels(tmp_path):
    colours = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["G"] = 7
    nibabel.save(nibabel.Nifti1Image(colours, np.eye(4)), tmp_path / "a.nii")
    picture = open_image(tmp_path / "a.nii")
    assert picture.axes == ("c", "z", "y", "x")
    assert picture.pixels.mean(axis=(1, 2, 3)).tolist() == [0, 7, 0]
    assert picture.label_shape == SHAPE[::-1]


def test_one_of_several_volumes_is_chosen(tmp_path):
    picture = open_image(nifti(tmp_path / "a.nii", np.eye(4), numbered((*SHAPE, 6))))
    assert picture.axes == ("t", "z", "y", "x")
    np.testing.assert_array_equal(picture.volume(4).pixels, numbered((*SHAPE, 6))[..., 4].T)
    assert picture.with_channels(0).volume(None).axes == ("c", "z", "y", "x")
    with pytest.raises(
        InputError, match=r"6 volumes.*--volume N, from 0 to 5, or --channel-axis 0"
    ):
        picture.volume(None)
    with pytest.raises(InputError, match="no volume 6; choose one from 0 to 5"):
        picture.volume(6)


def zero_spacing(path):
    nifti(path, np.eye(4))
    raw = bytearray(path.read_bytes())
    raw[80:84] = np.float32(0).tobytes()
    path.write_bytes(raw)


def nan_affine(path):
    nifti(path, np.eye(4))
    raw = bytearray(path.read_bytes())
    raw[280:284] = np.float32(np.nan).tobytes()
    path.write_bytes(raw)


def flat_affine(path):
    nifti(path, AFFINES["oblique"], qform=0)
    raw = bytearray(path.read_bytes())
    raw[296:312] = raw[280:296]
    path.write_bytes(raw)


def cut(path):
    nifti(path, np.eye(4), np.random.default_rng(0).integers(0, 99, (40, 40, 40), np.int16))
    path.write_bytes(path.read_bytes()[:3000])


BROKEN = {
    "zero spacing": (zero_spacing, "a.nii", "spacing is zero"),
    "NaN affine": (nan_affine, "a.nii", "not finite"),
    "flat affine": (flat_affine, "a.nii", "lie in one plane"),
    "cut": (cut, "a.nii", "not a readable image"),
    "cut gz": (cut, "a.nii.gz", "not a readable image"),
    "empty": (lambda path: path.touch(), "a.nii.gz", "not a readable image"),
    "empty nrrd": (lambda path: path.touch(), "a.nrrd", "not a readable image"),
    "text": (lambda path: path.write_text("no"), "a.nhdr", "not a readable image"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_one_line(tmp_path, case, capfd):
    make, name, told = BROKEN[case]
    make(tmp_path / name)
    with pytest.raises(InputError, match=rf"^{name}[^\n]*{told}[^\n]*$") as raised:
        open_image(tmp_path / name)
    assert str(tmp_path) not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_labels_of_another_shape_are_refused(tmp_path):
    with pytest.raises(InputError, match="labels have shape"):
        write_labels(
            tmp_path / "a.nii", np.zeros((2, 2), int), Picture(np.zeros((3, 3)), ("y", "x"))
        )
    assert not list(tmp_path.iterdir())


def test_real_volumes_keep_their_grid(shared, tmp_path):
    data = shared / "data"
    sources = [
        *sorted((data / "ct_organs").rglob("image.nii.gz")),
        data / "brain_t1_oasis/image.nii.gz",
        *sorted((data / "tumours_pyradiomics/images").iterdir()),
    ]
    assert len(sources) == 7
    for source in sources:
        picture = open_image(source)
        labels = (picture.pixels > np.median(picture.pixels)).astype(np.uint8)
        for name in ("a.nii.gz", "a.nrrd"):
            write_labels(tmp_path / name, labels, picture)
            read = open_image(tmp_path / name)
            np.testing.assert_allclose(
                read.geometry.affine, picture.geometry.affine, rtol=1e-6, atol=1e-6
            )
            np.testing.assert_array_equal(read.pixels, labels)
            assert read.geometry.letters == picture.geometry.letters
