"""What ``demo`` can be told."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_guideme.cli.options import values
from napari_guideme.cli.options.shared import add_device


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Where to write, and whether to look."""
    parser.add_argument(
        "--out",
        type=values.path,
        default=Path("guideme-demo"),
        help="folder to write to (guideme-demo)",
    )
    parser.add_argument("--view", action="store_true", help="open the result in napari afterwards")
    add_device(parser)
