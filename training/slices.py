"""Cut a volume with labels into slices that `training/labels.py` reads.

    python training/slices.py DATA --class-map training/classes/em_vnc.csv --train 0 1 2 --out DIR

DATA holds a volume `raw` or `image`, and `labels`, of any format that is known. The class
map is a CSV file with a header: names of classes, the background first, and the numbers
that count as them. Written are `images`, `labels`, `classes.txt` and `train.csv`, the
slices that `labels.py --train` is told to train on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from command import run
from loop import write_stems

from napari_guideme.errors import InputError
from napari_guideme.evaluation.names import read_rows
from napari_guideme.evaluation.volumes import volume_files
from napari_guideme.files import make_folder, open_image, write_labels, write_text


def main(options: argparse.Namespace) -> None:
    """Write all slices, and the list of those to train on."""
    image, labels = (np.asarray(open_image(f).pixels) for f in volume_files(options.data))
    if not -image.ndim <= options.axis < image.ndim:
        raise InputError(f"there is no axis {options.axis}; choose 0 to {image.ndim - 1}")
    if missing := sorted(set(options.train) - set(range(image.shape[options.axis]))):
        raise InputError(f"there is no slice {missing[0]} to train on")
    rows = [tuple(row.values())[:2] for row in read_rows(options.class_map)]
    names = list(dict.fromkeys(name for name, _ in rows))
    index = {int(number): names.index(name) for name, number in rows}
    for folder in ("images", "labels"):
        make_folder(options.out / folder)
    for z in range(image.shape[options.axis]):
        write_labels(options.out / "images" / f"z{z:03d}.tif", image.take(z, options.axis))
        own = labels.take(z, options.axis)
        found, inverse = np.unique(own, return_inverse=True)
        if unknown := sorted(set(found.tolist()) - set(index)):
            raise InputError(f"{options.class_map} says nothing of the number {unknown[0]}")
        classes = np.array([index[int(number)] for number in found], np.uint8)[inverse]
        write_labels(options.out / "labels" / f"z{z:03d}.png", classes.reshape(own.shape))
    listed = "".join(f"{number} {name}\n" for number, name in enumerate(names))
    write_text(options.out / "classes.txt", listed)
    write_stems(options.out / "train.csv", (f"z{z:03d}" for z in options.train))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--class-map", type=Path, required=True, metavar="CSV")
    parser.add_argument("--axis", type=int, default=0, help="along which slices lie")
    parser.add_argument("--train", type=int, nargs="+", required=True, help="numbers of slices")
    parser.add_argument("--out", type=Path, required=True)
    run(lambda: main(parser.parse_args()))
