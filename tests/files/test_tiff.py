"""What TIFFs of other programs mean."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_guideme.errors import ImageWarning, InputError
from napari_guideme.files import open_image, read_labels
from tests.pictures import write_with_palette

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5)
COLOURS = np.dstack([GREY, GREY[::-1], 9 * GREY])


@pytest.mark.parametrize(
    ("dtype", "bits", "white"),
    [("uint8", None, 255), ("uint16", None, 65535), ("uint16", 12, 4095), ("int16", None, -1)],
)
def test_white_that_is_zero_is_turned_in_an_image_and_not_in_labels(tmp_path, dtype, bits, white):
    stored = GREY.astype(dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="miniswhite", bitspersample=bits)
    read = open_image(path).pixels
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, white - stored.astype(int))
    np.testing.assert_array_equal(read_labels(path), stored)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"])
def test_whatever_other_programs_compress_by_is_read(tmp_path, compression):
    Image.fromarray(COLOURS).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").pixels, COLOURS)


def test_jpeg_and_fax_inside_a_tiff_are_read(tmp_path):
    colours = np.full((16, 16, 3), (200, 30, 60), np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.tif", compression="jpeg", quality=95)
    np.testing.assert_allclose(open_image(tmp_path / "a.tif").pixels, colours, atol=3)
    Image.fromarray(GREY > 9).save(tmp_path / "b.tif", compression="group4")
    np.testing.assert_array_equal(open_image(tmp_path / "b.tif").pixels, GREY > 9)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_a_mask_is_what_is_shown(tmp_path, photometric):
    mask = GREY > 9
    stored = mask if photometric == "minisblack" else ~mask
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric=photometric, metadata=None)
    for read in (read_labels(tmp_path / "a.tif"), open_image(tmp_path / "a.tif").pixels):
        np.testing.assert_array_equal(read, mask)


def test_a_mask_of_numpy_is_what_was_given(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY > 9)
    for read in (read_labels(tmp_path / "a.tif"), open_image(tmp_path / "a.tif").pixels):
        np.testing.assert_array_equal(read, GREY > 9)


def test_white_that_is_zero_is_refused_for_numbers_without_a_white(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.float32), photometric="miniswhite")
    with pytest.raises(InputError, match=r"a\.tif: white is zero in it, and its values are no int"):
        open_image(tmp_path / "a.tif")


def test_a_palette_is_colours_of_an_image_and_numbers_of_labels(tmp_path):
    numbers = GREY % 4
    write_with_palette(tmp_path / "a.tif", numbers)
    write_with_palette(tmp_path / "a.png", numbers)
    picture = open_image(tmp_path / "a.tif")
    assert picture.axes == ("y", "x", "c")
    np.testing.assert_array_equal(picture.pixels, open_image(tmp_path / "a.png").pixels)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), numbers)


@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}])
def test_a_palette_that_measured_values_are_shown_in_is_left_out(tmp_path, options):
    colours = np.linspace(0, 65535, 256).astype(np.uint16)
    palette = np.stack([colours, colours[::-1], colours // 2])
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="palette", colormap=palette, **options)
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").pixels, GREY)


@pytest.mark.parametrize(
    ("mode", "named"), [("CMYK", "CMYK"), ("YCbCr", "YCbCr"), ("LAB", "L*a*b")]
)
def test_colours_that_are_not_those_of_a_screen_are_refused(tmp_path, mode, named):
    if mode == "LAB":
        tifffile.imwrite(tmp_path / "a.tif", COLOURS, photometric="cielab")
    else:
        Image.fromarray(COLOURS).convert(mode).save(tmp_path / "a.tif")
    for read in (open_image, read_labels):
        with pytest.raises(InputError) as raised:
            read(tmp_path / "a.tif")
        assert named in str(raised.value)
        assert "save it as RGB or grey" in str(raised.value)


def write_two(path, second, *, ome=False, **options):
    with tifffile.TiffWriter(path, ome=ome) as writer:
        writer.write(GREY, metadata={"Name": "cells"} if ome else None)
        writer.write(second, **options)


@pytest.mark.parametrize("ome", [False, True])
@pytest.mark.parametrize("second", [GREY[:3, :4], COLOURS], ids=["smaller", "colours"])
def test_several_images_in_a_file_are_refused(tmp_path, second, ome):
    write_two(tmp_path / "a.tif", second, ome=ome)
    with pytest.raises(InputError, match=r"a\.tif: it holds 2 images that are no stack \(4 x 5, "):
        open_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "options",
    [
        {"subfiletype": 1},
        {"ome": True, "metadata": {"Name": "Thumbnail"}},
        {"ome": True, "metadata": {"Name": "macro image"}},
    ],
)
def test_pictures_beside_the_image_are_left_out(tmp_path, options):
    write_two(tmp_path / "a.tif", COLOURS[:3, :4], **options)
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").pixels, GREY)


@pytest.mark.parametrize("ome", [False, True])
def test_of_a_pyramid_the_finest_level_is_read(tmp_path, ome):
    fine = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=ome) as writer:
        writer.write(fine, subifds=2)
        for level in (1, 2):
            writer.write(fine[:: 2**level, :: 2**level], subfiletype=1)
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").pixels, fine)


def test_whoever_opens_an_image_that_is_stored_sideways_is_warned(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, extratags=[(274, "H", 1, 6, True)])
    with pytest.warns(ImageWarning, match=r"^a\.tif: its pixels are stored turned .*tion 6\)"):
        picture = open_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.pixels, GREY)
