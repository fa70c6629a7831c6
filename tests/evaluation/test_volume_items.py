from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from torch import nn

from napari_guideme.cli.__main__ import main
from napari_guideme.errors import InputError
from napari_guideme.evaluation.protocol import Talk, evaluate
from napari_guideme.evaluation.volumes import items_of, open_volume
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.preparation import Preparation


@pytest.fixture
def pixels(picture) -> np.ndarray:
    """4 slices of 16 x 16; the dim cell, which is missed, is only on slices 1 and 2."""
    volume = np.repeat(picture[None], 4, 0)
    volume[[0, 3], 10:14, 10:14] = 0
    return volume


def fill(folder: Path, pixels: np.ndarray, truth: np.ndarray) -> Path:
    tifffile.imwrite(folder / "raw.tif", pixels, photometric="minisblack")
    tifffile.imwrite(folder / "labels.tif", truth.astype(np.uint8), photometric="minisblack")
    (folder / "classes.txt").write_text("0 background\n1 cell\n")
    return folder


@pytest.fixture
def folder(tmp_path, pixels) -> Path:
    return fill(tmp_path, pixels, pixels > 0)


def test_a_flat_network_corrects_slices(folder, network):
    items = items_of(open_volume(folder, network), network)
    assert len(items) == 4
    assert [item.name for item in items] == ["slice 0", "slice 1", "slice 2", "slice 3"]
    result = evaluate(items, network, "residual", "errors", 1)
    assert result.n_images == 4
    # The bright cell has 16 pixels, the dim one 16: 1024 - 96 of background, 64 + 32 of cells.
    background, cell = 928 / 960, 64 / 96
    assert result.miou["0"] == pytest.approx((background + cell) / 2)
    assert result.miou["1"] == 1


def as_nifti(folder: Path, name: str, voxels: np.ndarray, affine: np.ndarray) -> None:
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(voxels, affine), folder / f"{name}.nii.gz")


def test_labels_that_are_stored_in_another_order_are_laid_on_the_image(tmp_path, pixels, network):
    affine = np.diag([2.0, 0.5, 0.5, 1])
    affine[:3, 3] = 7, -3, 1
    voxels = np.array(pixels, np.float32)
    truth = np.arange(voxels.size).reshape(voxels.shape) % 2
    as_nifti(tmp_path, "image", voxels, affine)
    stored = truth.transpose(2, 0, 1)[:, :, ::-1]
    # Its axes are the third, the first, and the second backwards.
    order = np.array([[0, 1, 0, 0], [0, 0, -1, 15], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    as_nifti(tmp_path, "labels", stored.astype(np.float64), affine @ order)
    volume = open_volume(tmp_path, network)
    read = np.stack([volume.truth(0, n) for n in range(16)])
    np.testing.assert_array_equal(read, truth.T)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 0.5, 0.525)])
def test_labels_that_lie_elsewhere_are_told(tmp_path, pixels, network, caplog, sizes):
    as_nifti(tmp_path, "image", np.array(pixels, np.float32), np.diag([2.0, 0.5, 0.5, 1]))
    as_nifti(tmp_path, "labels", (pixels > 0).astype(np.uint8), np.diag([*sizes, 1.0]))
    volume = open_volume(tmp_path, network)
    np.testing.assert_array_equal(volume.truth(2, 1), pixels[1].T > 0)
    assert "labels.nii.gz and image.nii.gz tell that they lie at different places" in caplog.text


def test_a_single_volume_of_four_axes_is_read(tmp_path, pixels, network):
    as_nifti(tmp_path, "image", np.array(pixels, np.float32)[..., None], np.eye(4))
    as_nifti(tmp_path, "labels", (pixels > 0).astype(np.uint8)[..., None], np.eye(4))
    np.testing.assert_array_equal(open_volume(tmp_path, network).truth(2, 1), pixels[1].T > 0)


def test_numbers_with_a_palette_are_numbers_in_volumes_too(tmp_path, pixels, network):
    fill(tmp_path, pixels, pixels > 0)
    colours = np.zeros((3, 256), np.uint16)
    truth = (pixels > 0).astype(np.uint8)
    tifffile.imwrite(tmp_path / "labels.tif", truth, photometric="palette", colormap=colours)
    np.testing.assert_array_equal(open_volume(tmp_path, network).truth(0, 1), truth[1])


def test_along_another_axis(tmp_path, pixels, network):
    turned = np.moveaxis(pixels, 0, 2)
    volume = open_volume(fill(tmp_path, turned, turned > 0), network)
    upright, flat = items_of(volume, network, axis=2), items_of(volume, network)
    assert (len(upright), len(flat)) == (4, 16)
    for item, expected in zip(upright, pixels, strict=True):
        np.testing.assert_array_equal(item.image, expected)
        np.testing.assert_array_equal(item.truth, expected > 0)


def test_some_slices_by_the_seed(folder, network):
    volume = open_volume(folder, network)
    few = [item.name for item in items_of(volume, network, limit=2, seed=1)]
    assert len(few) == 2
    assert few == [item.name for item in items_of(volume, network, limit=2, seed=1)]
    assert len(items_of(volume, network, limit=9)) == 4
    with pytest.raises(InputError, match="at least one image is needed"):
        items_of(volume, network, limit=0)


def test_pixels_have_their_sizes(tmp_path, pixels, network):
    nibabel = pytest.importorskip("nibabel")
    affine = np.diag([3.0, 1, 2, 1])
    for name, data in (("image", pixels), ("labels", (pixels > 0).astype(np.uint8))):
        nibabel.Nifti1Image(data, affine).to_filename(tmp_path / f"{name}.nii.gz")
    volume = open_volume(tmp_path, network)
    axis = volume.picture.label_shape.index(4)
    item = next(iter(items_of(volume, network, axis=axis)))
    assert item.spacing == pytest.approx((2, 1))
    told = next(iter(items_of(volume, network, axis=axis, spacing=(5, 4, 3))))
    assert told.spacing == pytest.approx(np.delete((5, 4, 3), axis))


@pytest.mark.parametrize("protocol", ["errors", "questions"])
def test_a_network_for_volumes_corrects_them_whole(folder, deep, protocol):
    (item,) = items_of(open_volume(folder, deep), deep)
    assert item.image.shape == item.truth.shape == (4, 16, 16)
    result = evaluate([item], deep, "residual", protocol, 1)
    assert result.miou["0"] == pytest.approx((928 / 960 + 64 / 96) / 2)
    assert result.miou["1"] == 1
    assert result.unmet == 0


@pytest.mark.parametrize("told", [{"axis": 1}, {"limit": 2}])
def test_slices_of_what_is_corrected_whole_are_refused(folder, deep, told):
    with pytest.raises(InputError, match="corrects this one whole"):
        items_of(open_volume(folder, deep), deep, **told)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_channels_of_slices_are_where_the_volume_has_them(tmp_path, pixels, axis):
    preparation = Preparation(channels=4, value_range="none")
    network = FrozenNetwork(nn.Conv2d(4, 2, 1), ("background", "cell"), preparation, device="cpu")
    small = pixels[:, :4, :4]
    # Every axis is as long as the others, so shapes tell nothing.
    coloured = np.stack([small, *np.zeros((3, 4, 4, 4), np.float32)], axis=1)
    metadata = {"axes": "ZCYX"}
    fill(tmp_path, small, small > 0)
    tifffile.imwrite(tmp_path / "raw.tif", coloured, metadata=metadata, photometric="minisblack")
    volume = open_volume(tmp_path, network)
    assert volume.picture.channel_axis == 1
    for number, item in enumerate(items_of(volume, network, axis=axis)):
        first = item.image.take(0, item.channel_axis)
        np.testing.assert_array_equal(first, small.take(number, axis))


def test_words_are_not_about_volumes(folder, deep):
    items = items_of(open_volume(folder, deep), deep)
    with pytest.raises(InputError, match="takes volumes, and words are about images"):
        evaluate(items, deep, "words", "text", 1, talk=Talk("find", "words"))


@pytest.mark.parametrize("protocol", ["errors", "questions", "text"])
def test_from_the_shell(folder, tmp_path, protocol, capsys):
    out = tmp_path / "out.json"
    words = ["evaluate", str(folder), "--protocol", protocol, "--hints", "1", "--json", str(out)]
    (folder / "classes.txt").write_text("0 background\n1 nucleus\n")
    assert main([*words, "--limit", "2"]) == 0
    assert '"n_images": 2' in out.read_text(encoding="utf-8")
    assert main([*words, "--only", "listed.csv"]) == 2
    assert "--only is of no use here" in capsys.readouterr().err
    assert main([*words, "--axis", "3"]) == 2
    assert "no axis 3; choose 0, 1 or 2" in capsys.readouterr().err


def test_options_of_volumes_are_refused_for_images(tmp_path, capsys):
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "a.tif", np.zeros((8, 8), np.uint8))
    words = ["evaluate", str(tmp_path), "--json", str(tmp_path / "out.json"), "--instances"]
    for number in ("0", "1"):
        assert main([*words, "--axis", number]) == 2
        assert "--axis is of no use here" in capsys.readouterr().err
        assert main([*words, "--protocol", "carry", "--slice", number]) == 2
        assert "--slice is of no use here" in capsys.readouterr().err
