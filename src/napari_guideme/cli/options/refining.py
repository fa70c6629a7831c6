"""What ``predict`` and ``refine`` can be told."""

from __future__ import annotations

import argparse

from napari_guideme.cli.options import values
from napari_guideme.cli.options.shared import (
    add_network,
    add_output,
    add_patient,
    add_series,
    add_session,
    add_text_guide,
    add_vectors,
)
from napari_guideme.guidance import DEFAULT_METHOD, DEFAULT_OBJECT_METHOD, METHOD_NAMES
from napari_guideme.language import TELLING_NAMES

#: What is only told to correct.
_NO_CORRECTION = {
    "say": (),
    "telling": None,
    "text_guide": None,
    "patient": None,
    "zoom": None,
    "spacing": None,
    "method": None,
    "carry": None,
    "slice": None,
}


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Image and network, and where the labels go."""
    _add_image(parser)
    add_network(parser)
    parser.set_defaults(**_NO_CORRECTION)


def add_refine(parser: argparse.ArgumentParser) -> None:
    """What to correct, by what, and how."""
    _add_image(parser)
    add_network(parser)
    _add_hints(parser)
    _add_words(parser)
    _add_method(parser)
    parser.add_argument("--json", type=values.path, metavar="REPORT", help="write a report")
    parser.add_argument(
        "--carry",
        choices=("slice", "onward", "volume"),
        help="of a volume: carry the correction nowhere (default), onward until it no longer "
        "fits, or to the whole volume",
    )
    parser.add_argument(
        "--save-guidance",
        type=values.path,
        metavar="FILE",
        help="write what clicks and scribbles found by the method residual (words do not act "
        "elsewhere), ending .guidance.safetensors, for napari-guideme apply",
    )
    add_session(parser)


def _add_image(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "image",
        type=values.path,
        metavar="IMAGE",
        help="TIFF, PNG, JPEG, BMP, NIfTI, NRRD, a DICOM file or folder, OME-Zarr",
    )
    add_output(parser)
    parser.add_argument("--instances", action="store_true", help="write one id per object")
    parser.add_argument("--channel-axis", type=values.whole, help="axis that holds channels")
    parser.add_argument("--channels", type=values.channels, help="channels to feed, such as 0,2,1")
    parser.add_argument(
        "--volume",
        type=values.count,
        metavar="N",
        help="which of several volumes (time points), from 0",
    )
    add_series(parser)
    parser.add_argument(
        "--axis",
        type=values.whole,
        metavar="N",
        help="of a volume: work slice by slice along this axis (0 for networks of two axes)",
    )


def _add_hints(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hints",
        type=values.path,
        help='{"clicks": [{"at": [row, column], "class": NAME}], '
        '"scribbles": [{"path": [[row, column], ...], "width": 3, "class": NAME}]}',
    )
    parser.add_argument(
        "--mask",
        type=values.path,
        metavar="LABELS",
        help="labels of an object to begin with, for a network that takes clicks",
    )
    parser.add_argument(
        "--label", type=values.whole, metavar="N", help="which label of --mask to take"
    )
    parser.add_argument(
        "--spacing",
        type=values.numbers,
        metavar="[PLANE,]ROW,COLUMN",
        help="size of a pixel or voxel along each axis, in any unit; default: what the file tells",
    )


def _add_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--say",
        action="append",
        default=[],
        metavar="SENTENCE",
        help="what is wrong, in words; can be given several times",
    )
    parser.add_argument(
        "--slice",
        type=values.count,
        metavar="N",
        help="of a volume: which slice the words are about, from 0; --carry tells them to others",
    )
    parser.add_argument(
        "--telling",
        choices=TELLING_NAMES,
        help="how words are followed; default: words, or text-guide if --text-guide names one",
    )
    add_text_guide(parser)
    add_vectors(parser)
    add_patient(parser)


def _add_method(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--method",
        choices=METHOD_NAMES,
        help=f"default: {DEFAULT_METHOD}, for a network that takes clicks {DEFAULT_OBJECT_METHOD}",
    )
    parser.add_argument(
        "--zoom",
        type=values.count,
        metavar="PIXELS",
        help="refine in a window of this size around the hints; what is beyond it stays",
    )
