"""What ``segment`` can be told."""

from __future__ import annotations

import argparse

from napari_guideme.cli.options import values
from napari_guideme.cli.options.shared import add_device, add_finding, add_output, add_session
from napari_guideme.guidance import (
    DEFAULT_FOLLOWED_METHOD,
    DEFAULT_METHOD,
    FOLLOWED_METHODS,
    FOUND_METHODS,
)
from napari_guideme.localize import DEFAULT_FINDING, FINDING_NAMES
from napari_guideme.referring import ANSWERING, REFERRING


def add_segment(parser: argparse.ArgumentParser) -> None:
    """What to find, where, and how."""
    parser.add_argument(
        "image", type=values.path, metavar="IMAGE", help="a picture: TIFF, PNG, JPEG, BMP"
    )
    parser.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help='of a thing, such as motorbike; or one sentence, "the larger nucleus at the bottom"',
    )
    parser.add_argument(
        "--answer",
        choices=("auto", *ANSWERING),
        default="auto",
        help="who does: auto lets proxies answer a name, see-through-text what says more",
    )
    parser.add_argument(
        "--network",
        metavar="NAME|PATH",
        help=f"what follows a sentence: {REFERRING} (default), or a file that "
        "training/see_through_text.py wrote",
    )
    add_output(parser)
    parser.add_argument("--channel-axis", type=values.whole, help="axis that holds channels")
    parser.add_argument("--channels", type=values.channels, help="channels to feed, such as 0,2,1")
    parser.add_argument(
        "--show-maps",
        type=values.path,
        metavar="DIR",
        help="write the maps there, as TIFF from 0 to 1; of a sentence those of every step",
    )
    parser.add_argument("--json", type=values.path, metavar="REPORT", help="write a report")
    _add_stand_ins(parser)
    parser.add_argument(
        "--method",
        choices=FINDING_NAMES,
        default=DEFAULT_FINDING,
        help=f"how a name is looked for ({DEFAULT_FINDING})",
    )
    add_finding(parser)
    _add_hints(parser)
    add_session(parser)
    add_device(parser)


def _add_stand_ins(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stand-ins",
        type=values.names,
        metavar="LABEL,LABEL",
        help="labels of the classifier that stand in for the name; default: by WordNet",
    )
    parser.add_argument(
        "--distractors",
        type=values.names,
        metavar="LABEL,LABEL",
        help="labels that are something else; default: the likeliest others",
    )


def _add_hints(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hints",
        type=values.path,
        help='clicks and scribbles of "background" and NAME, or of what a sentence is about '
        '("nucleus"), which correct what was found',
    )
    parser.add_argument(
        "--correct",
        choices=tuple(dict.fromkeys((*FOUND_METHODS, *FOLLOWED_METHODS))),
        help=f"how hints correct it; default: {DEFAULT_METHOD} for a name, "
        f"{DEFAULT_FOLLOWED_METHOD} for a sentence",
    )
