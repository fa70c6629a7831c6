"""What is wrong with what the scripts are given is one line and exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TRAINING = Path(__file__).parents[2] / "training"

MISTAKES = [
    (["click.py", "--objects", ".", "--nuclei", ".", "--side", "100"], "--side 100 is no multiple"),
    (["click.py", "--objects", ".", "--nuclei", "."], "masks: No such file or directory"),
    (["nuclei.py", "nowhere"], "images.csv: No such file or directory"),
    (["nuclei.py", "."], "has no image of the kind fluorescence, histology-purple, grayscale"),
    (
        ["halves.py", ".", "--out", "out", "--split", "val"],
        "has no row of the split val",
    ),
    (["referred_scenes.py", "nowhere", "--out", "out"], "there is no folder nowhere"),
    (["attention.py", "--objects", "nowhere"], "images: No such file or directory"),
]


@pytest.mark.parametrize(("words", "told"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, words, told):
    (tmp_path / "images.csv").write_text("stem,kind,field,split\n")
    done = subprocess.run(
        [sys.executable, TRAINING / words[0], *words[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{words[0]}: ")
    assert told in line
    assert [file.name for file in tmp_path.iterdir()] == ["images.csv"]
