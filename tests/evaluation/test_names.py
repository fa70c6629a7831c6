from __future__ import annotations

from pathlib import Path

import pytest

from napari_guideme.errors import InputError
from napari_guideme.evaluation.names import (
    IGNORED,
    ClassNames,
    plain,
    read_class_list,
    read_class_map,
)


def test_names_are_matched_regardless_of_case_spaces_and_underscores():
    classes = ClassNames(("background", "Dining_Table", "cell"))
    assert classes.find("dining table") == 1
    assert classes.find(" CELL ") == 2
    assert classes.find("table") is None
    assert plain("  Traffic_light ") == "traffic light"


@pytest.mark.parametrize("name", ["void (ignore)", "Void", "ignored"])
def test_classes_to_ignore_say_so(name):
    assert ClassNames(("background", "cell")).find(name) == IGNORED


def test_the_foreground_is_the_first_class_besides_background_and_separator():
    classes = ClassNames(("background", "border", "nucleus", "spot"), "border")
    assert classes.foreground == 2
    assert classes.separator_merged().tolist() == [0, 2, 2, 3]
    assert classes.all_objects_merged().tolist() == [0, 2, 2, 2]


def test_a_network_without_objects_cannot_be_evaluated():
    with pytest.raises(InputError, match="background, border"):
        ClassNames(("background", "border"), "border")


def test_a_class_map_translates_the_data_to_the_network(tmp_path: Path):
    path = tmp_path / "map.csv"
    path.write_text("index,voc_name,coco_name\n0,background,background\n2,Sofa,couch\n")
    synonyms = read_class_map(path)
    assert synonyms == {"background": "background", "couch": "sofa"}
    classes = ClassNames(("background", "cat", "sofa"), None, synonyms)
    assert classes.find("couch") == 2
    assert classes.find("sofa") == 2
    assert classes.find("bear") is None


def test_a_class_map_may_give_many_classes_to_one(tmp_path: Path):
    path = tmp_path / "map.csv"
    path.write_text("network,data\nbackground,0\nbackground,4\ncell,5\ncell, 5\n")
    assert read_class_map(path) == {"0": "background", "4": "background", "5": "cell"}


def test_a_class_map_gives_no_class_of_the_data_to_two(tmp_path: Path):
    path = tmp_path / "map.csv"
    path.write_text("voc,coco\nsofa,couch\nchair,Couch\n")
    with pytest.raises(InputError, match=r"map\.csv gives couch .* to sofa and to chair"):
        read_class_map(path)


def test_a_class_map_names_no_class_that_the_network_lacks(tmp_path: Path, bordered):
    path = tmp_path / "map.csv"
    path.write_text("network,data\nnucleos,cell\nNucleus,kernel\nedge,rim\n")
    with pytest.raises(InputError) as refused:
        ClassNames.of(bordered, path)
    assert str(refused.value) == (
        "map.csv names edge, nucleos in the network's column; "
        "the classes of toy are background, nucleus, border"
    )


@pytest.mark.parametrize("text", ["", "index,name\n0,cat\n", "voc,coco\nsofa\n"])
def test_a_class_map_has_two_columns_of_names(tmp_path: Path, text: str):
    path = tmp_path / "map.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"map\.csv: a class map has"):
        read_class_map(path)


def test_a_class_map_that_is_missing_or_no_text(tmp_path: Path):
    with pytest.raises(InputError, match="there is no file"):
        read_class_map(tmp_path / "map.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="cannot be read"):
        read_class_map(tmp_path / "binary.csv")


def test_a_field_that_is_too_long_is_one_line(tmp_path: Path):
    path = tmp_path / "map.csv"
    path.write_text(f"voc,coco\nsofa,{'x' * 200_000}\n")
    with pytest.raises(InputError, match=r"map\.csv is no table: field larger"):
        read_class_map(path)


def test_a_class_list_may_have_a_title(tmp_path: Path):
    path = tmp_path / "classes.txt"
    path.write_text(
        "FreeSurfer numbers (origin)\n0 background\n 2  left white matter \n\n11 void\n"
    )
    assert read_class_list(path) == {0: "background", 2: "left white matter", 11: "void"}


def test_a_class_list_without_numbers_is_refused(tmp_path: Path):
    path = tmp_path / "classes.txt"
    path.write_text("background\nnucleus\n")
    with pytest.raises(InputError, match="index name"):
        read_class_list(path)
