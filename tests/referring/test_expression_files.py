from __future__ import annotations

import pytest

from napari_guideme.errors import InputError
from napari_guideme.referring.expression_files import read_expressions, write_expressions
from napari_guideme.referring.expressions import Expression

FOUND = {
    "kitchen": [
        Expression("the larger cup", 3, ("size",)),
        Expression("granny’s favourite", 4),
    ],
    "café": [Expression("the cup", 1, ("class",))],
}


def test_expressions_come_back(tmp_path):
    write_expressions(tmp_path / "e.jsonl", FOUND)
    assert read_expressions(tmp_path / "e.jsonl") == FOUND


def test_people_write_three_things_a_line(tmp_path):
    path = tmp_path / "e.jsonl"
    path.write_text('{"image": "a", "object": 2, "sentence": " my cup "}\n\n', encoding="utf-8-sig")
    assert read_expressions(path) == {"a": [Expression("my cup", 2)]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("the cup", "not JSON"),
        ("[1]", "are needed"),
        ('{"image": "a", "object": 2}', "are needed"),
        ('{"image": "a", "object": 2, "sentence": " "}', "sentence must be a text"),
        ('{"image": 7, "object": 2, "sentence": "x"}', "image must be a text"),
        ('{"image": "a", "object": 0, "sentence": "x"}', "whole number above 0"),
        ('{"image": "a", "object": true, "sentence": "x"}', "whole number above 0"),
        ('{"image": "a", "object": "2", "sentence": "x"}', "whole number above 0"),
        ('{"image": "a", "object": 2, "sentence": "x", "mood": 1}', "unknown 'mood'"),
        ('{"image": "a", "object": 2, "sentence": "x", "kinds": ["taste"]}', "kinds must be"),
    ],
)
def test_a_bad_line_is_refused_by_its_number(tmp_path, line, said):
    path = tmp_path / "e.jsonl"
    path.write_text('{"image": "a", "object": 2, "sentence": "x"}\n\n' + line + "\n")
    with pytest.raises(InputError, match=rf"e\.jsonl, line 3: .*{said}"):
        read_expressions(path)


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_expressions(tmp_path / "none.jsonl")
    (tmp_path / "picture.jsonl").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match="cannot be read"):
        read_expressions(tmp_path / "picture.jsonl")
