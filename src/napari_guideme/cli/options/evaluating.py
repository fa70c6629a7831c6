"""What ``evaluate`` can be told."""

from __future__ import annotations

import argparse

from napari_guideme.cli.options import values
from napari_guideme.cli.options.shared import add_finding, add_network, add_text_guide
from napari_guideme.guidance import (
    DEFAULT_FOLLOWED_METHOD,
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
    parser.add_argument(
        "folder",
        type=values.path,
        metavar="DIR",
        help="images with labels or masks, or a volume with labels",
    )
    parser.add_argument(
        "--protocol",
        choices=("errors", "questions", "text", "noc", "carry", "names", "referring"),
        default="errors",
        help="errors: the largest mistake of an image is clicked; questions: what is asked is "
        "answered; text: mistakes are told in words; noc: objects are outlined one at a time "
        "by a network that takes clicks; carry: the largest mistakes of one slice are clicked "
        "and the correction is carried to the others (DIR holds volumes raw or image, and "
        "labels), or from one image to the next; names: every class that an image shows is found "
        "by its name (DIR holds images, masks and instances); referring: sentences pick one of "
        "several objects (DIR holds images and objects with names, perhaps expressions.jsonl)",
    )
    _add_carry(parser)
    _add_talk(parser)
    _add_objects(parser)
    _add_referring(parser)
    _add_data(parser)
    parser.add_argument(
        "--method",
        choices=(*METHOD_NAMES, *TELLING_NAMES, *FINDING_NAMES),
        help=f"default: {DEFAULT_METHOD}, with noc {DEFAULT_OBJECT_METHOD}; with text "
        f"{', '.join(TELLING_NAMES)}; with names {', '.join(FINDING_NAMES)}; what follows "
        f"clicks, with referring {DEFAULT_FOLLOWED_METHOD}",
    )
    add_finding(parser, "with names: ")
    add_network(parser)
    # What it is without being told depends on the protocol.
    parser.set_defaults(network=None)


def _add_carry(parser: argparse.ArgumentParser) -> None:
    """Along which slices a correction is carried, and how far."""
    parser.add_argument(
        "--axis",
        type=values.whole,
        metavar="N",
        help="of a volume: along which slices lie (0)",
    )
    parser.add_argument(
        "--slice",
        type=values.whole,
        metavar="N",
        help="with carry: the one that is clicked (the middle)",
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
        help="of a volume: size of a voxel, if the file does not tell",
    )


def _add_talk(parser: argparse.ArgumentParser) -> None:
    """What the simulated user is asked, or tells."""
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


def _add_objects(parser: argparse.ArgumentParser) -> None:
    """How many hints are given, and about what."""
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
        help="with noc and referring: N objects per image, by the seed",
    )
    parser.add_argument(
        "--least-pixels",
        type=values.count,
        default=100,
        metavar="N",
        help="with noc and names: leave out smaller objects",
    )


def _add_referring(parser: argparse.ArgumentParser) -> None:
    """How sentences are followed and compared."""
    parser.add_argument(
        "--folds",
        type=values.count,
        metavar="K",
        help="with referring: how often the network goes through its levels (as it was trained)",
    )
    parser.add_argument(
        "--names",
        type=values.named_objects,
        metavar="NAME|1:NAME,2:NAME",
        help="with referring: what all objects are called, or what the numbers of classes mean; "
        "default: what instances or classes.txt tell",
    )
    parser.add_argument(
        "--clicks",
        type=values.count,
        default=0,
        metavar="N",
        help="with referring: clicks after each sentence (0)",
    )
    parser.add_argument(
        "--baselines",
        action="store_true",
        help="with referring: also tell a segmentation network that knows the class (slow)",
    )


def _add_data(parser: argparse.ArgumentParser) -> None:
    """Which images are used, how their labels are read, and where the figures go."""
    parser.add_argument(
        "--json", type=values.path, required=True, metavar="OUT", help="where the figures go"
    )
    parser.add_argument("--instances", action="store_true", help="labels are instance ids")
    parser.add_argument(
        "--class-map", type=values.path, metavar="CSV", help="network's and data's names"
    )
    parser.add_argument("--split", help="rows of images.csv to use, such as test")
    parser.add_argument(
        "--only", type=values.path, metavar="CSV", help="images to use, a column 'stem'"
    )
    parser.add_argument("--limit", type=values.count, metavar="N", help="use N images")
    parser.add_argument(
        "--seed", type=values.whole, default=0, help="of all that is drawn by chance (0)"
    )
