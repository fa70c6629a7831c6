from __future__ import annotations

import gc
import json
import os
import sys
import warnings

import imagecodecs
import numpy as np
import pytest
import tifffile
from imageio import v3 as imageio
from PIL import Image

from napari_guideme import files
from napari_guideme.errors import ImageWarning, InputError
from napari_guideme.hints import Click, Hints
from napari_guideme.hints_json import hints_to_json
from tests.pictures import write_with_palette


@pytest.fixture
def under_a_file(tmp_path):
    """A folder that nobody can write to, root included."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "folder"


def numbered(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)


@pytest.mark.parametrize(
    ("shape", "options", "channel_axis"),
    [
        ((4, 5), {}, None),
        ((1, 1), {}, None),
        ((4, 5, 3), {"photometric": "rgb"}, 2),
        ((4, 5, 4), {"photometric": "rgb"}, 2),
        ((3, 4, 5), {"photometric": "rgb", "planarconfig": "separate"}, 0),
        ((2, 4, 5), {"imagej": True, "metadata": {"axes": "CYX"}}, 0),
        ((2, 4, 5), {"ome": True, "metadata": {"axes": "CYX"}}, 0),
        ((3, 4, 5), {"imagej": True, "metadata": {"axes": "ZYX"}}, None),
        ((3, 2, 4, 5), {"imagej": True, "metadata": {"axes": "ZCYX"}}, 1),
    ],
)
def test_a_tiff_names_its_axes(tmp_path, shape, options, channel_axis):
    pixels = numbered(*shape)
    tifffile.imwrite(tmp_path / "image.tif", pixels, **options)
    read, axis = files.read_image(tmp_path / "image.tif")
    np.testing.assert_array_equal(read, pixels)
    assert axis == channel_axis


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "bool"])
def test_a_tiff_keeps_its_type(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "image.TIFF", numbered(2, 3).astype(dtype))
    assert files.read_image(tmp_path / "image.TIFF")[0].dtype == dtype


@pytest.mark.parametrize(
    ("name", "shape", "channel_axis"),
    [
        ("a.png", (4, 5), None),
        ("a.png", (4, 5, 3), 2),
        ("a.PNG", (4, 5, 4), 2),
        ("a.bmp", (4, 5, 3), 2),
        ("a.jpg", (4, 5), None),
        ("a.jpeg", (4, 5, 3), 2),
    ],
)
def test_colours_come_last_in_pictures(tmp_path, name, shape, channel_axis):
    imageio.imwrite(tmp_path / name, np.full(shape, 7, np.uint8))
    read, axis = files.read_image(tmp_path / name)
    assert read.shape == shape
    assert axis == channel_axis
    np.testing.assert_allclose(read, 7, atol=2 if "jp" in name else 0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_16_bits_keeps_them(tmp_path, channels):
    pixels = np.arange(4 * 5 * channels, dtype=np.uint16).reshape(4, 5, channels) * 700 + 3
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels.squeeze()))
    read, axis = files.read_image(tmp_path / "a.png")
    assert read.dtype == np.uint16
    # Transparency of a grey picture is left out.
    np.testing.assert_array_equal(read, pixels[..., 0] if channels < 3 else pixels)
    assert axis == (None if channels < 3 else 2)


def test_a_cut_png_of_16_bits_is_named(tmp_path):
    whole = imagecodecs.png_encode(np.arange(9000, dtype=np.uint16).reshape(50, 60, 3))
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"^a\.png is not a readable image: [^\n]+$"):
        files.open_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_whoever_opens_a_picture_that_is_stored_sideways_is_warned(tmp_path, name):
    """Labels have to lie on the pixels that napari shows: as they are stored."""
    told = Image.Exif()
    told[0x0112] = 8
    Image.fromarray(numbered(4, 5)).save(tmp_path / name, exif=told)
    with pytest.warns(ImageWarning, match=rf"^{name}: .*orientation 8.*Save it upright") as warned:
        picture = files.open_image(tmp_path / name)
    assert picture.label_shape == imageio.imread(tmp_path / name).shape == (4, 5)
    assert [warning.filename for warning in warned] == [__file__]
    told[0x0112] = 1
    Image.fromarray(numbered(4, 5)).save(tmp_path / name, exif=told)
    with warnings.catch_warnings(action="error"):
        files.open_image(tmp_path / name)


def test_transparency_of_a_grey_picture_is_left_out(tmp_path):
    grey = np.arange(20, dtype=np.uint8).reshape(4, 5)
    Image.fromarray(np.dstack([grey, 255 - grey]), "LA").save(tmp_path / "a.png")
    pixels, channel_axis = files.read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels, grey)
    assert channel_axis is None


@pytest.mark.parametrize("name", ["a.tif", "a.tiff", "a.png", "a.jpg", "a.bmp"])
@pytest.mark.parametrize("content", [b"", b"this is no image", b"II*\0\xff\xff\xff\xff"])
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_a_broken_image_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"^{name} is not a readable image: [^\n]+$"):
        files.read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.bmp"])
def test_a_palette_is_colours_of_an_image_and_numbers_of_labels(tmp_path, name):
    numbers = numbered(4, 5) % 4
    write_with_palette(tmp_path / name, numbers)
    np.testing.assert_array_equal(files.read_labels(tmp_path / name), numbers)
    assert files.read_image(tmp_path / name)[0].shape == (4, 5, 3)


@pytest.mark.parametrize(("name", "shape"), [("a.png", (4, 5)), ("a.tif", (2, 4, 5))])
def test_labels_without_a_palette_are_read_as_they_are(tmp_path, name, shape):
    labels = numbered(*shape).astype(np.uint16) + 300
    write = tifffile.imwrite if name.endswith("tif") else imageio.imwrite
    write(tmp_path / name, labels)
    np.testing.assert_array_equal(files.read_labels(tmp_path / name), labels)


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no image .*nowhere\.tif"):
        files.read_image(tmp_path / "nowhere.tif")
    with pytest.raises(InputError, match="there is no image"):
        files.read_image(tmp_path)


def test_another_format_is_told_which_are_read(tmp_path):
    (tmp_path / "a.doc").touch()
    with pytest.raises(InputError, match=r"a\.doc: images are read from \.tif, .*\.png"):
        files.read_image(tmp_path / "a.doc")


def test_colours_for_printing_are_read_as_those_of_a_screen(tmp_path):
    colours = np.zeros((16, 16, 3), np.uint8)
    colours[:8], colours[8:] = (200, 0, 0), (0, 0, 255)
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    for read in (files.read_image(tmp_path / "a.jpg")[0], files.read_labels(tmp_path / "a.jpg")):
        np.testing.assert_allclose(read, colours, atol=3)


@pytest.mark.parametrize("format_", ["PNG", "GIF"])
def test_pictures_that_move_are_refused(tmp_path, format_):
    first, *others = (Image.fromarray(np.full((4, 5), n, np.uint8)) for n in (0, 90, 200))
    first.save(tmp_path / "a.png", format_, save_all=True, append_images=others)
    for read in (files.open_image, files.read_labels):
        with pytest.raises(InputError, match=r"a\.png: it holds 3 pictures that follow"):
            read(tmp_path / "a.png")
    first.save(tmp_path / "b.png", format_)
    assert files.open_image(tmp_path / "b.png").label_shape == (4, 5)


def test_hints_are_read(tmp_path):
    hints = Hints((Click((1.0, 2.0), "cell"),))
    (tmp_path / "hints.json").write_text(json.dumps(hints_to_json(hints)))
    assert files.read_hints(tmp_path / "hints.json") == hints
    assert files.read_hints(f"{tmp_path}/hints.json") == hints


def test_paths_may_be_texts(tmp_path):
    path, labels = f"{tmp_path}/labels.png", np.array([[0, 1], [2, 3]], np.uint8)
    files.write_labels(path, labels)
    for read in (files.open_image(path).pixels, files.read_image(path)[0], files.read_labels(path)):
        np.testing.assert_array_equal(read, labels)


def test_hints_by_an_editor_of_windows_are_read(tmp_path):
    text = '{"clicks": [{"at": [1, 2], "class": "cell"}]}'
    (tmp_path / "hints.json").write_text(text, encoding="utf-8-sig")
    assert files.read_hints(tmp_path / "hints.json") == Hints((Click((1.0, 2.0), "cell"),))


def test_hints_under_a_key_that_is_told_twice_are_not_dropped(tmp_path):
    click = '"clicks": [{"at": [1, 2], "class": "cell"}]'
    (tmp_path / "hints.json").write_text(f'{{{click}, "clicks": []}}')
    with pytest.raises(InputError, match=r'hints\.json: "clicks" is told twice'):
        files.read_hints(tmp_path / "hints.json")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe\0",
        b'{"clicks": [{"at": [NaN, 0], "class": "a"}]}',
        b"[" * 99999,
    ],
)
def test_broken_hints_are_named(tmp_path, content):
    (tmp_path / "hints.json").write_bytes(content)
    with pytest.raises(InputError, match=r"^hints\.json: [^\n]+$"):
        files.read_hints(tmp_path / "hints.json")


def test_missing_hints_are_named(tmp_path, under_a_file):
    with pytest.raises(InputError, match="there is no hints file"):
        files.read_hints(tmp_path / "nowhere.json")
    with pytest.raises(InputError, match=r"hints\.json"):
        files.read_hints(under_a_file / "hints.json")
    with pytest.raises(InputError, match=tmp_path.name):
        files.read_hints(tmp_path)


@pytest.mark.parametrize("name", ["labels.tif", "labels.TIFF", "labels.png"])
@pytest.mark.parametrize(("dtype", "largest"), [("uint8", 2), ("int32", 300), ("int64", 65535)])
def test_labels_survive_a_file(tmp_path, name, dtype, largest):
    labels = np.array([[0, 1], [2, largest]], dtype=dtype)
    files.write_labels(tmp_path / name, labels)
    np.testing.assert_array_equal(files.read_image(tmp_path / name)[0], labels)


@pytest.mark.parametrize("labels", [np.array([[65536]]), np.zeros((2, 3, 3), np.uint8)])
def test_labels_that_png_cannot_hold_are_refused(tmp_path, labels):
    with pytest.raises(InputError, match=r"write \.tif"):
        files.write_labels(tmp_path / "labels.png", labels)
    assert not list(tmp_path.iterdir())
    files.write_labels(tmp_path / "labels.tif", labels)
    read, channel_axis = files.read_image(tmp_path / "labels.tif")
    np.testing.assert_array_equal(read, labels)
    assert channel_axis is None


def test_another_output_format_is_told_which_there_are(tmp_path):
    with pytest.raises(InputError, match=r"must end in \.tif, \.tiff, \.png"):
        files.write_labels(tmp_path / "labels.jpg", np.zeros((2, 2), int))


def write_labels(path):
    files.write_labels(path.with_suffix(".tif"), np.zeros((2, 2), np.uint8))


def write_picture(path):
    files.write_picture(path.with_suffix(".png"), np.zeros((2, 2, 3), np.uint8))


def write_json(path):
    files.write_json(path.with_suffix(".json"), {"a": 1})


@pytest.mark.parametrize("write", [write_labels, write_picture, write_json])
def test_writing_leaves_nothing_but_the_file(tmp_path, write):
    write(tmp_path / "out")
    write(tmp_path / "out")
    assert [path.stem for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("write", [write_labels, write_picture, write_json])
def test_an_output_with_nowhere_to_go_is_named(tmp_path, under_a_file, write):
    for folder in (under_a_file, tmp_path / "missing"):
        with pytest.raises(InputError, match=r"cannot write .*out"):
            write(folder / "out")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    old = tmp_path / "labels.tif"
    old.write_bytes(b"old")

    def full(path, *_, **__):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(InputError, match="No space left"):
        files.write_labels(old, np.zeros((2, 2), np.uint8))
    assert list(tmp_path.iterdir()) == [old]
    assert old.read_bytes() == b"old"


def test_the_old_file_is_replaced_and_not_overwritten(tmp_path):
    path, link = tmp_path / "labels.tif", tmp_path / "link.tif"
    path.write_bytes(b"old")
    link.hardlink_to(path)
    files.write_labels(path, np.zeros((2, 2), np.uint8))
    assert link.read_bytes() == b"old"
    assert files.read_image(path)[0].shape == (2, 2)


def test_what_json_cannot_hold_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        files.write_json(tmp_path / "report.json", {"a": object()})
    assert not list(tmp_path.iterdir())


def test_json_is_written_as_given(tmp_path):
    files.write_json(tmp_path / "report.json", {"satisfied": 3})
    assert json.loads((tmp_path / "report.json").read_text()) == {"satisfied": 3}


def test_writable_is_checked_without_writing(tmp_path, under_a_file):
    files.check_writable(tmp_path / "a.tif", (".tif",))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(InputError, match="cannot write"):
        files.check_writable(under_a_file / "a.tif", (".tif",))
    with pytest.raises(InputError, match=r"must end in \.json"):
        files.check_writable(tmp_path / "a.tif", (".json",))
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        files.check_writable(tmp_path / "folder.tif", (".tif",))


def test_a_folder_is_made_where_it_can_be(tmp_path, under_a_file):
    files.make_folder(tmp_path / "a" / "b")
    files.make_folder(tmp_path / "a" / "b")
    assert not list((tmp_path / "a" / "b").iterdir())
    with pytest.raises(InputError, match="cannot write"):
        files.make_folder(under_a_file)


def test_real_images_are_read(shared):
    kinds = (*files.TIFF, *files.PICTURES)
    read = 0
    for folder in (shared / "data").iterdir():
        image = next((f for f in sorted(folder.rglob("*")) if f.suffix in kinds), None)
        if image is not None:
            pixels, channel_axis = files.read_image(image)
            assert pixels.ndim - (channel_axis is not None) in (2, 3), image
            read += 1
    assert read > 5


@pytest.mark.skipif(os.name == "nt", reason="files cannot be limited")
def test_a_disk_that_takes_no_more_is_told_once(tmp_path, monkeypatch):
    import resource

    complaints: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    noise = np.random.default_rng(0).integers(0, 255, (15, 15), np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(InputError, match=r"cannot write .*a\.png"):
            files.write_picture(tmp_path / "a.png", noise)
        gc.collect()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not complaints
    assert not list(tmp_path.iterdir())
