from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

from napari_guideme.localize.kinds import TABLE

SCRIPT = Path(__file__).parents[2] / "training/kinds.py"


def rows(path):
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_the_table_is_what_the_script_makes(shared, tmp_path):
    models = shared / "models"
    (tmp_path / "licence.txt").write_text("do what you like")
    result = subprocess.run(
        [
            sys.executable,
            SCRIPT,
            models / "imagenet_classes/imagenet_synsets.txt",
            models / "glove100/glove100_top50k_f16.npz",
            "--also",
            shared / "data/objects_coco128/classes.txt",
            "--licence",
            tmp_path / "licence.txt",
            "--out",
            tmp_path / "kinds.tsv.gz",
        ],
        env={**os.environ, "NLTK_DATA": str(models / "wordnet30")},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    made = tmp_path / "kinds.tsv.gz"
    assert gzip.decompress(made.read_bytes()).startswith(b"# do what you like\n")
    assert rows(made) == rows(TABLE)
