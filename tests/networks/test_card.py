from __future__ import annotations

import subprocess
import sys

import pytest

from napari_guideme.errors import InputError
from napari_guideme.networks.card import (
    NetworkCard,
    beside,
    read_card,
    read_classes,
    sidecar,
    write_card,
)

FULL = NetworkCard(
    name="cells",
    description='Cells, "quoted".',
    licence="MIT",
    classes=("background", "cell", "border"),
    separator="border",
    output="probabilities",
    guide_point="relu_3",
    channels_last=True,
    architecture={"name": "unet", "widths": [4, 6]},
    preparation={"channels": 1, "value_range": "percentile", "percentiles": [2.0, 98.0]},
)


@pytest.mark.parametrize("card", [FULL, NetworkCard(), NetworkCard(channels_last=False)])
def test_a_card_survives_its_file(tmp_path, card):
    write_card(tmp_path / "cells.guideme.toml", card)
    assert read_card(tmp_path / "cells.guideme.toml") == card
    write_card(f"{tmp_path}/text.guideme.toml", card)
    assert read_card(f"{tmp_path}/text.guideme.toml") == card


def test_an_editor_of_windows_does_no_harm(tmp_path):
    path = tmp_path / "cells.guideme.toml"
    write_card(path, FULL)
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert read_card(path) == FULL


def test_the_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "none" / "cells.guideme.toml"
    with pytest.raises(InputError, match="cannot write"):
        write_card(file, FULL)
    write_card(tmp_path / "cells.guideme.toml", FULL)
    assert [f.name for f in tmp_path.iterdir()] == ["cells.guideme.toml"]


def test_a_card_completes_another_one():
    known = NetworkCard(classes=("a", "b"), preparation={"channels": 1}, channels_last=False)
    whole = known.completed(FULL)
    assert whole.classes == ("a", "b")
    assert whole.channels_last is False
    assert whole.licence == "MIT"
    assert whole.preparation == {**FULL.preparation, "channels": 1}


def test_numbers_of_one_formula_come_from_one_card():
    guess = NetworkCard(preparation={"value_range": "dtype", "mean": (0.5,), "std": (0.5,)})
    known = NetworkCard(preparation={"scale": 1 / 127.5, "mean": (1.0,)})
    whole = known.completed(guess)
    assert whole.preparation == {"value_range": "dtype", "scale": 1 / 127.5, "mean": (1.0,)}
    assert NetworkCard().completed(guess).preparation == guess.preparation


def test_a_separator_of_other_classes_is_not_taken_over():
    assert NetworkCard(classes=("a", "b")).completed(FULL).separator is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clases = ['a']", "unknown entry clases; known are .*classes"),
        ("classes = 'a'", "classes = 'a' is not a list of texts"),
        ("classes = [1]", "is not a list of texts"),
        ("classes = ['a', 'a']", "named twice"),
        ("output = 'softmax'", "choose logits or probabilities"),
        ("channels_last = 1", "is not true or false"),
        ("licence = 3", "is not a text"),
        ("classes = ['a']\nseparator = 'b'", "none of the classes"),
        ("[preparation]\nchanels = 1", "unknown preparation chanels"),
        ("[preparation]\nsize = [1, 'b']", "size = .* is not a list"),
        ("architecture = 'unet'", "is not a table"),
        ("classes = [", "bad.guideme.toml: "),
    ],
)
def test_a_wrong_card_is_told_in_one_line(tmp_path, text, message):
    (tmp_path / "bad.guideme.toml").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_card(tmp_path / "bad.guideme.toml")
    assert "\n" not in str(caught.value)


def test_no_card_and_no_text(tmp_path):
    with pytest.raises(InputError, match="there is no card"):
        read_card(tmp_path / "none.guideme.toml")
    (tmp_path / "bytes.guideme.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"bytes\.guideme\.toml: "):
        read_card(tmp_path / "bytes.guideme.toml")


def test_where_the_sidecar_is(tmp_path):
    assert sidecar(tmp_path / "cells.onnx") == tmp_path / "cells.guideme.toml"
    (tmp_path / "bundle.v1").mkdir()
    assert sidecar(tmp_path / "bundle.v1") == tmp_path / "bundle.v1.guideme.toml"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "background\nwhite matter\n\n"),
        ("classes.txt", "0 background\n1 white matter\n"),
        ("classes.csv", "index,voc,coco\n0,background,other\n1, white matter ,b\n"),
        ("classes.csv", "\ufeffname\nbackground\nwhite matter\n"),
    ],
)
def test_class_lists(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_classes(tmp_path / name) == ("background", "white matter")
    assert beside(tmp_path / "net.onnx").classes == ("background", "white matter")


@pytest.mark.parametrize("text", ["", "index\n0\n1\n", "a,b\nc\n"])
def test_a_table_without_names_is_refused(tmp_path, text):
    (tmp_path / "classes.csv").write_text(text)
    with pytest.raises(InputError, match=r"classes\.csv"):
        read_classes(tmp_path / "classes.csv")


def test_a_table_with_too_long_a_field_is_refused(tmp_path):
    path = tmp_path / "classes.csv"
    path.write_text(f"index,name\n0,{'x' * 200_000}\n")
    with pytest.raises(InputError, match=r"classes\.csv is no table: field larger"):
        read_classes(path)


def test_a_sidecar_counts_more_than_a_class_list(tmp_path):
    (tmp_path / "classes.txt").write_text("a\nb\n")
    write_card(tmp_path / "net.guideme.toml", NetworkCard(classes=("c", "d")))
    assert beside(tmp_path / "net.onnx").classes == ("c", "d")


def test_cards_need_no_torch(tmp_path):
    write_card(tmp_path / "net.guideme.toml", FULL)
    code = (
        "import sys, pathlib\n"
        "from napari_guideme.networks.card import read_card\n"
        "from napari_guideme import catalogue\n"
        f"read_card(pathlib.Path({str(tmp_path / 'net.guideme.toml')!r}))\n"
        "print(catalogue()['nuclei'].classes, 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "('background', 'nucleus', 'border') False"
