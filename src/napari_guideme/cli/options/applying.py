"""What ``apply`` can be told."""

from __future__ import annotations

import argparse

from napari_guideme.cli.options import values
from napari_guideme.cli.options.shared import add_device
from napari_guideme.files import LABEL_FILES


def add_apply(parser: argparse.ArgumentParser) -> None:
    """Guidance, images, and where and how the work is done."""
    parser.add_argument(
        "guidance", type=values.path, metavar="FILE", help="NAME.guidance.safetensors"
    )
    parser.add_argument(
        "images",
        type=values.path,
        nargs="+",
        metavar="IMAGE",
        help="as `predict` takes them; also *.tif",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=values.path,
        required=True,
        metavar="DIR",
        help="for labels and report.json",
    )
    parser.add_argument(
        "--format",
        metavar="ENDING",
        help=f"of the labels: {', '.join(LABEL_FILES)}; default: that of each image",
    )
    parser.add_argument("--instances", action="store_true", help="write one id per object")
    parser.add_argument(
        "--axis",
        type=values.whole,
        default=0,
        metavar="N",
        help="axis of a volume that slices lie along",
    )
    parser.add_argument(
        "--same-volume",
        action="store_true",
        help="the image is the one that the correction was made in: places and slices count",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="do again what is there, and replace a report.json of something else",
    )
    parser.add_argument(
        "--workers",
        type=values.count,
        default=2,
        metavar="N",
        help="pieces that are worked on at once, each in about 0.7 GB (2)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a dask.distributed cluster that does the work, such as tcp://host:8786",
    )
    parser.add_argument("--channel-axis", type=values.whole, help="axis that holds channels")
    parser.add_argument("--channels", type=values.channels, help="channels to feed, such as 0,2,1")
    parser.add_argument("--volume", type=values.count, metavar="N", help="which of several volumes")
    parser.add_argument("--series", metavar="N|UID", help="which series of a DICOM folder")
    parser.add_argument(
        "--network",
        metavar="NAME|PATH",
        help="the network of the guidance; default: the bundled one that it names",
    )
    parser.add_argument("--card", type=values.path, metavar="TOML", help="as for `predict`")
    add_device(parser)
