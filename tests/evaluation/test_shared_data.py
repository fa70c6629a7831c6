"""Every layout of the shared data is read."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from imageio import v3 as imageio

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import open_dataset, open_objects
from napari_guideme.evaluation.noc import objects_of
from napari_guideme.evaluation.several_volumes import open_volumes
from napari_guideme.files import open_labels

from .toys import network_of

NUCLEI = network_of(("background", "nucleus", "border"), "border")


def file_of(folder, name):
    return imageio.imread(next(folder.glob(f"{name}.*")))


def test_nuclei(shared_data):
    folder = shared_data("nuclei_dsb2018")
    dataset = open_dataset(folder, NUCLEI, instances=True, split="test")
    with (folder / "images.csv").open() as file:
        rows = {row["stem"]: row for row in csv.DictReader(file) if row["split"] == "test"}
    assert {entry.name for entry in dataset.entries} == set(rows)
    for item in dataset.sampled(4):
        assert item.kind == rows[item.name]["kind"]
        assert ((item.truth == 1) == (file_of(folder / "labels", item.name) > 0)).all()
        assert item.truth.max() == 1


def test_coco_objects_by_class_map(shared_data):
    folder = shared_data("objects_coco128")
    class_map = folder.parents[1] / "models/deeplabv3_mnv2_voc/classes.csv"
    if not class_map.is_file():
        pytest.skip(f"{class_map} is not here")
    with class_map.open() as file:
        rows = list(csv.DictReader(file))
    network = network_of(tuple(row["voc_name"] for row in rows))
    index = {row["coco_name"]: int(row["index"]) for row in rows}
    for item in open_dataset(folder, network, class_map=class_map, limit=6):
        ids = file_of(folder / "masks", item.name)
        told = json.loads((folder / "instances" / f"{item.name}.json").read_text())["instances"]
        expected = np.zeros(ids.shape, int)
        for number, instance in told.items():
            expected[ids == int(number)] = index.get(instance["name"], 0)
        assert (item.truth == expected).all()


def test_coco_objects_by_their_own_names(shared_data):
    folder = shared_data("objects_coco128")
    network = network_of(("background", "person"))
    found = [np.unique(item.truth).tolist() for item in open_dataset(folder, network, limit=8)]
    assert {tuple(values) for values in found} == {(0,), (0, 1)}


def test_camvid(shared_data):
    folder = shared_data("camvid")
    network = network_of(("background", "Car", "sign_symbol", "road"))
    dataset = open_dataset(folder, network, split="test")
    assert len(dataset) == 117
    for item in dataset.sampled(3):
        values = file_of(folder / "labels", item.name)
        assert ((item.truth == -1) == (values == 11)).all()
        for value, index in ((8, 1), (6, 2), (3, 3)):
            assert ((item.truth == index) == (values == value)).all()


@pytest.mark.parametrize(
    ("name", "channels"),
    [("grabcut", 3), ("davis_frames", 3), ("retina_chase", 3), ("scribbles_medical", None)],
)
def test_masks(shared_data, name, channels):
    folder = shared_data(name)
    dataset = open_dataset(folder, NUCLEI)
    assert len(dataset) == len(list((folder / "masks").iterdir()))
    for item in dataset.sampled(3):
        values = file_of(folder / "masks", item.name)
        assert ((item.truth == 1) == (values == 255)).all()
        assert ((item.truth == -1) == (values == 128)).all()
        assert (item.channel_axis is None) == (channels is None)
    assert any((item.truth == 1).any() for item in dataset.sampled(3))


def test_grabcut_leaves_pixels_out(shared_data):
    assert any((item.truth == -1).any() for item in open_dataset(shared_data("grabcut"), NUCLEI))


def test_blood_cells(shared_data):
    folder = shared_data("blood_cells")
    network = network_of(("background", "cytoplasm", "nucleus"))
    for item in open_dataset(folder, network, limit=3):
        assert (item.truth == file_of(folder / "labels", item.name)).all()


def test_stardist_plane_is_read_and_volume_refused(shared_data):
    items = iter(open_dataset(shared_data("stardist_samples"), NUCLEI, instances=True))
    assert next(items).truth.shape == (512, 512)
    with pytest.raises(InputError, match="a volume lies alone in a folder"):
        next(items)


@pytest.mark.parametrize("name", ["brain_tumour_mri", "tumours_pyradiomics"])
def test_volumes_are_read_slice_by_slice(shared_data, name):
    folder = shared_data(name)
    items = open_volumes(folder, NUCLEI, instances=True, limit=3)
    read = {item.name: item for item in items}
    assert len(read) == len(items) == 3
    for told, item in read.items():
        stem, _, number = told.partition(", slice ")
        (file,) = (folder / "labels").glob(f"{stem}.n*")
        expected = np.asarray(open_labels(file).pixels)[int(number)]
        np.testing.assert_array_equal(item.truth, (expected > 0).astype(int))
        assert item.image.shape == item.truth.shape


def test_objects_of_every_layout(shared_data):
    for name, options in (
        ("grabcut", {}),
        ("davis_frames", {}),
        ("scribbles_medical", {}),
        ("objects_coco128", {}),
        ("nuclei_dsb2018", {"instances": True}),
    ):
        folder = shared_data(name)
        for item in open_objects(folder, limit=2, **options):
            truth = folder / ("labels" if options else "masks")
            values = file_of(truth, item.name)
            found = [mask == 1 for mask in objects_of(item)]
            if options or (folder / "instances").is_dir():
                ids = np.unique(values[values > 0])
                assert all((a == (values == i)).all() for a, i in zip(found, ids, strict=True))
            else:
                assert (found[0] == (values == 255)).all()
                assert len(found) == 1
