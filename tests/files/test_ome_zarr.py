from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.files import LabelStore, OtherLabelsError, open_image, write_labels

zarr = pytest.importorskip("zarr")
dask = pytest.importorskip("dask.array")

AXES = [
    {"name": "t", "type": "time"},
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


def write_image(path, shape=(2, 6, 8, 10), version="0.5", **chunks):
    """An image in NGFF, its last axes named, in two levels."""
    zarr_format = 3 if version == "0.5" else 2
    axes = AXES[5 - len(shape) :]
    scale = [1.0] * (len(shape) - 3) + [2.0, 0.5, 0.25]
    moved = [0.0] * (len(shape) - 3) + [10.0, 20.0, 30.0]
    image = {
        "version": version,
        "axes": axes,
        "datasets": [
            {
                "path": f"s{level}",
                "coordinateTransformations": [
                    {"type": "scale", "scale": [s * 2**level for s in scale]},
                    {"type": "translation", "translation": moved},
                ],
            }
            for level in range(2)
        ],
    }
    group = zarr.create_group(path, zarr_format=zarr_format)
    told = {"multiscales": [image]}
    group.attrs.update({"ome": {"version": version, **told}} if zarr_format == 3 else told)
    pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    names = [a["name"] for a in axes] if zarr_format == 3 else None
    for level in range(2):
        stored = pixels[..., :: 2**level]
        array = group.create_array(
            f"s{level}", shape=stored.shape, dtype=stored.dtype, dimension_names=names, **chunks
        )
        array[:] = stored
    return pixels


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_finest_level_is_opened_lazily(tmp_path, version):
    pixels = write_image(tmp_path / "a.zarr", version=version)
    picture = open_image(tmp_path / "a.zarr")
    assert isinstance(picture.pixels, dask.Array)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.axes == ("c", "z", "y", "x")
    assert picture.channel_axis == 0
    assert picture.geometry.spacing == (2.0, 0.5, 0.25)
    assert picture.geometry.unit == "micrometer"
    assert picture.geometry.affine[:3, 3].tolist() == [30.0, 20.0, 10.0]


def test_one_of_several_time_points_is_chosen(tmp_path):
    pixels = write_image(tmp_path / "a.zarr", (3, 2, 4, 5, 6))
    picture = open_image(tmp_path / "a.zarr")
    assert picture.axes == ("t", "c", "z", "y", "x")
    np.testing.assert_array_equal(picture.volume(2).pixels, pixels[2])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("inside", [True, False])
def test_labels_are_written_in_one_go(tmp_path, version, inside):
    pixels = write_image(tmp_path / "a.zarr", version=version)
    picture = open_image(tmp_path / "a.zarr")
    path = tmp_path / ("a.zarr/labels/cells" if inside else "labels.zarr")
    for number in (1, 2):
        write_labels(path, pixels[0] % 3 + number, picture)
        read = open_image(path)
        np.testing.assert_array_equal(read.pixels, pixels[0] % 3 + number)
    assert read.axes == ("z", "y", "x")
    np.testing.assert_allclose(read.geometry.affine, picture.geometry.affine)
    assert read.geometry.unit == "micrometer"
    np.testing.assert_array_equal(open_image(tmp_path / "a.zarr").pixels, pixels)
    if inside:
        told = dict(zarr.open_group(path.parent, mode="r").attrs)
        assert told.get("ome", told)["labels"] == ["cells"]
    assert not [file for file in path.parent.iterdir() if file.name.startswith((".1", ".2"))]


def test_what_a_killed_run_left_is_in_nobodys_way(tmp_path):
    pixels = write_image(tmp_path / "a.zarr")
    picture = open_image(tmp_path / "a.zarr")
    path, left = tmp_path / "labels.zarr", tmp_path / ".labels.zarr.old"
    write_labels(path, pixels[0] % 3, picture)
    shutil.copytree(path, left)
    write_labels(path, pixels[0] % 5, picture)
    np.testing.assert_array_equal(open_image(path).pixels, pixels[0] % 5)
    assert not left.exists()
    # Killed earlier, when the old labels had just been moved aside.
    path.rename(left)
    write_labels(path, pixels[0] % 3, picture)
    np.testing.assert_array_equal(open_image(path).pixels, pixels[0] % 3)
    assert not left.exists()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_metadata_of_labels_are_valid(tmp_path, version):
    pixels = write_image(tmp_path / "a.zarr", version=version)
    write_labels(tmp_path / "a.zarr/labels/cells", pixels[0], open_image(tmp_path / "a.zarr"))
    folder = tmp_path / "a.zarr/labels/cells"
    if version == "0.4":
        told = json.loads((folder / ".zattrs").read_text())
        assert told["multiscales"][0]["version"] == told["image-label"]["version"] == "0.4"
        assert json.loads((folder / "0/.zarray").read_text())["dimension_separator"] == "/"
    else:
        told = json.loads((folder / "zarr.json").read_text())["attributes"]["ome"]
        assert told["version"] == "0.5"
        names = json.loads((folder / "0/zarr.json").read_text())["dimension_names"]
        assert names == ["z", "y", "x"]
    image = told["multiscales"][0]
    assert image["axes"] == AXES[2:]
    finest, coarse = image["datasets"]
    scale, translation = finest["coordinateTransformations"]
    assert scale == {"type": "scale", "scale": [2.0, 0.5, 0.25]}
    assert translation == {"type": "translation", "translation": [10.0, 20.0, 30.0]}
    assert coarse["coordinateTransformations"][0]["scale"] == [4.0, 1.0, 0.5]
    assert told["image-label"]["source"] == {"image": "../../"}
    levels = zarr.open_group(folder, mode="r")
    np.testing.assert_array_equal(levels["1"][:], pixels[0][..., 1::2])


def chunk_files(path):
    return {
        f: f.stat().st_mtime_ns
        for f in (path / "0").rglob("*")
        if f.name.isdecimal() and f.is_file()
    }


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_run_that_was_stopped_goes_on(tmp_path, version):
    pixels = write_image(tmp_path / "a.zarr", version=version, chunks=(1, 2, 8, 4))
    picture = open_image(tmp_path / "a.zarr")
    labels = pixels[0] % 2
    labels[:2, :, :4] = 0  # An empty chunk is finished, too.

    def begun():
        return LabelStore.open_or_create(tmp_path / "l.zarr", picture, "guide", np.uint8)

    store = begun()
    assert store.chunks == (2, 8, 4)
    todo = list(store.missing())
    assert len(todo) == 9
    for region in todo[:4]:
        store.write(region, labels[region])
    with pytest.raises(InputError, match="begun and are not finished"):
        open_image(tmp_path / "l.zarr")
    with pytest.raises(ValueError, match="missing"):
        store.finish()
    there = chunk_files(tmp_path / "l.zarr")
    assert len(there) == 4

    again = pickle.loads(pickle.dumps(begun()))
    assert list(again.missing()) == todo[4:]
    assert list(again.missing(along=0)) == [np.s_[2:4, 0:8, 0:10], np.s_[4:6, 0:8, 0:10]]
    for slab in again.missing(along=0):
        again.write(slab, labels[slab])
    again.finish()
    again.finish()
    after = chunk_files(tmp_path / "l.zarr")
    assert len(after) == 9
    assert {file: after[file] for file in there} == there
    np.testing.assert_array_equal(open_image(tmp_path / "l.zarr").pixels, labels)
    assert begun().finished
    assert not list(begun().missing())


def test_what_is_there_is_never_overwritten(tmp_path):
    write_image(tmp_path / "a.zarr", chunks=(1, 3, 8, 10))
    picture = open_image(tmp_path / "a.zarr")
    store = LabelStore.open_or_create(tmp_path / "l.zarr", picture, "guide")
    store.write(np.s_[0:3, 0:8, 0:10], np.ones((3, 8, 10), int))
    store.write(np.s_[0:6, 0:8, 0:10], np.full((6, 8, 10), 2))
    store.finish()
    assert open_image(tmp_path / "l.zarr").pixels[:, 0, 0].compute().tolist() == [1] * 3 + [2] * 3


@pytest.mark.parametrize("region", [np.s_[0:2, 0:8, 0:10], np.s_[1:3, 0:8, 0:10]])
def test_parts_of_chunks_are_refused(tmp_path, region):
    write_image(tmp_path / "a.zarr", chunks=(1, 3, 8, 10))
    store = LabelStore.open_or_create(f"{tmp_path}/l.zarr", open_image(f"{tmp_path}/a.zarr"), "g")
    with pytest.raises(ValueError, match="whole chunks"):
        store.write(region, np.zeros((2, 8, 10), int))


@pytest.mark.parametrize("label", [-1, 256, 2**40, 0.7, np.nan, np.inf])
def test_labels_that_do_not_fit_are_refused(tmp_path, label):
    write_image(tmp_path / "a.zarr")
    picture = open_image(tmp_path / "a.zarr")
    store = LabelStore.open_or_create(tmp_path / "l.zarr", picture, "guide", np.uint8)
    region = np.s_[0:6, 0:8, 0:10]
    with pytest.raises(InputError, match=r"labels are whole numbers from 0 to 255 here \(uint8\)"):
        store.write(region, np.full((6, 8, 10), label))
    assert not chunk_files(tmp_path / "l.zarr")
    store.write(region, np.full((6, 8, 10), 255.0))
    assert store.holds(region)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_broken_chunk_is_told_in_one_line(tmp_path, version):
    write_image(tmp_path / "a.zarr", version=version, chunks=(1, 2, 8, 10))
    for chunk in (tmp_path / "a.zarr/s0").rglob("*"):
        if chunk.is_file() and chunk.stat().st_size > 0 and "z" not in chunk.name:
            chunk.write_bytes(b"broken")
    picture = open_image(tmp_path / "a.zarr")
    for read in (picture.pixels.compute, lambda: np.asarray(picture.pixels[0, 3])):
        with pytest.raises(InputError, match=r"^a\.zarr is not a readable image: [^\n]+$"):
            read()


def test_labels_of_something_else_are_refused_by_name(tmp_path):
    write_image(tmp_path / "a.zarr")
    write_image(tmp_path / "b.zarr", (2, 6, 8, 9))
    picture, other = (open_image(tmp_path / name) for name in ("a.zarr", "b.zarr"))
    LabelStore.open_or_create(tmp_path / "l.zarr", picture, "guide")
    for wrong, told in (((picture, "other"), "guidance"), ((other, "guide"), "image")):
        with pytest.raises(InputError, match=rf"l\.zarr was begun with another {told}"):
            LabelStore.open_or_create(tmp_path / "l.zarr", *wrong)
    LabelStore.open_or_create(tmp_path / "m.zarr", picture, {"network": "a", "axis": "0"})
    with pytest.raises(OtherLabelsError, match=r"m\.zarr was begun with another axis; choose"):
        LabelStore.open_or_create(tmp_path / "m.zarr", picture, {"network": "a", "axis": "1"})
    for taken in ("a.zarr", "b.zarr"):
        with pytest.raises(InputError, match="not written by napari-guideme"):
            LabelStore.open_or_create(tmp_path / taken, picture, "guide")
        with pytest.raises(InputError, match="not written by napari-guideme"):
            write_labels(tmp_path / taken, np.zeros(picture.label_shape, int), picture)
    np.testing.assert_array_equal(open_image(tmp_path / "b.zarr").label_shape, (6, 8, 9))


def empty(path):
    path.mkdir()


def bare_array(path):
    zarr.create_array(path, shape=(3, 3), dtype="u1")


def bare_group(path):
    zarr.create_group(path).create_array("0", shape=(3, 3), dtype="u1")


def several(path):
    zarr.create_group(path)
    write_image(path / "0")
    write_image(path / "1")


def plate(path):
    zarr.create_group(path).attrs["ome"] = {"version": "0.5", "plate": {}}


def spoilt(path):
    write_image(path)
    (path / "zarr.json").write_text("{")


def without_level(path):
    write_image(path)
    (path / "s0/zarr.json").unlink()


def objects(path):
    write_image(path, version="0.4")
    told = json.loads((path / "s0/.zarray").read_text())
    told["filters"] = [{"id": "pickle", "protocol": 5}]
    (path / "s0/.zarray").write_text(json.dumps(told))


BROKEN = {
    empty: "not a readable Zarr",
    bare_array: "an array without OME metadata",
    bare_group: "no OME-Zarr image",
    several: "several images; give one of 0, 1 inside it",
    plate: "it is a plate",
    spoilt: "not a readable Zarr",
    without_level: "not a readable image",
    objects: "",
}


@pytest.mark.parametrize("make", BROKEN, ids=lambda make: make.__name__)
def test_what_is_no_image_is_one_line(tmp_path, make):
    make(tmp_path / "a.zarr")
    with pytest.raises(InputError, match=rf"^a\.zarr[^\n]*{BROKEN[make]}[^\n]*$"):
        open_image(tmp_path / "a.zarr").pixels.compute()
