from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import tifffile

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import open_dataset, open_objects
from napari_guideme.evaluation.names import read_class_list
from tests.pictures import write_with_palette

from .toys import network_of

GREY = np.zeros((2, 3), dtype=np.uint8)
COLOUR = np.zeros((2, 3, 3), dtype=np.uint8)
NETWORK = network_of(("background", "nucleus", "border"), "border")


def only(dataset):
    (item,) = dataset
    return item


def as_png(*rows):
    return np.array(rows, dtype=np.uint8)


def test_ids_of_objects_are_foreground(write):
    ids = np.array([[0, 1, 2], [300, 0, 7]], dtype=np.uint16)
    folder = write(images__a_png=GREY, labels__a_png=ids)
    item = only(open_dataset(folder, NETWORK, instances=True))
    assert item.truth.tolist() == [[0, 1, 1], [1, 0, 1]]
    assert item.merged.tolist() == [0, 1, 1]
    assert (item.name, item.kind, item.channel_axis) == ("a", None, None)


def test_numbers_with_a_palette_are_read_as_numbers(write):
    folder = write(images__a_png=COLOUR)
    (folder / "labels").mkdir()
    write_with_palette(folder / "labels/a.png", as_png([0, 1, 2], [2, 0, 1]))
    network = network_of(("background", "cytoplasm", "nucleus"))
    assert only(open_dataset(folder, network)).truth.tolist() == [[0, 1, 2], [2, 0, 1]]


def test_masks_leave_out_128(write):
    folder = write(images__a_jpg=COLOUR, masks__a_png=as_png([0, 128, 255], [255, 1, 0]))
    item = only(open_dataset(folder, NETWORK))
    assert item.truth.tolist() == [[0, -1, 1], [1, 1, 0]]
    assert item.image.shape == (2, 3, 3)
    assert item.channel_axis == 2


def test_in_a_mask_any_class_of_objects_counts(write):
    folder = write(images__a_png=GREY, masks__a_png=as_png([0, 255, 0], [0, 0, 0]))
    network = network_of(("background", "cat", "dog", "cow"))
    assert only(open_dataset(folder, network)).merged.tolist() == [0, 1, 1, 1]


def test_a_mask_with_other_numbers_is_refused(write):
    folder = write(images__a_png=GREY, masks__a_png=as_png([0, 1, 2], [0, 0, 0]))
    with pytest.raises(InputError, match=r"mask of a holds 2.*--instances"):
        only(open_dataset(folder, NETWORK))
    assert only(open_dataset(folder, NETWORK, instances=True)).truth.sum() == 2


def test_class_values_are_matched_by_name(write):
    folder = write(images__a_png=GREY, labels__a_png=as_png([0, 1, 2], [3, 11, 2]))
    (folder / "classes.txt").write_text("0 sky\n1 Nucleus\n2 tree\n3 BORDER\n11 void (ignore)\n")
    item = only(open_dataset(folder, NETWORK))
    # The separator is part of an object, on both sides.
    assert item.truth.tolist() == [[0, 1, 0], [1, -1, 0]]
    assert item.merged.tolist() == [0, 1, 1]


def test_class_values_without_names_are_the_networks_own(write, caplog):
    network = network_of(("background", "cytoplasm", "nucleus"))
    folder = write(
        images__a_png=GREY,
        labels__a_png=as_png([0, 1, 2], [2, 7, 9]),
        images__b_png=GREY,
        labels__b_png=as_png([0, 1, 2], [2, 8, 0]),
    )
    with caplog.at_level(logging.WARNING):
        first, second = open_dataset(folder, network)
    assert first.truth.tolist() == [[0, 1, 2], [2, 0, 0]]
    assert second.truth.tolist() == [[0, 1, 2], [2, 0, 0]]
    assert first.merged.tolist() == [0, 1, 2]
    assert len(caplog.records) == 1
    assert "--instances" in caplog.text


def test_255_without_a_name_counts_for_nothing(write, caplog):
    folder = write(images__a_png=GREY, labels__a_png=as_png([0, 1, 255], [255, 2, 0]))
    network = network_of(("background", "cytoplasm", "nucleus"))
    with caplog.at_level(logging.WARNING):
        item = only(open_dataset(folder, network))
    assert item.truth.tolist() == [[0, 1, -1], [-1, 2, 0]]
    (told,) = caplog.messages
    assert told.startswith("255 in labels is no class of the network and counts for nothing")
    many = network_of(tuple(f"class {n}" for n in range(256)))
    assert only(open_dataset(folder, many)).truth.tolist() == [[0, 1, 255], [255, 2, 0]]


def test_a_class_map_can_name_bare_numbers(write):
    folder = write(images__a_png=GREY, labels__a_png=as_png([0, 1, 2], [2, 0, 0]))
    (folder / "map.csv").write_text("network,data\nbackground,1\nnucleus,2\n")
    item = only(open_dataset(folder, NETWORK, class_map=folder / "map.csv"))
    assert item.truth.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_a_number_that_the_class_list_lacks_is_refused(write):
    folder = write(images__a_png=GREY, labels__a_png=as_png([0, 1, 5], [0, 0, 0]))
    (folder / "classes.txt").write_text("0 background\n1 nucleus\n")
    with pytest.raises(InputError, match=r"labels of a hold 5.*classes\.txt"):
        only(open_dataset(folder, NETWORK))


def test_named_objects_have_their_classes(write):
    folder = write(images__a_png=GREY, masks__a_png=as_png([0, 1, 2], [3, 3, 1]))
    objects = {"1": {"name": "couch"}, "2": {"name": "bear"}, "3": {"name": "Cat"}}
    (folder / "instances").mkdir()
    (folder / "instances/a.json").write_text(json.dumps({"instances": objects}))
    (folder / "map.csv").write_text("index,voc_name,coco_name\n1,cat,cat\n2,sofa,couch\n")
    network = network_of(("background", "cat", "sofa"))
    item = only(open_dataset(folder, network, class_map=folder / "map.csv"))
    assert item.truth.tolist() == [[0, 2, 0], [1, 1, 2]]
    assert item.merged.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no file"),
        ("{", r"a\.json does not have the form"),
        ('{"instances": [1]}', r"a\.json does not have the form"),
        ('{"instances": {"1": {}}}', r"a\.json does not have the form"),
        ('{"instances": {"2": {"name": "cat"}}}', r"object 1, which a\.json does not name"),
    ],
)
def test_named_objects_need_their_names(write, text, message):
    folder = write(images__a_png=GREY, masks__a_png=as_png([0, 1, 0], [0, 0, 0]))
    (folder / "instances").mkdir()
    if text is not None:
        (folder / "instances/a.json").write_text(text)
    with pytest.raises(InputError, match=message):
        only(open_dataset(folder, NETWORK))


def test_a_table_gives_split_and_kind(write):
    images = {f"{folder}__{stem}_png": GREY for folder in ("images", "masks") for stem in "abc"}
    folder = write(**images)
    (folder / "images.csv").write_text(
        "stem,kind,split\na,histology,test\nb,fluorescence,train\nc,,test\n"
    )
    assert [item.name for item in open_dataset(folder, NETWORK)] == ["a", "b", "c"]
    chosen = list(open_dataset(folder, NETWORK, split="test"))
    assert [(item.name, item.kind) for item in chosen] == [("a", "histology"), ("c", None)]
    with pytest.raises(InputError, match=r"split 'val'.*test, train"):
        open_dataset(folder, NETWORK, split="val")


def test_a_split_needs_a_table(write):
    folder = write(images__a_png=GREY, masks__a_png=GREY)
    with pytest.raises(InputError, match=r"images\.csv names none"):
        open_dataset(folder, NETWORK, split="test")


def test_only_some_images_are_used(write, tmp_path):
    folder = write(**{f"images__{stem}_png": GREY for stem in "abc"})
    write(**{f"labels__{stem}_png": np.zeros_like(GREY) for stem in "abc"})
    listed = tmp_path / "held_out.csv"
    listed.write_text("stem,split\nc,test\na,test\n")
    assert [item.name for item in open_dataset(folder, NETWORK, only=listed)] == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stem\na\nq\nz\n", "names 2 images that are not there, the first is q"),
        ("name\na\n", "must have a column 'stem'"),
        ("stem,split\na,test\n,test\n", "a name in every row"),
        ("", "must have a column 'stem'"),
    ],
)
def test_a_list_of_images_is_checked(write, tmp_path, text, said):
    folder = write(images__a_png=GREY, labels__a_png=np.zeros_like(GREY))
    listed = tmp_path / "held_out.csv"
    listed.write_text(text)
    with pytest.raises(InputError, match=said):
        open_dataset(folder, NETWORK, only=listed)


def test_a_limit_is_drawn_by_the_seed(write):
    stems = "abcdefgh"
    images = {f"{folder}__{stem}_png": GREY for folder in ("images", "masks") for stem in stems}
    folder = write(**images)

    def names(limit, seed):
        return [item.name for item in open_dataset(folder, NETWORK, limit=limit, seed=seed)]

    assert names(3, 0) == names(3, 0) == sorted(names(3, 0))
    assert len(set(names(3, 0))) == 3
    assert len({tuple(names(3, seed)) for seed in range(5)}) > 1
    assert names(99, 0) == list(stems)
    assert len(open_dataset(folder, NETWORK, limit=3)) == 3
    with pytest.raises(InputError, match="at least one image"):
        open_dataset(folder, NETWORK, limit=0)


def test_channels_of_a_tiff_may_come_first(write):
    folder = write(masks__a_png=GREY)
    (folder / "images").mkdir()
    tifffile.imwrite(folder / "images/a.tif", np.zeros((4, 2, 3), np.uint16))
    item = only(open_dataset(folder, NETWORK))
    assert (item.image.shape, item.channel_axis) == ((4, 2, 3), 0)


def test_files_are_read_one_after_the_other(write):
    folder = write(images__a_png=GREY, masks__a_png=GREY, masks__b_png=GREY)
    (folder / "images/b.png").write_bytes(b"no picture")
    items = iter(open_dataset(folder, NETWORK))
    assert next(items).name == "a"
    with pytest.raises(InputError, match=r"b\.png is not a readable image"):
        next(items)


def test_volumes_do_not_lie_among_images(write):
    folder = write()
    for name in ("images", "labels"):
        (folder / name).mkdir()
        tifffile.imwrite(folder / name / "a.tif", np.zeros((5, 6, 7), np.uint16))
    with pytest.raises(InputError, match=r"\(5, 6, 7\).*a volume lies alone in a folder"):
        only(open_dataset(folder, NETWORK, instances=True))


def test_a_truth_in_colour_is_refused(write):
    folder = write(images__a_png=COLOUR, masks__a_png=COLOUR)
    with pytest.raises(InputError, match="one channel of rows and columns"):
        only(open_dataset(folder, NETWORK))


def test_a_truth_of_fractions_is_refused(write):
    folder = write(images__a_png=GREY)
    (folder / "labels").mkdir()
    for wrong in (0.5, np.nan, np.inf):
        tifffile.imwrite(folder / "labels/a.tif", np.full((2, 3), wrong, np.float32))
        with pytest.raises(InputError, match="float32; use whole numbers"):
            only(open_dataset(folder, NETWORK))


def test_whole_numbers_stored_as_fractions_are_read(write):
    folder = write(images__a_png=GREY)
    (folder / "labels").mkdir()
    tifffile.imwrite(folder / "labels/a.tif", np.array([[0, 1, 2], [2, 1, 0]], np.float32))
    network = network_of(("background", "cytoplasm", "nucleus"))
    assert only(open_dataset(folder, network)).truth.tolist() == [[0, 1, 2], [2, 1, 0]]


def test_below_zero_nothing_counts(write, caplog):
    folder = write(images__a_png=GREY)
    (folder / "labels").mkdir()
    tifffile.imwrite(folder / "labels/a.tif", np.array([[0, 1, -1], [-2, 1, 0]], np.int16))
    assert only(open_dataset(folder, NETWORK)).truth.tolist() == [[0, 1, -1], [-1, 1, 0]]
    assert "-1 in labels is no class of the network and counts for nothing" in caplog.text


@pytest.mark.parametrize("between", [" ", "\t", ": ", ",", ";", " = "])
def test_a_class_list_may_part_index_and_name_otherwise(tmp_path, between):
    path = tmp_path / "classes.txt"
    path.write_text(f"name{between}of classes\n0{between}background\n11{between}white matter \n")
    assert read_class_list(path) == {0: "background", 11: "white matter"}


def test_image_and_truth_of_different_size_are_refused(write):
    folder = write(images__a_png=COLOUR, masks__a_png=np.zeros((3, 2), np.uint8))
    sizes = r"a\.png has shape \(2, 3, 3\), its truth masks/a\.png has \(3, 2\)"
    with pytest.raises(InputError, match=sizes):
        only(open_dataset(folder, NETWORK))


def test_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        open_dataset(tmp_path / "nowhere", NETWORK)


def test_a_folder_of_another_layout(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match="must have a folder images, and labels or masks"):
        open_dataset(tmp_path, NETWORK)


def test_a_folder_without_readable_images_says_what_is_read(tmp_path):
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "case.1.nii.gz").touch()
    with pytest.raises(
        InputError, match=r"no images in .*read are .*\.png.*not \.nii\.gz; a volume"
    ):
        open_dataset(tmp_path, NETWORK)


def test_an_image_without_truth(write):
    folder = write(images__a_png=GREY, images__b_png=GREY, masks__a_png=GREY)
    with pytest.raises(InputError, match=r"1 of 2 images have no file in .*masks, .* b\.png"):
        open_dataset(folder, NETWORK)


def test_images_that_are_not_asked_for_need_no_truth(write, tmp_path):
    folder = write(images__a_png=GREY, images__b_png=GREY, masks__a_png=GREY * 0)
    listed = tmp_path / "only.csv"
    listed.write_text("stem\na\n")
    (folder / "images.csv").write_text("stem,split\na,train\nb,test\n")
    assert only(open_dataset(folder, NETWORK, only=listed)).name == "a"
    assert only(open_dataset(folder, NETWORK, split="train")).name == "a"


def test_two_images_of_one_name(write):
    folder = write(images__a_png=GREY, images__a_jpg=GREY, masks__a_png=GREY)
    with pytest.raises(InputError, match="have one name"):
        open_dataset(folder, NETWORK)


def test_a_mask_is_one_object(write):
    folder = write(images__a_png=GREY, masks__a_png=as_png([0, 128, 255], [255, 1, 0]))
    item = only(open_objects(folder))
    assert item.truth.tolist() == [[0, -1, 1], [1, 1, 0]]
    assert item.merged.tolist() == [0, 1]
    other = write(images__a_png=GREY, masks__a_png=as_png([0, 1, 2], [0, 0, 0]))
    with pytest.raises(InputError, match=r"mask of a holds 2.*--instances"):
        only(open_objects(other))


def test_ids_are_objects_if_they_are_said_to_be(write):
    ids = np.array([[0, 1, 2], [300, 128, 7]], dtype=np.uint16)
    folder = write(images__a_png=GREY, labels__a_png=ids)
    assert (only(open_objects(folder, instances=True)).truth == ids).all()
    with pytest.raises(InputError, match=r"name classes, not objects.*--instances"):
        open_objects(folder)


def test_numbers_beside_instances_are_objects_of_any_class(write):
    ids = as_png([0, 1, 2], [128, 3, 1])
    folder = write(images__a_png=GREY, masks__a_png=ids)
    (folder / "instances").mkdir()
    assert (only(open_objects(folder)).truth == ids).all()


def test_images_with_objects_are_chosen_like_others(write, tmp_path):
    stems = "abcdef"
    images = {f"{folder}__{stem}_png": GREY for folder in ("images", "masks") for stem in stems}
    folder = write(**images)
    rows = "".join(f"{stem},{'test' if stem < 'e' else 'train'}\n" for stem in stems)
    (folder / "images.csv").write_text(f"stem,split\n{rows}")
    chosen = {"split": "test", "limit": 2, "seed": 3}
    expected = [item.name for item in open_dataset(folder, NETWORK, **chosen)]
    assert [item.name for item in open_objects(folder, **chosen)] == expected
    listed = tmp_path / "listed.csv"
    listed.write_text("stem\nc\n")
    assert [item.name for item in open_objects(folder, only=listed)] == ["c"]
