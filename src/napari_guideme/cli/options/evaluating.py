"""What ``evaluate`` can be told."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_guideme.cli.options import values
from napari_guideme.cli.options.shared import add_finding, add_network, add_text_guide
from napari_guideme.guidance import (
    DEFAULT_METHOD,
    DEFAULT_OBJECT_METHOD,
    DEFAULT_QUESTION,
    METHOD_NAMES,
    QUESTION_NAMES,
)
from napari_guideme.language import TELLING_NAMES
from napari_guideme.localize import FINDING_NAMES


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Data, simulated user, network and method."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="images with labels or masks")
    parser.add_argument(
        "--protocol",
        choices=("errors", "questions", "text", "noc", "carry", "names"),
        default="errors",
        help="errors: the largest mistake of an image is clicked; questions: what is asked is "
        "answered; text: mistakes are told in words; noc: objects are outlined one at a time "
        "by a network that takes clicks; carry: the largest mistakes of one slice are clicked "
        "and the correction is carried to the others (DIR holds volumes raw or image, and "
        "labels), or from one image to the next; names: every class that an image shows is found "
        "by its name (DIR holds images, masks and instances)",
    )
    parser.add_argument(
        "--axis", type=int, default=0, metavar="N", help="with carry: along which slices lie"
    )
    parser.add_argument(
        "--slice", type=int, metavar="N", help="with carry: the one that is clicked (the middle)"
    )
    parser.add_argument(
        "--carry",
        choices=("onward", "volume"),
        default="onward",
        help="with carry: until it no longer fits, or to the whole volume",
    )
    parser.add_argument(
        "--spacing",
        type=values.numbers,
        metavar="Z,Y,X",
        help="with carry: size of a voxel, if the file does not tell",
    )
    parser.add_argument(
        "--ask",
        choices=QUESTION_NAMES,
        default=DEFAULT_QUESTION,
        help="which pixel is asked for, with --protocol questions: "
        + "; ".join(f"{name}: {told}" for name, told in QUESTION_NAMES.items()),
    )
    parser.add_argument(
        "--operation",
        choices=("find", "remove", "replace", "either"),
        default="either",
        help="what is told, with --protocol text; either: find or remove",
    )
    add_text_guide(parser)
    parser.add_argument(
        "--hints",
        type=values.count,
        metavar="N",
        help="hints per image (5), or clicks per object (20)",
    )
    parser.add_argument(
        "--objects",
        type=values.count,
        metavar="N",
        help="with noc: N objects per image, by the seed",
    )
    parser.add_argument(
        "--least-pixels",
        type=values.count,
        default=100,
        metavar="N",
        help="with noc and names: leave out smaller objects",
    )
    parser.add_argument("--json", type=Path, required=True, metavar="OUT")
    parser.add_argument("--instances", action="store_true", help="labels are instance ids")
    parser.add_argument("--class-map", type=Path, metavar="CSV", help="network's and data's names")
    parser.add_argument("--split", help="rows of images.csv to use, such as test")
    parser.add_argument("--only", type=Path, metavar="CSV", help="images to use, a column 'stem'")
    parser.add_argument("--limit", type=values.count, metavar="N", help="use N images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--method",
        choices=(*METHOD_NAMES, *TELLING_NAMES, *FINDING_NAMES),
        help=f"default: {DEFAULT_METHOD}, with noc {DEFAULT_OBJECT_METHOD}; with text "
        f"{', '.join(TELLING_NAMES)}; with names {', '.join(FINDING_NAMES)}",
    )
    add_finding(parser, "with names: ")
    add_network(parser)
