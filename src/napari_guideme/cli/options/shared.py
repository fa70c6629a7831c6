"""Options that several commands have."""

from __future__ import annotations

import argparse

from napari_guideme.cli.options import values
from napari_guideme.files import LABEL_FILES
from napari_guideme.localize import MOST_VIEWS, OUTLINE_NAMES
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER, DEFAULT_NETWORK
from napari_guideme.networks.windows import WINDOWS
from napari_guideme.referring import REFERRING


def add_output(parser: argparse.ArgumentParser) -> None:
    """Where labels go."""
    parser.add_argument(
        "-o",
        "--output",
        type=values.path,
        required=True,
        help="labels, by the ending: " + ", ".join(LABEL_FILES),
    )


def add_series(parser: argparse.ArgumentParser) -> None:
    """Which series of DICOM."""
    parser.add_argument(
        "--series", metavar="N|UID", help="which series of a DICOM folder, from 1, or its UID"
    )


def add_network(parser: argparse.ArgumentParser) -> None:
    """Which network, what it is fed, and where it computes."""
    parser.add_argument(
        "--network",
        default=DEFAULT_NETWORK,
        metavar="NAME|PATH",
        help=f"a name (see `napari-guideme models`; {REFERRING} is for `segment`), "
        "torchvision:NAME, or a path: ONNX, torch.export, TorchScript, weights with a card, "
        "bioimage.io package, MONAI bundle",
    )
    parser.add_argument(
        "--card",
        type=values.path,
        metavar="TOML",
        help="what the network expects and returns; default: NAME.guideme.toml beside it",
    )
    parser.add_argument(
        "--window",
        type=values.window,
        metavar="NAME|CENTRE,WIDTH",
        help=f"which values to feed: {', '.join(WINDOWS)} (Hounsfield units), or two numbers",
    )
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Where to compute."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")


def add_text_guide(parser: argparse.ArgumentParser) -> None:
    """The trained guide that follows words."""
    parser.add_argument(
        "--text-guide",
        type=values.path,
        metavar="FILE",
        help="a text guide trained for the network; default: NAME.text-guide.safetensors beside it",
    )


def add_vectors(parser: argparse.ArgumentParser) -> None:
    """What tells classes by words of other names."""
    parser.add_argument(
        "--vectors",
        type=values.path,
        metavar="NPZ",
        help="word vectors to tell classes by, besides spelling and WordNet: words and vectors",
    )


def add_session(parser: argparse.ArgumentParser) -> None:
    """Where to write what was done."""
    parser.add_argument(
        "--save-session",
        type=values.path,
        metavar="FILE",
        help="write what was done, ending .guideme.json, for napari-guideme replay and the widget",
    )


def add_finding(parser: argparse.ArgumentParser, only: str = "") -> None:
    """How things are found by their names; `only` says when that is of use."""
    parser.add_argument(
        "--classifier",
        default=DEFAULT_CLASSIFIER,
        metavar="NAME|PATH",
        help=f"{only}{DEFAULT_CLASSIFIER} (default), torchvision:NAME, or SqueezeNet 1.1 as "
        ".safetensors",
    )
    parser.add_argument(
        "--views",
        type=values.count,
        metavar="N",
        help=f"{only}views of the image that each map is made of: 1 whole, 2 mirrored, up to "
        f"{MOST_VIEWS} parts (default: 1 for proxies, else {MOST_VIEWS})",
    )
    parser.add_argument(
        "--outline",
        choices=OUTLINE_NAMES,
        help=f"{only}how what was found is outlined: by a click of the network click where the map "
        "is highest, by GrabCut, or by half of the map's range (default: grabcut for proxies, else "
        "clicks; a sentence is never outlined by grabcut)",
    )
    parser.add_argument(
        "--no-grabcut",
        dest="outline",
        action="store_const",
        const="threshold",
        help=f"{only}the same as --outline threshold",
    )
    parser.add_argument(
        "--by",
        choices=("wordnet", "vectors"),
        default="wordnet",
        help=f"{only}what tells which labels stand in for a name",
    )
    add_vectors(parser)


def add_patient(parser: argparse.ArgumentParser) -> None:
    """How the patient lies."""
    parser.add_argument(
        "--patient",
        type=values.letters,
        metavar="X,Y",
        help="to which side of the patient rows and columns (or all axes) lead, such as P,L: "
        "letters of R, L, A, P, S, I; default: what the image's file tells",
    )
