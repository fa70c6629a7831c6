"""A saved correction on many images; on small real ones, by the bundled network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from skimage.data import immunohistochemistry

from napari_guideme.batch import pieces
from napari_guideme.batch.applying import JOURNAL, REPORT
from napari_guideme.batch.journal import Journal
from napari_guideme.batch.targets import targets
from napari_guideme.cli import main
from napari_guideme.errors import InputError
from napari_guideme.files import LabelStore, open_image
from napari_guideme.guidance.applying import applied
from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.saved import Corrected, SavedGuidance
from napari_guideme.guidance.scene import Scene
from napari_guideme.guidance.support import Support
from napari_guideme.hints import Hints
from napari_guideme.networks.catalogue import open_network
from napari_guideme.networks.tiles import alignment
from tests.files.series import NAME, SECRETS, write_series
from tests.files.test_ome_zarr import write_image

#: A pixel that is called nucleus, and said to be background.
AT = (25, 65)
SIDE = 96

#: Of an image that takes long enough to be stopped half-way.
PLANES = 40


def guidance(scene, at=AT, label=0, weight=8.0, reach=12.0) -> SavedGuidance:
    """A correction of one pixel."""
    support = Support(
        torch.tensor([at]),
        torch.tensor([label]),
        torch.tensor([reach]),
        torch.tensor([weight]),
        torch.zeros(1),
        torch.ones(1),
    )
    corrected = Corrected(0, Anchors.of(scene, support), Hints())
    return SavedGuidance.of(scene, "residual", [corrected], thickness=4.0)


@pytest.fixture(scope="module")
def network():
    return open_network("nuclei", "cpu")


@pytest.fixture(scope="module")
def tissue():
    return np.ascontiguousarray(immunohistochemistry()[:SIDE, :SIDE].mean(2).astype(np.uint8))


@pytest.fixture(scope="module")
def saved(network, tissue):
    return guidance(Scene(network, tissue))


@pytest.fixture
def file(saved, tmp_path) -> Path:
    path = tmp_path / "nuclei.guidance.safetensors"
    saved.save(path)
    return path


def stack(tissue, planes: int) -> np.ndarray:
    """Planes that differ, the first one being the picture itself."""
    return np.stack([np.roll(tissue, 3 * i, axis=1) for i in range(planes)])


def write_zarr(path: Path, pixels: np.ndarray, chunks: tuple[int, ...]) -> Path:
    import zarr

    axes = [{"name": name, "type": "space"} for name in "zyx"[-pixels.ndim :]]
    group = zarr.create_group(path, zarr_format=3)
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": []}]}
    group.attrs.update({"ome": {"version": "0.5", "multiscales": [image]}})
    group.create_array("0", data=pixels, chunks=chunks)
    return path


def apply(*words) -> int:
    return main(["apply", *map(str, words), "--device", "cpu"])


def report(folder: Path) -> dict:
    return json.loads((folder / REPORT).read_text(encoding="utf-8"))


def wanted(network, saved, plane, index=None) -> np.ndarray:
    return applied(saved, Scene(network, plane), index).logits.argmax(0).numpy()


def test_the_correction_changes_what_is_tested_here(network, saved, tissue):
    own = Scene(network, tissue).logits.argmax(0).numpy()
    assert (wanted(network, saved, tissue) != own).any()


@pytest.mark.parametrize(
    ("name", "ending", "labels"),
    [("a.tif", None, "a.tif"), ("a.png", None, "a.png"), ("a.png", ".nii.gz", "a.nii.gz")],
)
def test_a_picture(network, saved, file, tissue, tmp_path, name, ending, labels):
    from imageio import v3 as imageio

    imageio.imwrite(tmp_path / name, tissue)
    words = ["--format", ending] if ending else []
    assert apply(file, tmp_path / name, "-o", tmp_path / "out", *words) == 0
    found = np.asarray(open_image(tmp_path / "out" / labels).pixels).squeeze()
    np.testing.assert_array_equal(found, wanted(network, saved, tissue))
    (entry,) = report(tmp_path / "out")["images"]
    agreement = applied(saved, Scene(network, tissue)).agreement
    state = {"state": "carried", "agreement": pytest.approx(agreement, abs=1e-4)}
    assert entry["slices"] == [state]
    assert entry["finished"] is True


def test_patterns_are_expanded_where_the_shell_leaves_them(
    file, tissue, tmp_path, monkeypatch, capsys
):
    for name in ("b.tif", "a.tif", "c[1].tif"):
        tifffile.imwrite(tmp_path / name, tissue)
    monkeypatch.chdir(tmp_path)
    assert apply(file, "c[1].tif", "[ab].tif", "-o", "out") == 0
    names = [Path(entry["image"]).name for entry in report(tmp_path / "out")["images"]]
    assert names == ["c[1].tif", "a.tif", "b.tif"]
    assert apply(file, "no*.tif", "-o", "other") == 3
    assert "no*.tif" in capsys.readouterr().err


def test_nothing_fits_a_picture_without_anything_alike(file, network, tmp_path):
    empty = np.zeros((64, 64), np.uint8)
    empty[20:30] = 200
    tifffile.imwrite(tmp_path / "empty.tif", empty)
    assert apply(file, tmp_path / "empty.tif", "-o", tmp_path / "out") == 0
    (entry,) = report(tmp_path / "out")["images"]
    (told,) = entry["slices"]
    own = Scene(network, empty).logits.argmax(0).numpy()
    changed = (tifffile.imread(tmp_path / "out/empty.tif") != own).any()
    assert told["state"] == ("doubtful" if changed else "own")
    assert told["why"] == "nothing here looks like what was clicked"


@pytest.mark.parametrize("axis", [0, 1])
def test_a_volume_slice_by_slice(network, saved, file, tissue, tmp_path, axis):
    nibabel = pytest.importorskip("nibabel")
    volume = np.moveaxis(stack(tissue, 4), 0, axis)
    affine = np.array([[0, 0, 2.0, 1], [0, -0.5, 0, 2], [0.5, 0, 0, 3], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(volume.T, affine), tmp_path / "v.nii.gz")
    assert apply(file, tmp_path / "v.nii.gz", "-o", tmp_path / "out", "--axis", axis) == 0
    found = open_image(tmp_path / "out/v.nii.gz")
    for index, labels in enumerate(np.moveaxis(np.asarray(found.pixels), axis, 0)):
        np.testing.assert_array_equal(labels, wanted(network, saved, stack(tissue, 4)[index]))
    image = open_image(tmp_path / "v.nii.gz")
    np.testing.assert_allclose(found.geometry.affine, image.geometry.affine, rtol=1e-6)
    (entry,) = report(tmp_path / "out")["images"]
    assert [told["slice"] for told in entry["slices"]] == [0, 1, 2, 3]


def test_places_and_slices_count_in_the_same_volume(network, saved, file, tissue, tmp_path):
    volume = np.stack([tissue] * 16)
    tifffile.imwrite(tmp_path / "v.tif", volume, metadata={"axes": "ZYX"})
    assert apply(file, tmp_path / "v.tif", "-o", tmp_path / "out", "--same-volume") == 0
    labels = tifffile.imread(tmp_path / "out/v.tif")
    for index in (0, 1, 15):
        np.testing.assert_array_equal(labels[index], wanted(network, saved, tissue, index))
    states = [told["state"] for told in report(tmp_path / "out")["images"][0]["slices"]]
    assert states[:2] == ["corrected", "carried"]
    # 15 slices are 60 pixels, five times the reach.
    assert states[15] == "own"
    tifffile.imwrite(tmp_path / "w.tif", volume[:, :-1], metadata={"axes": "ZYX"})
    assert apply(file, tmp_path / "w.tif", "-o", tmp_path / "other", "--same-volume") == 3
    assert (
        "planes of 96 × 96, these have 95 × 96" in report(tmp_path / "other")["images"][0]["error"]
    )


def test_chunk_by_chunk_is_the_same(network, saved, file, tissue, tmp_path):
    pytest.importorskip("zarr")
    write_zarr(tmp_path / "v.zarr", stack(tissue, 5), (2, 64, 64))
    assert apply(file, tmp_path / "v.zarr", "-o", tmp_path / "out") == 0
    found = open_image(tmp_path / "out/v.zarr").pixels
    assert found.chunks == ((2, 2, 1), (64, 32), (64, 32))
    for index, plane in enumerate(stack(tissue, 5)):
        np.testing.assert_array_equal(found[index], wanted(network, saved, plane))


def test_channels_of_an_ome_zarr(file, tmp_path):
    pytest.importorskip("zarr")
    write_image(tmp_path / "c.zarr", (2, 3, 32, 48))
    assert apply(file, tmp_path / "c.zarr", "-o", tmp_path / "out") == 3
    assert "choose which ones to feed" in report(tmp_path / "out")["images"][0]["error"]
    assert apply(file, tmp_path / "c.zarr", "-o", tmp_path / "out", "--channels", "1") == 3
    assert apply(file, tmp_path / "c.zarr", "-o", tmp_path / "new", "--channels", "1") == 0
    assert open_image(tmp_path / "new/c.zarr").pixels.shape == (3, 32, 48)


def test_large_planes_are_done_tile_by_tile(network, saved, file, tissue, tmp_path, monkeypatch):
    pytest.importorskip("zarr")
    large = np.tile(tissue, (3, 4))
    monkeypatch.setattr(pieces, "LARGEST_PLANE", 256 * 256)
    monkeypatch.setattr(pieces, "TILE", 256)
    monkeypatch.setattr(pieces, "CHUNK", 128)
    write_zarr(tmp_path / "m.zarr", large, (100, 100))
    tifffile.imwrite(tmp_path / "m.tif", large)
    for name in ("m.zarr", "m.tif"):
        assert apply(file, tmp_path / name, "-o", tmp_path / "out") == 0
    found = np.asarray(open_image(tmp_path / "out/m.zarr").pixels)
    np.testing.assert_array_equal(found, tifffile.imread(tmp_path / "out/m.tif"))
    tiles = [told["tile"] for told in report(tmp_path / "out")["images"][0]["slices"]]
    assert tiles == [[0, 0], [0, 256], [256, 0], [256, 256]]
    step = alignment(network)
    halo = -(-network.halo // step) * step
    box = np.s_[: 256 + halo, 256 - halo :]
    scale = network.preparation.measured(large)
    scene = Scene(network, large[box], preparation=scale)
    expected = applied(saved, scene).logits.argmax(0)[:256, halo:]
    np.testing.assert_array_equal(found[:256, 256:], expected)
    # Nothing is cut at the borders of tiles that was not cut before.
    assert (found != wanted(network, saved, large)).mean() < 0.02


def test_objects_are_numbered(file, tissue, tmp_path, monkeypatch):
    pytest.importorskip("zarr")
    write_zarr(tmp_path / "v.zarr", stack(tissue, 3), (1, 64, 64))
    tifffile.imwrite(tmp_path / "v.tif", stack(tissue, 3), metadata={"axes": "ZYX"})
    for name in ("v.zarr", "v.tif"):
        assert apply(file, tmp_path / name, "-o", tmp_path / "out", "--instances") == 0
    ids = tifffile.imread(tmp_path / "out/v.tif")
    assert ids.max() > 3
    np.testing.assert_array_equal(ids, open_image(tmp_path / "out/v.zarr").pixels)
    monkeypatch.setattr(pieces, "LARGEST_COUNTED", 1000)
    assert apply(file, tmp_path / "v.zarr", "-o", tmp_path / "no", "--instances") == 3
    assert "leave --instances out" in report(tmp_path / "no")["images"][0]["error"]


def test_another_network_is_refused_by_name(saved, file, tissue, tmp_path, capsys):
    tifffile.imwrite(tmp_path / "a.tif", tissue)
    words = [tmp_path / "a.tif", "-o", tmp_path / "out"]
    assert apply(file, *words, "--network", "click") == 2
    assert "made for nuclei" in capsys.readouterr().err
    replace(saved, network="mine").save(file)
    assert apply(file, *words) == 2
    assert "made for mine, which is not bundled; give it by --network" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert apply(file, *words, "--network", "nuclei") == 0
    fed = {**saved.preparation, "offset": 1}
    replace(saved, network="mine", preparation=fed).save(file)
    assert apply(file, *words, "--network", "nuclei") == 2
    assert "the guidance was made for mine: nuclei does not run" in capsys.readouterr().err


def test_what_is_wrong_with_many_pieces_of_an_image_is_told_once(
    file, tissue, tmp_path, capsys, monkeypatch
):
    pytest.importorskip("zarr")
    image = write_zarr(tmp_path / "v.zarr", stack(tissue, 5), (1, 64, 64))

    def refuse(*_) -> None:
        raise InputError("the disk is full")

    monkeypatch.setattr(LabelStore, "write", refuse)
    assert apply(file, image, "-o", tmp_path / "out") == 3
    assert capsys.readouterr().err == "napari-guideme: image 1: the disk is full\n"


def test_an_axis_that_no_volume_has_is_refused_at_once(file, tissue, tmp_path, capsys):
    tifffile.imwrite(tmp_path / "a.tif", tissue)
    assert apply(file, tmp_path / "a.tif", "-o", tmp_path / "out", "--axis", 7) == 2
    assert capsys.readouterr().err == "napari-guideme: there is no axis 7; choose 0, 1 or 2\n"
    assert not (tmp_path / "out").exists()


def test_one_bad_file_is_told_and_skipped(file, tissue, tmp_path, capsys):
    (tmp_path / "bad.tif").write_text("nothing")
    tifffile.imwrite(tmp_path / "five.tif", np.stack([tissue] * 5), metadata={"axes": "CYX"})
    tifffile.imwrite(tmp_path / "good.tif", tissue)
    names = ["bad.tif", "missing.tif", "five.tif", "good.tif"]
    assert apply(file, *(tmp_path / n for n in names), "-o", tmp_path / "out") == 3
    told = report(tmp_path / "out")["images"]
    assert ["error" in entry for entry in told] == [True, True, True, False]
    assert "there is no image" in told[1]["error"]
    assert "choose which ones to feed" in told[2]["error"]
    captured = capsys.readouterr()
    assert len(captured.err.strip().splitlines()) == 3
    assert "1 of 4 images done" in captured.out
    assert (tmp_path / "out/good.tif").exists()


def test_labels_of_an_image_can_lie_inside_it(file, tissue, tmp_path):
    zarr = pytest.importorskip("zarr")
    image = write_zarr(tmp_path / "v.zarr", stack(tissue, 2), (1, 64, 64))
    assert apply(file, image, "-o", image / "labels") == 0
    assert zarr.open_group(image / "labels", mode="r").attrs["ome"]["labels"] == ["v.zarr"]


def test_labels_replace_neither_images_nor_each_other(tmp_path):
    image = tmp_path / "a.tif"
    with pytest.raises(InputError, match="would replace an image"):
        targets([image], tmp_path)
    with pytest.raises(InputError, match=r"two images would be called a\.tif"):
        targets([image, tmp_path / "b/a.tif"], tmp_path / "out")
    with pytest.raises(InputError, match=r"not as \.jpg"):
        targets([image], tmp_path / "out", ".jpg")


def test_what_is_there_is_kept(saved, file, tissue, tmp_path, capsys):
    tifffile.imwrite(tmp_path / "a.tif", tissue)
    words = [tmp_path / "a.tif", "-o", tmp_path / "out"]
    labels = tmp_path / "out/a.tif"
    assert apply(file, *words) == 0
    first, told = labels.stat().st_mtime_ns, report(tmp_path / "out")
    assert apply(file, *words) == 0
    assert labels.stat().st_mtime_ns == first
    assert report(tmp_path / "out") == told
    # Another correction does not silently take the place of the first one.
    replace(saved, method="other").save(file)
    assert apply(file, *words) == 3
    assert "its labels are there already" in capsys.readouterr().err
    assert labels.stat().st_mtime_ns == first
    assert apply(file, *words, "--overwrite") == 0
    assert labels.stat().st_mtime_ns > first
    # Nor is the image what it was.
    tifffile.imwrite(tmp_path / "a.tif", tissue[::-1])
    assert apply(file, *words) == 3


def test_a_report_of_something_else_is_kept(file, tissue, tmp_path, capsys):
    mine = tmp_path / "out" / REPORT
    tifffile.imwrite(tmp_path / "a.tif", tissue)
    mine.parent.mkdir()
    words = [tmp_path / "a.tif", "-o", tmp_path / "out"]
    for text in ('{"network": "mine"}', "[1]", "mine"):
        mine.write_text(text)
        assert apply(file, *words) == 2
        error = capsys.readouterr().err
        assert f"{mine} is no report of corrected images" in error
        assert error.count("\n") == 1
        assert mine.read_text() == text
        assert list(mine.parent.iterdir()) == [mine]
    assert apply(file, *words, "--overwrite") == 0
    assert report(tmp_path / "out")["images"][0]["finished"]


def test_overwriting_a_store(file, tissue, tmp_path):
    pytest.importorskip("zarr")
    image = write_zarr(tmp_path / "v.zarr", stack(tissue, 2), (1, 96, 96))
    chunk = tmp_path / "out/v.zarr/0/c/0/0/0"
    assert apply(file, image, "-o", tmp_path / "out") == 0
    first = chunk.stat().st_mtime_ns
    assert apply(file, image, "-o", tmp_path / "out") == 0
    assert chunk.stat().st_mtime_ns == first
    assert apply(file, image, "-o", tmp_path / "out", "--overwrite") == 0
    assert chunk.stat().st_mtime_ns > first


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--axis", "1"], "another --axis;"),
        (["--instances"], "another --instances;"),
        (["--instances", "--axis", "1"], "another --axis, --instances;"),
    ],
)
def test_what_labels_of_a_store_were_begun_with_is_told(
    file, tissue, tmp_path, words, named, capsys
):
    pytest.importorskip("zarr")
    image = write_zarr(tmp_path / "v.zarr", stack(tissue, 2), (1, 96, 96))
    assert apply(file, image, "-o", tmp_path / "out") == 0
    assert apply(file, image, "-o", tmp_path / "out", *words) == 3
    error = capsys.readouterr().err
    assert f"v.zarr was begun with {named} choose another folder, or --overwrite" in error


def test_another_guidance_for_labels_of_a_store_is_told(file, network, tissue, tmp_path, capsys):
    pytest.importorskip("zarr")
    image = write_zarr(tmp_path / "v.zarr", stack(tissue, 2), (1, 96, 96))
    assert apply(file, image, "-o", tmp_path / "out") == 0
    guidance(Scene(network, tissue), at=(60, 20)).save(file)
    assert apply(file, image, "-o", tmp_path / "out") == 3
    assert "begun with another guidance; choose another folder, or --ov" in capsys.readouterr().err


def test_a_change_of_few_pixels_of_a_store_is_noticed(file, tissue, tmp_path, capsys):
    zarr = pytest.importorskip("zarr")
    image = write_zarr(tmp_path / "v.zarr", stack(tissue, 2), (1, 96, 96))
    assert apply(file, image, "-o", tmp_path / "out") == 0
    array = next(array for _, array in zarr.open_group(image, mode="r+").arrays())
    array[1, 40, 40] += 1
    assert apply(file, image, "-o", tmp_path / "out") == 3
    assert "another image" in capsys.readouterr().err


def test_a_torn_journal_is_read(tmp_path):
    path = tmp_path / JOURNAL
    journal = Journal(path)
    journal.begin("a")
    journal.finish("a", "0:1", [{"slice": 0, "state": "own"}])
    path.write_text(path.read_text() + '{"key": "b", "par')
    journal = Journal(path)
    assert journal.is_done("a", "0:1")
    assert not journal.is_begun("b")
    journal.begin("b")
    assert Journal(path).is_begun("b")
    journal.begin("a")
    assert not Journal(path).is_done("a", "0:1")


def test_a_damaged_journal_is_named(file, tissue, tmp_path, capsys):
    journal = tmp_path / "out" / JOURNAL
    tifffile.imwrite(tmp_path / "a.tif", tissue)
    journal.parent.mkdir()
    journal.write_bytes(b'\xff{"key": "a"}\n')
    assert apply(file, tmp_path / "a.tif", "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert f"{journal} is damaged" in error
    assert error.count("\n") == 1


def test_nothing_is_told_of_a_patient(file, tissue, tmp_path, capsys):
    pytest.importorskip("highdicom")
    nibabel = pytest.importorskip("nibabel")
    series = tmp_path / NAME
    write_series(series, np.stack([tissue] * 3).astype(np.int16), orientation=(1, 0, 0, 0, 1, 0))
    scan, bad = tmp_path / f"{NAME}.nii", tmp_path / f"{NAME}.nrrd"
    nibabel.save(nibabel.Nifti1Image(tissue.T, np.eye(4)), scan)
    bad.write_text("nothing")
    assert apply(file, series, scan, bad, "-o", tmp_path / "out") == 3
    told = [
        path.read_text().lower() for path in (tmp_path / "out" / REPORT, tmp_path / "out" / JOURNAL)
    ]
    for secret in SECRETS:
        assert not any(secret in text for text in told)
    names = [entry["image"] for entry in report(tmp_path / "out")["images"]]
    assert names == ["a medical image"] * 3
    import highdicom

    found = highdicom.seg.segread(tmp_path / "out" / f"{NAME}.dcm")
    assert (found.Rows, found.Columns) == (SIDE, SIDE)


def test_nothing_is_told_of_an_ome_zarr_of_a_patient(file, tissue, tmp_path, capsys):
    """Labels of a patient's image are as private as it is, also where they cannot be used."""
    zarr = pytest.importorskip("zarr")
    paths = [tmp_path / f"{NAME}.zarr", tmp_path / f"{NAME} five.zarr"]
    write_zarr(paths[0], stack(tissue, 3), (1, 96, 96))
    write_image(paths[1], (2, 5, 32, 48))
    for path in paths:
        zarr.open_group(path, mode="r+").attrs["napari-guideme"] = {"private": True}
    assert apply(file, *paths, "-o", tmp_path / "out") == 3
    out = capsys.readouterr()
    told = [(tmp_path / "out" / name).read_text() for name in (REPORT, JOURNAL)]
    for secret in SECRETS:
        assert not any(secret in text.lower() for text in (*told, out.out, out.err))
    entries = report(tmp_path / "out")["images"]
    assert [(entry["image"], entry["finished"]) for entry in entries] == [
        ("a medical image", True),
        ("a medical image", False),
    ]
    assert "choose which ones to feed" in entries[1]["error"]
    # What is in the way of its labels bears its name.
    (tmp_path / "out" / paths[0].name / "zarr.json").write_text("{")
    assert apply(file, paths[0], "-o", tmp_path / "out") == 3
    error = report(tmp_path / "out")["images"][0]["error"]
    assert not any(secret in error.lower() for secret in SECRETS)


def test_names_of_targets(tmp_path):
    images = ["a.ome.zarr", "b.jpg", "c.nii.gz", "d.ima"]
    for image in images:
        (tmp_path / image).mkdir() if image.endswith("zarr") else None
    paths = [tmp_path / image for image in images]
    found = [target.labels.name for target in targets(paths, tmp_path / "out")]
    assert found == ["a.ome.zarr", "b.png", "c.nii.gz", "d.dcm"]
    found = [target.labels.name for target in targets(paths, tmp_path / "out", ".nrrd")]
    assert found == ["a.nrrd", "b.nrrd", "c.nrrd", "d.nrrd"]


@pytest.mark.parametrize("name", ["Doe.nii.gz", "Doe", "a.nii.gz", "a", "medical.nrrd", "Doe.mha"])
def test_only_names_of_files_are_left_out_of_what_is_told(tmp_path, name):
    (target,) = targets([tmp_path / name], tmp_path / "out", ".nii.gz")
    image, labels, told = target.image, target.labels, "a medical image"
    stem = labels.name.removesuffix(".nii.gz")
    said = [
        (f"{image} is a broken medical image", f"{told} is a broken medical image"),
        (f"{labels}: disk full", f"{told}: disk full"),
        (f"{labels.name} has a data type", f"{told} has a data type"),
        (f"{image.name if image.suffix else image}: bad", f"{told}: bad"),
        (f"data file {stem}.raw: no", f"data file {told}: no"),
        (f"no '{stem}' there, see {stem}/IM1", f"no '{told}' there, see {told}/IM1"),
    ]
    for text, expected in said:
        assert target.told(InputError(text)) == expected


def command(*words) -> list[str]:
    apply = [sys.executable, "-m", "napari_guideme.cli", "apply", *map(str, words)]
    return [*apply, "--device", "cpu"]


def chunk_files(store: Path) -> dict[Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in (store / "0/c").rglob("*")
        if path.is_file() and path.name.isdigit()
    }


def wait_for_chunks(store: Path, count: int, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while len(chunk_files(store)) < count:
        assert time.monotonic() < end, "nothing was written"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def serial(saved, tissue, tmp_path_factory) -> Path:
    """A folder with an image, a correction, and what becomes of it where nobody interferes."""
    pytest.importorskip("zarr")
    folder = tmp_path_factory.mktemp("serial")
    planes = np.tile(stack(tissue, PLANES), (1, 2, 2))
    image = write_zarr(folder / "v.zarr", planes, (1, 192, 192))
    tifffile.imwrite(folder / "a.tif", tissue)
    saved.save(folder / "nuclei.guidance.safetensors")
    words = [folder / "nuclei.guidance.safetensors", image, folder / "a.tif"]
    assert apply(*words, "-o", folder / "out", "--workers", 1) == 0
    return folder


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_run_that_is_stopped_goes_on(serial, tmp_path, sent):
    file, image = serial / "nuclei.guidance.safetensors", serial / "v.zarr"
    words = command(file, image, "-o", tmp_path / "out", "--workers", 1)
    # A shell that starts the tests in its background has told them to ignore the signal.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    run = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=heeding)
    store = tmp_path / "out/v.zarr"
    wait_for_chunks(store, 4)
    run.send_signal(sent)
    _, errors = run.communicate(timeout=60)
    before = chunk_files(store)
    assert 4 <= len(before) < PLANES
    if sent != signal.SIGKILL:
        assert run.returncode == 130
        assert errors.strip().splitlines() == [
            "napari-guideme: cancelled; 0 of 1 images are finished and the same command goes on"
        ]
        assert len(report(tmp_path / "out")["images"][0]["slices"]) >= 3
    with pytest.raises(InputError, match="not finished"):
        open_image(store)
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    after = chunk_files(store)
    assert len(after) == PLANES
    assert {path: after[path] for path in before} == before
    slices = report(tmp_path / "out")["images"][0]["slices"]
    assert [told["slice"] for told in slices] == list(range(PLANES))
    expected = open_image(serial / "out/v.zarr").pixels
    np.testing.assert_array_equal(open_image(store).pixels, expected)


def test_a_cluster_whose_worker_is_killed(serial, tmp_path):
    distributed = pytest.importorskip("distributed")
    file, image = serial / "nuclei.guidance.safetensors", serial / "v.zarr"
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        with distributed.Client(cluster) as client:
            pids = list(client.run(os.getpid).values())
        words = [file, image, serial / "a.tif", "-o", tmp_path / "out"]
        run = subprocess.Popen(
            command(*words, "--scheduler", cluster.scheduler_address),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for_chunks(tmp_path / "out/v.zarr", 6)
        os.kill(pids[0], signal.SIGKILL)
        there = len(chunk_files(tmp_path / "out/v.zarr"))
        out, errors = run.communicate(timeout=240)
    assert there < PLANES
    assert run.returncode == 0, errors
    assert "2 of 2 images done" in out
    expected, found = (open_image(n / "out/v.zarr").pixels for n in (serial, tmp_path))
    np.testing.assert_array_equal(found, expected)
    assert report(tmp_path / "out") == report(serial / "out")


def test_a_scheduler_that_goes_away_is_told_in_a_line(serial, tmp_path):
    distributed = pytest.importorskip("distributed")
    file, image = serial / "nuclei.guidance.safetensors", serial / "v.zarr"
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        words = [file, image, "-o", tmp_path / "out", "--scheduler", cluster.scheduler_address]
        run = subprocess.Popen(command(*words), stderr=subprocess.PIPE, text=True)
        wait_for_chunks(tmp_path / "out/v.zarr", 4)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 2
    assert errors.splitlines() == [
        f"napari-guideme: the scheduler at {words[-1]} is gone; what is finished stays, and the "
        "same command goes on with another one"
    ]
    assert len(report(tmp_path / "out")["images"][0]["slices"]) < PLANES


def test_no_scheduler_answers(file, tissue, tmp_path, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("napari_guideme.batch.running._PATIENCE", 1)
    tifffile.imwrite(tmp_path / "a.tif", tissue)
    words = ["-o", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:1"]
    assert apply(file, tmp_path / "a.tif", *words) == 2
    assert "no scheduler answers at tcp://127.0.0.1:1" in capsys.readouterr().err
