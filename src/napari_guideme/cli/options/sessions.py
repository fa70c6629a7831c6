"""What ``replay`` can be told."""

from __future__ import annotations

import argparse

from napari_guideme.cli.options import values
from napari_guideme.cli.options.shared import add_device, add_output, add_series


def add_replay(parser: argparse.ArgumentParser) -> None:
    """Which session, and where its labels go."""
    parser.add_argument("session", type=values.path, metavar="FILE", help="ends in .guideme.json")
    add_output(parser)
    parser.add_argument(
        "--image",
        type=values.path,
        help="the image, if it lies elsewhere now, or may be a patient's: "
        "where that lies is not in the session",
    )
    add_series(parser)
    parser.add_argument(
        "--network", metavar="NAME|PATH", help="the network, if it lies elsewhere now"
    )
    add_device(parser)
