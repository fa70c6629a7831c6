from __future__ import annotations

import json
import zipfile
from pathlib import Path

import nltk
import pytest

from napari_guideme.hints import TextHint
from napari_guideme.language import wordnet as where
from napari_guideme.language.places import View
from napari_guideme.language.understanding import (
    NotUnderstood,
    cell_names,
    described,
    to_json,
    understand,
)
from tests.language.conftest import forget

HERE = Path(__file__).parent
CELLS = ("background", "nucleus", "border")
ROAD = ("sky", "road", "pavement", "car", "pedestrian", "bicyclist", "tree")
OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))


def sentences(name: str) -> list[dict]:
    return json.loads((HERE / f"sentences_{name}.json").read_text(encoding="utf-8"))


def read(entry: dict, sets: dict) -> list[dict] | None:
    told = entry.get("view")
    view = View.upright(2, [OPPOSITE[told[k]] for k in ("up", "left")] if told else ())
    try:
        hints = understand(entry["say"], sets[entry["classes"]], view)
    except NotUnderstood:
        return None
    return [to_json(hint, view) for hint in hints]


@pytest.mark.parametrize(("name", "misread"), [("used", 0.005), ("kept", 0.02)])
def test_sentences_written_by_hand_are_understood(name, misread, wordnet):
    sets = json.loads((HERE / "class_sets.json").read_text())
    listed = sentences(name)
    assert len(listed) >= 100
    found = [(read(entry, sets), entry["meaning"]) for entry in listed]
    right = sum(got == meaning for got, meaning in found)
    wrong = sum(got is not None and got != meaning for got, meaning in found)
    assert right / len(found) >= 0.95
    assert wrong / len(found) <= misread


def test_most_are_understood_without_wordnet(no_wordnet):
    sets = json.loads((HERE / "class_sets.json").read_text())
    found = [(read(entry, sets), entry["meaning"]) for entry in sentences("kept")]
    assert sum(got == meaning for got, meaning in found) / len(found) >= 0.9
    assert sum(got not in (None, meaning) for got, meaning in found) / len(found) <= 0.02


def test_no_sentence_is_in_both_files():
    plain = [
        {"".join(c for c in entry["say"].lower() if c.isalnum()) for entry in sentences(name)}
        for name in ("used", "kept")
    ]
    assert not plain[0] & plain[1]
    assert sum(map(len, plain)) >= 200


def test_words_for_classes_meet_by_wordnet(wordnet):
    for sentence, name in (
        ("find the taxi on the left", "car"),
        ("find the oak on the left", "tree"),
        ("the sidewalk is missing", "pavement"),
        ("there is a jogger on the right", "pedestrian"),
    ):
        assert [hint.class_name for hint in understand(sentence, ROAD)] == [name]


def test_what_is_not_understood_says_why_and_what_would_be(wordnet):
    with pytest.raises(NotUnderstood) as refused:
        understand("find the giraffe on the left", CELLS)
    assert "'giraffe' is none of the classes background, nucleus, border" in refused.value.why
    assert refused.value.understood == ("find", "on the left")
    assert refused.value.suggestions
    for suggestion in refused.value.suggestions:
        assert understand(suggestion, CELLS)


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("", "no class"),
        ("!!!", "no class"),
        ("top left", "no class"),
        ("find and remove the nucleus", "find and to remove"),
        ("the nucleus is not missing", "asks for nothing"),
        ("find the nucleus left of the border", "'left of the'.* relative to other things"),
        ("remove the nuclei touching the border", "'touching'.* relative to other things"),
        ("in the border there is a nucleus", "'in'.* relative to other things"),
        ("remove the small nuclei", "no class for 'small', only nucleus"),
        ("remove half of the nuclei", "no class for 'half of', only nucleus"),
        ("find the nucleus on the patient's left", "how the patient lies"),
        ("find the nucleus at the top; remove the nucleus", "contradict"),
        ("find the нуклеус", "none of the classes"),
        ("find " * 2000, "no class"),
    ],
)
def test_sentences_are_refused_with_a_reason(sentence, why, no_wordnet):
    with pytest.raises(NotUnderstood, match=why):
        understand(sentence, CELLS)


def test_a_class_that_fits_twice_is_asked_back(no_wordnet):
    with pytest.raises(NotUnderstood, match="left kidney or right kidney"):
        understand("the kidney is missing", ("background", "left kidney", "right kidney"))


def test_sentences_are_proposed_as_people_say_them(no_wordnet):
    for sentence, proposed in (
        ("find the kidney on the left", "find the left kidney"),
        ("spleen the upper half blorp", "find the spleen in the upper half"),
        ("spleen bottom left blorp", "find the spleen at the bottom left"),
        ("spleen on the patient's right", "find the spleen on the left"),
        ("spleen the patient's right blorp", "find the spleen on the patient's right"),
    ):
        with pytest.raises(NotUnderstood) as refused:
            understand(sentence, ("background", "spleen", "kidney_left", "kidney_right"))
        assert refused.value.suggestions[0] == proposed


def test_several_hints_of_one_sentence():
    assert understand("find the nucleus on the left, remove the border there", CELLS) == (
        TextHint("find", "nucleus", ((0, 0), (1, 0), (2, 0))),
        TextHint("remove", "border", ((0, 0), (1, 0), (2, 0))),
    )


def test_hints_are_told_as_they_are_seen():
    mirrored = View((1, 0), (0, -1))
    (hint,) = understand("the border instead of the nucleus, top left", CELLS, mirrored)
    assert hint == TextHint("replace", "border", ((0, 2),), "nucleus")
    assert described(hint, mirrored) == "replace · border instead of nucleus · top left"
    assert cell_names(hint, mirrored) == ["top left"]
    assert cell_names(TextHint("find", "nucleus")) == to_json(TextHint("find", "nucleus"))["place"]


def test_wordnet_is_read_where_debian_keeps_it(shared, tmp_path, monkeypatch):
    """The archive of nltk holds the same files as Debian's package, and some more."""
    with zipfile.ZipFile(shared / "models" / "wordnet30" / "corpora" / "wordnet.zip") as archive:
        for name in archive.namelist():
            file = Path(name).name
            if file and file not in ("lexnames", "index.sense"):
                (tmp_path / file).write_bytes(archive.read(name))
    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setattr(where, "DEBIAN", tmp_path)
    forget()
    assert [hint.class_name for hint in understand("find the oak on the left", ROAD)] == ["tree"]
    forget()


@pytest.mark.parametrize(
    ("sentence", "letters", "shown", "cells"),
    [
        ("find the liver superiorly", "SPL", "everywhere, superior third", 9),
        ("find the liver superiorly", "IPL", "everywhere, superior third", 9),
        (
            "remove the liver inferiorly and posteriorly",
            "SPL",
            "everywhere, inferior third; bottom, middle and superior third",
            12,
        ),
        ("remove the liver posteriorly", "SPL", "bottom", 3),
        ("remove the liver at the top left", "SPL", "top left", 1),
        ("remove the liver", "SPL", "everywhere", 9),
    ],
)
def test_places_in_a_volume_are_told_along_the_axis_that_is_not_seen(
    sentence, letters, shown, cells
):
    view = View.upright(3, letters)
    (hint,) = understand(sentence, ("background", "liver"), view)
    assert described(hint, view) == f"{hint.operation} · liver · {shown}"
    told = cell_names(hint, view)
    assert len(told) == len(set(told)) == cells
    assert {name.partition(", ")[2] for name in told} == {
        part.partition(", ")[2] for part in shown.split("; ")
    }


def test_thirds_of_a_volume_without_sides_are_counted():
    first = TextHint("find", "liver", tuple((0, row, 0) for row in range(3)))
    assert described(first, View.upright(3)) == "find · liver · left, first third"
    both = TextHint("find", "liver", (*first.place, *((2, row, 0) for row in range(3))))
    assert described(both, View.upright(3)) == "find · liver · left, first and last third"
