from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_guideme.errors import InputError
from napari_guideme.evaluation.carry import evaluate_carry, evaluate_images
from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.volumes import is_volume_folder, open_volume

#: Slices where the dim cell lies at one place.
DIMS = range(1, 6)


@pytest.fixture
def pixels(picture) -> np.ndarray:
    """8 slices; the dim cell is there on 5."""
    volume = np.repeat(picture[None], 8, 0)
    for index in set(range(8)) - set(DIMS):
        volume[index, 10:14, 10:14] = 0
    return volume


def fill(folder: Path, pixels: np.ndarray, labels: np.ndarray) -> Path:
    tifffile.imwrite(folder / "raw.tif", pixels, photometric="minisblack")
    tifffile.imwrite(folder / "labels.tif", labels, photometric="minisblack")
    (folder / "classes.txt").write_text("0 background\n1 cell\n")
    return folder


@pytest.fixture
def folder(tmp_path, pixels) -> Path:
    return fill(tmp_path, pixels, (pixels > 0).astype(np.uint8))


def test_a_folder_with_raw_and_labels(folder, network):
    assert is_volume_folder(folder)
    result = evaluate_carry(open_volume(folder, network), network, index=3, hints=1)
    # Without the dim cell half of the 32 cell pixels are found.
    assert (result.clicked_before, result.clicked_after) == (0.5, 1)
    assert result.others_before == pytest.approx((4 * 0.5 + 3) / 7)
    assert result.others_after == 1
    assert (result.near_before, result.near_after) == (0.5, 1)
    assert result.stopped_at == (0, 6)
    assert result.worst == 0
    assert [row.index for row in result.slices if row.state == "carried"] == [1, 2, 4, 5]
    told = json.loads(json.dumps(result.to_json()))
    assert told["protocol"] == "carry"
    assert told["stopped_at"] == [0, 6]
    assert "clicked" in str(result)


def test_the_middle_is_clicked_along_any_axis(tmp_path, network, pixels):
    turned = np.moveaxis(pixels, 0, 2)
    folder = fill(tmp_path, turned, (turned > 0).astype(np.uint8))
    result = evaluate_carry(open_volume(folder, network), network, axis=2, hints=1)
    assert {row.clicked for row in result.slices} == {4}
    assert result.others_after == 1


def test_a_folder_with_image_and_labels_nifti(tmp_path, network, pixels):
    nibabel = pytest.importorskip("nibabel")
    affine = np.diag([3.0, 1, 1, 1])
    labels = (pixels > 0).astype(np.uint8)
    nibabel.Nifti1Image(pixels, affine).to_filename(tmp_path / "image.nii.gz")
    nibabel.Nifti1Image(labels, affine).to_filename(tmp_path / "labels.nii.gz")
    (tmp_path / "classes.txt").write_text("0 background\n1 cell\n")
    item = open_volume(tmp_path, network)
    assert item.picture.geometry is not None
    axis = item.picture.label_shape.index(8)
    assert item.picture.geometry.spacing[axis] == pytest.approx(3)
    result = evaluate_carry(item, network, axis=axis, index=3, hints=1)
    assert (result.clicked_before, result.clicked_after) == (0.5, 1)
    assert result.others_after > result.others_before


def test_a_slice_that_nobody_needs_is_no_row(folder, network, pixels):
    labels = (pixels > 0).astype(np.uint8)
    labels[0] = 0
    pixels[0] = 0
    result = evaluate_carry(open_volume(fill(folder, pixels, labels), network), network, hints=1)
    assert 0 not in {row.index for row in result.slices}


def test_images_follow_each_other(network, picture):
    items = [Item(str(n), picture, None, (picture > 0).astype(int), np.arange(2)) for n in range(6)]
    result = evaluate_images(items, network, hints=1)
    assert [(row.clicked, row.index) for row in result.slices] == [(0, 1), (0, 2), (0, 3), (4, 5)]
    assert (result.clicked_before, result.clicked_after) == (0.5, 1)
    # The same image looks the same: all of it arrives.
    assert (result.others_before, result.others_after) == (0.5, 1)
    assert {row.state for row in result.slices} == {"carried"}
    few = "images with an object of a class of .* are too few; give at least 2"
    with pytest.raises(InputError, match=f"1 {few}"):
        evaluate_images(items[:1], network)
    empty = [replace(item, truth=np.zeros_like(item.truth)) for item in items]
    with pytest.raises(InputError, match=f"0 {few}"):
        evaluate_images(empty, network)


def test_bad_folders(tmp_path, network, pixels):
    with pytest.raises(InputError, match="there is no folder"):
        is_volume_folder(tmp_path / "missing")
    assert not is_volume_folder(tmp_path)
    with pytest.raises(InputError, match="must hold volumes raw"):
        open_volume(tmp_path, network)
    fill(tmp_path, pixels, (pixels[:5] > 0).astype(np.uint8))
    with pytest.raises(InputError, match="both must be volumes of one shape"):
        open_volume(tmp_path, network)
    fill(tmp_path, pixels, (pixels > 0).astype(np.uint8))
    item = open_volume(tmp_path, network)
    with pytest.raises(InputError, match="no slice 8; choose 0 to 7"):
        evaluate_carry(item, network, index=8)
    with pytest.raises(InputError, match="no axis 5"):
        evaluate_carry(item, network, axis=5)
    (tmp_path / "labels.tif").unlink()
    with pytest.raises(InputError, match="must hold volumes raw"):
        open_volume(tmp_path, network)
