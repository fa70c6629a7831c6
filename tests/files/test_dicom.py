from __future__ import annotations

import shutil

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.files import may_name_a_patient, open_image, write_labels
from tests.files.series import BIRTH, NAME, NUMBER, SECRETS, SERIES, many_frames, write_series

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")
nibabel = pytest.importorskip("nibabel")

OBLIQUE = (0.96592583, 0.25881905, 0.0, -0.0669873, 0.25, 0.96592583)


@pytest.fixture
def values() -> np.ndarray:
    """Hounsfield units, another one in each voxel."""
    return np.arange(6 * 5 * 4).reshape(6, 5, 4) - 1000


@pytest.fixture
def series(tmp_path, values):
    write_series(tmp_path / "series", values)
    return tmp_path / "series"


def test_slices_are_sorted_by_position_and_hold_hounsfield_units(series, values):
    picture = open_image(series)
    np.testing.assert_array_equal(picture.pixels, values)
    assert picture.pixels.dtype == np.int16
    assert picture.axes == ("z", "y", "x")
    assert picture.geometry.letters == ("S", "P", "L")
    np.testing.assert_allclose(picture.geometry.spacing, (2.5, 0.7, 0.6))
    np.testing.assert_allclose(picture.geometry.affine @ [0, 0, 0, 1], [120.5, 80.25, 33.125, 1])
    np.testing.assert_allclose(
        picture.geometry.affine @ [2, 1, 3, 1], [120.5 - 1.8, 80.25 - 0.7, 33.125 + 5, 1]
    )


def edited(series, edit) -> None:
    """Change what slices say, each told its number from 0 in the order of their places."""
    for file in series.iterdir():
        slice_ = pydicom.dcmread(file)
        edit(slice_, 100 - int(slice_.InstanceNumber))
        slice_.save_as(file)


def without_place(slice_, _=0) -> None:
    del slice_.ImagePositionPatient


def test_slices_without_a_place_are_sorted_by_their_numbers(series, values):
    edited(series, without_place)
    picture = open_image(series)
    # Slices are numbered downwards here, and their files are named in no order.
    np.testing.assert_array_equal(picture.pixels, values[::-1])
    np.testing.assert_allclose(picture.geometry.spacing, (2.5, 0.7, 0.6))


def unnumbered(slice_, index) -> None:
    without_place(slice_)
    if index == 2:
        del slice_.InstanceNumber


def numbered_twice(slice_, index) -> None:
    without_place(slice_)
    slice_.InstanceNumber = index // 2


def placed_in_part(slice_, index) -> None:
    if index == 2:
        without_place(slice_)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (unnumbered, r"nor, each its own, a number \(InstanceNumber\): their order is unknown"),
        (numbered_twice, r"nor, each its own, a number \(InstanceNumber\)"),
        (placed_in_part, "only 5 of its 6 slices tell where they lie"),
    ],
)
def test_slices_whose_order_is_unknown_are_refused(series, edit, told):
    edited(series, edit)
    with pytest.raises(InputError, match=told):
        open_image(series)


def test_frames_without_a_place_stay_in_order(tmp_path, values):
    write_series(tmp_path, values[:1])
    [file] = tmp_path.iterdir()
    frames = pydicom.dcmread(file)
    without_place(frames)
    frames.NumberOfFrames = len(values)
    frames.PixelData = (values + 1024).astype(np.uint16).tobytes()
    frames.save_as(file)
    np.testing.assert_array_equal(open_image(tmp_path).pixels, values)


def test_colours_of_a_palette_are_read_as_colours(series):
    palette = np.array([[0, 0, 0], [255, 0, 0], [0, 128, 0], [0, 0, 64]], np.uint8)
    numbers = np.arange(20).reshape(5, 4) % 4

    def paint(slice_, _) -> None:
        slice_.PhotometricInterpretation = "PALETTE COLOR"
        slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit = 8, 8, 7
        slice_.PixelData = numbers.astype(np.uint8).tobytes()
        del slice_.RescaleSlope, slice_.RescaleIntercept
        for name, colours in zip(("Red", "Green", "Blue"), palette.T, strict=True):
            table = f"{name}PaletteColorLookupTable"
            slice_.add_new(f"{table}Descriptor", "US", [4, 0, 8])
            slice_.add_new(f"{table}Data", "OW", colours.tobytes())

    edited(series, paint)
    picture = open_image(series)
    assert picture.axes == ("z", "y", "x", "c")
    np.testing.assert_array_equal(picture.pixels, np.stack([palette[numbers]] * 6))


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), OBLIQUE])
@pytest.mark.parametrize("name", ["labels.nii.gz", "labels.nrrd"])
def test_labels_of_a_series_keep_its_grid(tmp_path, values, orientation, name):
    write_series(tmp_path / "series", values, orientation=orientation)
    picture = open_image(tmp_path / "series")
    write_labels(tmp_path / name, (values % 4).astype(int), picture)
    read = open_image(tmp_path / name)
    np.testing.assert_array_equal(read.pixels, values % 4)
    np.testing.assert_allclose(read.geometry.affine, picture.geometry.affine, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("frames", ["slices", "one file"])
def test_a_segmentation_lies_on_its_series(tmp_path, series, values, frames):
    if frames == "one file":
        many_frames(tmp_path / "frames.dcm", series)
        series = tmp_path / "frames.dcm"
    picture = open_image(series)
    np.testing.assert_array_equal(picture.pixels, values)
    labels = np.zeros(values.shape, int)
    labels[1:3, 2:4, 1:3], labels[4, 0, 0] = 1, 2
    write_labels(tmp_path / "labels.dcm", labels, picture, ("background", "liver", "spleen"))
    written = highdicom.seg.segread(tmp_path / "labels.dcm")
    assert [s.segment_label for s in written.SegmentSequence] == ["liver", "spleen"]
    volume = written.get_volume(combine_segments=True)
    where = picture.geometry.affine
    found = np.argwhere(volume.array)
    world = volume.affine @ np.c_[found, np.ones(len(found))].T
    index = np.linalg.solve(where, np.diag([-1.0, -1, 1, 1]) @ world)[:3].T
    np.testing.assert_allclose(index, index.round(), atol=1e-4)
    expected = {
        (*at, labels[tuple(at)]) for at in np.argwhere(labels).tolist() for at in [tuple(at)]
    }
    seen = zip(index.round().astype(int).tolist(), volume.array[tuple(found.T)], strict=True)
    assert {(*at, value) for at, value in seen} == expected


def test_labels_without_any_object_are_a_segmentation_too(tmp_path, series, values):
    picture = open_image(series)
    write_labels(tmp_path / "a.dcm", np.zeros(values.shape, int), picture, ("background", "liver"))
    assert not highdicom.seg.segread(tmp_path / "a.dcm").pixel_array.any()


def test_a_single_slice_is_an_image_of_two_axes(series):
    picture = open_image(sorted(series.iterdir())[0])
    assert picture.axes == ("y", "x")
    assert picture.geometry.letters[1:] == ("P", "L")


def test_each_slice_is_rescaled_by_its_own_slope(series, values):
    for file in series.iterdir():
        slice_ = pydicom.dcmread(file)
        slice_.RescaleSlope, slice_.RescaleIntercept = 0.5, int(slice_.InstanceNumber)
        slice_.save_as(file)
    expected = (values + 1024) * 0.5 + (100 - np.arange(6))[:, None, None]
    np.testing.assert_array_equal(open_image(series).pixels, expected)


def test_several_series_are_numbered(tmp_path, series, values):
    write_series(series, values[:2, :3], uid="1.2.826.99.8", number=7, modality="MR")
    with pytest.raises(InputError) as raised:
        open_image(series)
    assert str(raised.value) == (
        "the DICOM series: it holds 2 series; choose one with --series N: "
        "1 (CT, 6 slices of 5 x 4), 2 (MR, 2 slices of 3 x 4)"
    )
    assert open_image(series, series="2").pixels.shape == (2, 3, 4)
    assert open_image(series, series=SERIES).pixels.shape == (6, 5, 4)
    with pytest.raises(InputError, match="does not name one of its series: 1 "):
        open_image(series, series="3")


def shifted(series, values):
    file = sorted(series.iterdir())[-1]
    slice_ = pydicom.dcmread(file)
    slice_.ImagePositionPatient[2] += 1.0
    slice_.save_as(file)


def left_out(series, values):
    shutil.rmtree(series)
    write_series(series, values, leave_out=(3,))


def doubled(series, values):
    shutil.copy(sorted(series.iterdir())[0], series / "again.dcm")


def emptied(series, values):
    shutil.rmtree(series)
    series.mkdir()


def only_text(series, values):
    emptied(series, values)
    (series / "notes.txt").write_text(NAME)


def not_dicom(series, values):
    (series / f"{NAME}.dcm").write_text(NAME)


def cut(series, values):
    file = sorted(series.iterdir())[0]
    file.write_bytes(file.read_bytes()[:-7])


BROKEN = {
    shifted: r"not evenly spaced: 2\.5 mm apart, but",
    left_out: r"not evenly spaced: 2\.5 mm apart, but 5 mm after slice 3 of 5; 1 missing there",
    doubled: "1 of its 7 slices lie where another one lies",
    emptied: "there is no image in it",
    only_text: "there is no image in it",
    not_dicom: "a file that is named as DICOM is none",
    cut: r"broken, or compressed.*\(ValueError\)",
}


@pytest.mark.parametrize("spoil", BROKEN, ids=lambda spoil: spoil.__name__)
def test_what_is_broken_is_one_line_without_a_name(series, values, spoil, capfd):
    spoil(series, values)
    with pytest.raises(InputError, match=BROKEN[spoil]) as raised:
        open_image(series)
    assert "\n" not in str(raised.value)
    assert not [word for word in SECRETS if word in str(raised.value).lower()]
    assert capfd.readouterr() == ("", "")


def test_other_files_beside_slices_are_left_alone(series, values):
    (series / "notes.txt").write_text("notes")
    write_labels(series / "labels.dcm", values * 0 + 1, open_image(series))
    np.testing.assert_array_equal(open_image(series).pixels, values)


def test_a_segmentation_needs_a_series(tmp_path, values):
    nibabel.save(nibabel.Nifti1Image(values.astype(np.int16), np.eye(4)), tmp_path / "a.nii")
    picture = open_image(tmp_path / "a.nii")
    with pytest.raises(InputError, match=r"belongs to a DICOM series.*\.nii\.gz"):
        write_labels(tmp_path / "b.dcm", np.zeros(picture.label_shape, int), picture)
    assert not (tmp_path / "b.dcm").exists()


def test_labels_name_no_patient(tmp_path, series, values):
    picture = open_image(series)
    for name in ("labels.nii", "labels.nrrd", "labels.tif", "labels.zarr"):
        write_labels(tmp_path / name, (values % 3).astype(int), picture)
    files = [file for file in tmp_path.rglob("*") if series not in (file, *file.parents)]
    written = b"".join(file.read_bytes() for file in files if file.is_file()).lower()
    assert len(written) > 1000
    assert not [word for word in SECRETS if word.encode() in written]
    raw = next(series.iterdir()).read_bytes()
    assert all(word.encode() in raw for word in (NAME, NUMBER, BIRTH))


def test_a_segmentation_of_strange_entries_says_nothing(tmp_path, series, values, recwarn, caplog):
    for file in series.iterdir():
        slice_ = pydicom.dcmread(file)
        slice_.PatientName = "Mustermann, Erika"
        slice_.StudyInstanceUID = f"1.2.{NAME}"
        slice_.save_as(file)
    picture = open_image(series)
    recwarn.clear()
    caplog.clear()
    write_labels(tmp_path / "a.dcm", (values % 3).astype(int), picture)
    assert not recwarn.list
    assert not caplog.records


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_segmentation_leaves_out_what_breaks_the_standard(tmp_path, series, values):
    for file in series.iterdir():
        slice_ = pydicom.dcmread(file)
        slice_.PatientSex, slice_.PatientBirthDate = "female", "12.8.1964"
        slice_.StudyDate, slice_.StudyTime = "unknown", "12 o'clock"
        del slice_.AccessionNumber
        slice_.save_as(file)
    write_labels(tmp_path / "a.dcm", (values % 3).astype(int), open_image(series))
    written = highdicom.seg.segread(tmp_path / "a.dcm")
    assert written.PatientID == NUMBER
    for keyword in ("PatientSex", "PatientBirthDate", "StudyDate", "StudyTime", "AccessionNumber"):
        assert not written.get(keyword)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IM0001", True),
        ("scan.mha", True),
        ("scan.mgz", True),
        ("scan.hdr", True),
        ("scan.nii.gz", True),
        ("scan.dcm", True),
        ("cells.TIF", False),
        ("cells.png", False),
    ],
)
def test_what_is_no_plain_picture_may_name_a_patient(tmp_path, name, expected):
    assert may_name_a_patient(tmp_path / name) is expected


def test_folders_may_name_a_patient_and_stores_say_so(tmp_path):
    zarr = pytest.importorskip("zarr")
    (tmp_path / NAME).mkdir()
    assert may_name_a_patient(tmp_path / NAME)
    store = zarr.open_group(tmp_path / "a.zarr", mode="w")
    assert not may_name_a_patient(tmp_path / "a.zarr")
    store.attrs["napari-guideme"] = {"private": True}
    assert may_name_a_patient(tmp_path / "a.zarr")
