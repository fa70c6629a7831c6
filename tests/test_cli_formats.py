"""The shell on formats of medicine and of large microscopy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from napari_guideme.cli import main
from napari_guideme.files import open_image, write_labels
from napari_guideme.networks.card import NetworkCard, sidecar, write_card
from tests.files.series import NAME, SECRETS, write_series
from tests.files.test_ome_zarr import write_image
from tests.networks.files import onnx_model
from tests.test_architecture import loaded_after

nibabel = pytest.importorskip("nibabel")
LIBRARIES = {"nibabel", "nrrd", "pydicom", "highdicom", "zarr", "dask", "SimpleITK"}


@pytest.fixture
def volumes(tmp_path) -> Path:
    """A network of three axes that calls bright what is above the middle of its range."""
    weights = {
        "w": np.array([-1, 1], np.float32).reshape(2, 1, 1, 1, 1),
        "b": np.array([1, 0], np.float32),
        "e": 2 * np.eye(2, dtype=np.float32).reshape(2, 2, 1, 1, 1),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["f"]),
        helper.make_node("Relu", ["f"], ["r"]),
        helper.make_node("Conv", ["r", "e"], ["y"]),
    ]
    path = tmp_path / "volumes.onnx"
    onnx.save(onnx_model(nodes, ("n", 1, "d", "h", "w"), weights), path)
    preparation = {"ndim": 3, "channels": 1, "value_range": "dtype"}
    write_card(sidecar(path), NetworkCard(classes=("dark", "bright"), preparation=preparation))
    return path


@pytest.fixture
def scan(tmp_path) -> Path:
    """A DICOM series of air and bone, in a folder that is called as the patient is."""
    pytest.importorskip("highdicom")
    values = np.full((4, 24, 20), -900)
    values[:, 8:16, 5:12] = 900
    folder = tmp_path / NAME
    write_series(folder, values, orientation=(0.8, 0.6, 0, -0.6, 0.8, 0))
    return folder


def hints(folder: Path) -> Path:
    path = folder / "hints.json"
    path.write_text(json.dumps({"clicks": [{"at": [1, 2, 2], "class": "bright"}]}))
    return path


@pytest.mark.parametrize("name", ["l.nii.gz", "l.nrrd", "l.nhdr", "l.dcm", "l.zarr", "l.tif"])
def test_a_series_is_predicted_into_any_format(volumes, scan, tmp_path, name):
    words = ["--network", str(volumes), "--window", "bone", "-o", str(tmp_path / name)]
    assert main(["predict", str(scan), *words]) == 0
    if name == "l.dcm":
        import highdicom

        written = highdicom.seg.segread(tmp_path / name)
        assert written.SegmentSequence[0].SegmentLabel == "bright"
        assert written.pixel_array.sum() == 4 * 8 * 7
        return
    read = open_image(tmp_path / name)
    assert np.asarray(read.pixels).sum() == 4 * 8 * 7
    if name != "l.tif":
        affine = open_image(scan).geometry.affine
        np.testing.assert_allclose(read.geometry.affine, affine, rtol=1e-6, atol=1e-6)


def test_no_patient_is_named_by_a_real_process(volumes, scan, tmp_path):
    out, report = tmp_path / "labels.nii.gz", tmp_path / "report.json"
    command = [sys.executable, "-m", "napari_guideme.cli", "refine", scan, "--network", volumes]
    words = ["--window", "400,1800", "--hints", hints(tmp_path), "-o", out, "--json", report]
    done = subprocess.run(
        [str(word) for word in (*command, *words)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(report.read_text())["image"] == "a DICOM series"
    written = (done.stdout + done.stderr + report.read_text()).lower()
    labels = nibabel.load(out)
    written += str(labels.header).lower() + str(labels.header.extensions).lower()
    assert not [word for word in SECRETS if word in written]


def test_the_patients_sides_are_known_from_the_file(volumes, tmp_path):
    # Columns lead to the patient's left, then to the right.
    for side in (1, -1):
        affine = np.diag([-side, 1.0, 1, 1])
        nibabel.save(nibabel.Nifti1Image(np.zeros((9, 9, 9), np.uint8), affine), tmp_path / "a.nii")
        words = ["--network", str(volumes), "--say", "find the bright on the patient's left"]
        assert main(["refine", str(tmp_path / "a.nii"), *words, "-o", str(tmp_path / "l.nii")]) == 0
        bright = np.asarray(nibabel.load(tmp_path / "l.nii").dataobj).sum(axis=(1, 2))[::side]
        assert bright[-1] > bright[0]


def test_voxels_are_as_large_as_the_file_says(volumes, tmp_path):
    """A click reaches half as many voxels along an axis of voxels twice as long."""
    pixels, counts = np.full((41, 21, 11), 80, np.uint8), {}
    words = ["--network", str(volumes), "--hints", str(tmp_path / "hints.json")]
    # Planes are the last axis of a NIfTI file and the first one of hints.
    (tmp_path / "hints.json").write_text(
        json.dumps({"clicks": [{"at": [5, 10, 3], "class": "bright"}]})
    )
    for name, sizes, more in (
        ("cubes", (1, 1, 1), []),
        ("long", (1, 2, 4), []),
        ("told", (1, 1, 1), ["--spacing", "4,2,1"]),
    ):
        nibabel.save(nibabel.Nifti1Image(pixels, np.diag([*sizes, 1.0])), tmp_path / "a.nii")
        out = tmp_path / f"{name}.nii"
        assert main(["refine", str(tmp_path / "a.nii"), *words, *more, "-o", str(out)]) == 0
        bright = np.asarray(nibabel.load(out).dataobj)
        lines = bright[3, 10], bright[3, :, 5], bright[3:, 10, 5]
        counts[name] = [int(line.sum()) for line in lines]
    assert counts["long"] == counts["told"]
    planes, rows, columns = counts["long"]
    assert 3 <= planes < 11
    assert abs(2 * planes - rows) <= 2
    assert abs(rows - columns) <= 2
    assert counts["cubes"] != counts["long"]


def test_one_of_several_volumes(volumes, tmp_path, capsys):
    data = np.zeros((6, 7, 8, 3), np.uint8)
    data[..., 1] = 255
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / "a.nii")
    words = ["predict", str(tmp_path / "a.nii"), "--network", str(volumes)]
    words += ["-o", str(tmp_path / "l.nii")]
    assert main(words) == 2
    assert "--volume N, from 0 to 2" in capsys.readouterr().err
    assert main([*words, "--volume", "1"]) == 0
    assert np.asarray(nibabel.load(tmp_path / "l.nii").dataobj).all()
    assert main([*words, "--volume", "2"]) == 0
    assert not np.asarray(nibabel.load(tmp_path / "l.nii").dataobj).any()
    assert main([*words, "--channel-axis", "0", "--channels", "1"]) == 0
    assert np.asarray(nibabel.load(tmp_path / "l.nii").dataobj).all()


def saved(words: list[str], folder: Path, suffix: str) -> tuple[Path, Path]:
    """Refine by a click, and return the session and the labels."""
    path, labels = folder / "work.guideme.json", folder / f"a{suffix}"
    told = ["--hints", hints(folder), "-o", labels, "--save-session", path]
    assert main([*words, *map(str, told)]) == 0
    return path, labels


def same(before: Path, after: Path) -> bool:
    """Whether labels and their grid are the same."""
    one, two = open_image(before), open_image(after)
    assert np.asarray(one.pixels).any()
    np.testing.assert_array_equal(one.geometry.affine, two.geometry.affine)
    return np.array_equal(one.pixels, two.pixels)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
@pytest.mark.parametrize("chosen", ["2", "1.2.826.99.7"])
def test_a_session_of_one_series_of_several_is_replayed(volumes, scan, tmp_path, suffix, chosen):
    write_series(scan, np.full((3, 24, 20), 40), uid="1.2.826.99.7", number=2)
    words = ["refine", str(scan), "--network", str(volumes), "--window", "soft-tissue"]
    path, labels = saved([*words, "--series", chosen], tmp_path, suffix)
    again = tmp_path / f"b{suffix}"
    assert main(["replay", str(path), "--image", str(scan), "-o", str(again)]) == 0
    assert same(labels, again)
    told = json.loads(path.read_text())
    assert told["image"]["series"] == 2
    assert told["network"]["card"]["preparation"]["limits"] == [-150, 250]
    # Alone in a folder it needs no number, which may be another one there.
    alone = tmp_path / "alone"
    alone.mkdir()
    for file in scan.glob("2-*"):
        file.rename(alone / file.name)
    words = ["replay", str(path), "--image", str(alone), "--series", "1", "-o", str(again)]
    assert main(words) == 0


def test_a_session_names_no_patient(volumes, scan, tmp_path, capsys):
    path, labels = saved(["refine", str(scan), "--network", str(volumes)], tmp_path, ".nrrd")
    text = path.read_text().lower()
    assert not [word for word in SECRETS if word in text]
    assert json.loads(text)["image"]["path"] is None
    capsys.readouterr()
    words = ["replay", str(path), "-o", str(tmp_path / "b.nrrd")]
    assert main(words) == 2
    assert "--image IMAGE" in capsys.readouterr().err
    assert main([*words, "--image", str(scan)]) == 0
    assert same(labels, tmp_path / "b.nrrd")
    write_series(scan, np.full((4, 24, 20), 40))
    assert main([*words, "--image", str(scan)]) == 2
    told = capsys.readouterr()
    assert "a DICOM series is not the image of this session" in told.err
    assert not [word for word in SECRETS if word in (told.out + told.err).lower()]


@pytest.mark.parametrize(
    "words", [["--volume", "1"], ["--channel-axis", "0", "--channels", "1"]], ids=str
)
def test_a_session_of_a_part_of_a_file_is_replayed(volumes, tmp_path, words):
    data = np.random.default_rng(0).integers(0, 255, (6, 7, 8, 3), np.uint8)
    image, again = tmp_path / "image.nii", tmp_path / "b.nii"
    nibabel.save(nibabel.Nifti1Image(data, np.diag([2.0, -1, 3, 1])), image)
    path, labels = saved(
        ["refine", str(image), "--network", str(volumes), *words], tmp_path, ".nii"
    )
    assert "image.nii" not in path.read_text()
    assert main(["replay", str(path), "--image", str(image), "-o", str(again)]) == 0
    assert same(labels, again)


def test_a_session_of_an_ome_zarr_is_replayed_into_it(volumes, tmp_path):
    pytest.importorskip("zarr")
    write_image(tmp_path / "a.zarr", (6, 8, 10))
    words = ["refine", str(tmp_path / "a.zarr"), "--network", str(volumes)]
    path, labels = saved(words, tmp_path, ".zarr/labels/bright")
    again = tmp_path / "b.nrrd"
    assert main(["replay", str(path), "-o", str(again)]) == 0
    np.testing.assert_array_equal(open_image(labels).pixels, open_image(again).pixels)
    assert main(["replay", str(path), "-o", str(tmp_path / "a.zarr")]) == 2


def test_sides_of_the_patient_are_those_of_the_file_when_replayed(volumes, tmp_path):
    image, path = tmp_path / "a.nii", tmp_path / "work.guideme.json"
    affine = np.diag([-1.0, 1, 1, 1])
    nibabel.save(nibabel.Nifti1Image(np.zeros((9, 9, 9), np.uint8), affine), image)
    words = ["--network", str(volumes), "--say", "find the bright on the patient's left"]
    before, after = tmp_path / "l.nii", tmp_path / "m.nii"
    told = ["-o", str(before), "--save-session", str(path)]
    assert main(["refine", str(image), *words, *told]) == 0
    assert json.loads(path.read_text())["parts"][0]["setup"]["patient"] == ["S", "A", "L"]
    assert main(["replay", str(path), "--image", str(image), "-o", str(after)]) == 0
    assert same(before, after)


def test_labels_go_inside_an_ome_zarr(volumes, tmp_path):
    pytest.importorskip("zarr")
    write_image(tmp_path / "a.zarr", (6, 8, 10))
    out = tmp_path / "a.zarr/labels/bright"
    assert (
        main(["predict", str(tmp_path / "a.zarr"), "--network", str(volumes), "-o", str(out)]) == 0
    )
    assert open_image(out).pixels.shape == (6, 8, 10)
    assert open_image(out).geometry.unit == "micrometer"


def test_the_image_is_never_overwritten(scan, tmp_path, capsys):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 4), np.uint8), np.eye(4)), tmp_path / "a.nii")
    slice_ = sorted(scan.iterdir())[0]
    for image, out in ((tmp_path / "a.nii", tmp_path / "a.nii"), (scan, slice_)):
        before = out.read_bytes()
        assert main(["predict", str(image), "-o", str(out)]) == 2
        assert "choose another name" in capsys.readouterr().err
        assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--window", "lungs"], "choose abdomen, bone"),
        (["--window", "50,0"], "a width above 0"),
        (["--series", "3"], "--series"),
        (["-o", "l.doc"], ".nii.gz"),
        (["-o", "missing/l.nrrd"], "cannot write"),
    ],
)
def test_wrong_words_are_one_line(scan, tmp_path, words, told):
    out = [] if "-o" in words else ["-o", "l.nii"]
    done = subprocess.run(
        [sys.executable, "-m", "napari_guideme.cli", "predict", scan.name, *out, *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert told in done.stderr
    assert sorted(tmp_path.iterdir()) == [scan]


@pytest.mark.parametrize(
    ("module", "make", "extra"),
    [
        ("nibabel", lambda path: (path / "a.nii").touch(), "medical"),
        ("nrrd", lambda path: (path / "a.nrrd").touch(), "medical"),
        ("pydicom", lambda path: (path / "a.dcm").touch(), "medical"),
        ("zarr", lambda path: (path / "a.zarr").mkdir(), "zarr"),
    ],
)
def test_a_library_that_is_missing_is_named(tmp_path, monkeypatch, capsys, module, make, extra):
    make(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    image = next(tmp_path.iterdir())
    assert main(["predict", str(image), "-o", str(tmp_path / "l.tif")]) == 2
    error = capsys.readouterr().err
    assert f'need {module}; install it by: pip install "napari-guideme[{extra}]"' in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("module", ["napari_guideme", "napari_guideme.cli", "napari_guideme.files"])
def test_libraries_of_formats_are_not_loaded_early(module):
    assert not loaded_after(f"import {module}") & LIBRARIES


def test_a_slice_of_a_real_scan_goes_through_every_format(shared, tmp_path):
    picture = open_image(shared / "data/ct_organs/ct_small/image.nii.gz")
    image = nibabel.load(shared / "data/ct_organs/ct_small/image.nii.gz")
    nibabel.save(image.slicer[:, :, 10:11], tmp_path / "one.nii.gz")
    values = np.maximum(picture.pixels[10:11], -1024)
    write_series(tmp_path / "one", values, spacing=picture.geometry.spacing)
    labels = {}
    for source in ("one.nii.gz", "one"):
        read = open_image(tmp_path / source)
        write_labels(tmp_path / "l.nrrd", (read.pixels > 100).astype(np.uint8), read)
        labels[source] = open_image(tmp_path / "l.nrrd").pixels
    assert labels["one"].any()
    np.testing.assert_array_equal(labels["one.nii.gz"].squeeze(), labels["one"].squeeze())


@pytest.mark.parametrize("words", [["predict"], ["refine", "--hints"]])
def test_a_broken_chunk_is_one_line_and_exit_code_2(volumes, tmp_path, words, capsys):
    pytest.importorskip("zarr")
    write_image(tmp_path / "a.zarr", (6, 8, 10), chunks=(2, 8, 10))
    (tmp_path / "a.zarr/s0/c/1/0/0").write_bytes(b"broken")
    if "--hints" in words:
        words = [*words, hints(tmp_path)]
    options = ["--network", volumes, "-o", tmp_path / "a.tif"]
    assert main([*map(str, [*words, *options, tmp_path / "a.zarr"])]) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    assert "a.zarr is not a readable image: " in error
    assert not (tmp_path / "a.tif").exists()
