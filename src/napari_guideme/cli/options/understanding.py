"""What ``understand`` can be told."""

from __future__ import annotations

import argparse

from napari_guideme.cli.options import values
from napari_guideme.cli.options.shared import add_patient, add_vectors


def add_understand(parser: argparse.ArgumentParser) -> None:
    """What to understand, and of which classes."""
    parser.add_argument("sentence", metavar="SENTENCE", help='such as "find the nucleus top left"')
    parser.add_argument(
        "--classes",
        type=values.names,
        required=True,
        metavar="NAME,NAME",
        help="names of the network's classes",
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    add_vectors(parser)
    add_patient(parser)
