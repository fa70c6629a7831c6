"""Split the train rows of a folder into two halves that lie apart in time.

    python training/halves.py camvid --out FOLDER

DATA holds `images.csv` with the columns `stem` and `split`. Of each sequence (what is
before the last `_` of a stem) the earlier half goes to `first.csv`, the later one to
`second.csv`: frames that follow each other closely are not parted.
"""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path

from command import run
from loop import write_stems

from napari_guideme.errors import InputError
from napari_guideme.evaluation.names import read_rows


def main(data: Path, out: Path, split: str) -> None:
    """Write both lists."""
    rows = read_rows(data / "images.csv")
    stems = sorted(row["stem"] for row in rows if row.get("split") == split)
    if not stems:
        raise InputError(f"{data / 'images.csv'} has no row of the split {split}")
    sequences = [list(own) for _, own in groupby(stems, lambda stem: stem.rpartition("_")[0])]
    out.mkdir(parents=True, exist_ok=True)
    write_stems(out / "first.csv", (s for own in sequences for s in own[: len(own) // 2]))
    write_stems(out / "second.csv", (s for own in sequences for s in own[len(own) // 2 :]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", default="train", help="of images.csv")
    a = parser.parse_args()
    run(lambda: main(a.data, a.out, a.split))
