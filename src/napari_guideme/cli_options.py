"""What the commands of the shell can be told."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from napari_guideme.guidance import (
    DEFAULT_METHOD,
    DEFAULT_OBJECT_METHOD,
    DEFAULT_QUESTION,
    METHOD_NAMES,
    QUESTION_NAMES,
)
from napari_guideme.language import TELLING_NAMES
from napari_guideme.networks.catalogue import DEFAULT_NETWORK


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Say it, and leave with exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Where to write, and whether to look."""
    parser.add_argument("--out", type=Path, default=Path("guideme-demo"), help="folder to write to")
    parser.add_argument("--view", action="store_true", help="open the result in napari afterwards")
    add_device(parser)


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Image and network, and where the labels go."""
    parser.add_argument("image", type=Path, metavar="IMAGE")
    parser.add_argument("-o", "--output", type=Path, required=True, help="labels, TIFF or PNG")
    parser.add_argument("--instances", action="store_true", help="write one id per object")
    parser.add_argument("--channel-axis", type=int, help="axis that holds channels")
    parser.add_argument("--channels", type=_channels, help="channels to feed, such as 0,2,1")
    add_network(parser)


def add_refine(parser: argparse.ArgumentParser) -> None:
    """What to correct, by what, and how."""
    add_predict(parser)
    parser.add_argument(
        "--hints",
        type=Path,
        help='{"clicks": [{"at": [row, column], "class": NAME}], '
        '"scribbles": [{"path": [[row, column], ...], "width": 3, "class": NAME}]}',
    )
    parser.add_argument(
        "--say",
        action="append",
        default=[],
        metavar="SENTENCE",
        help="what is wrong, in words; can be given several times",
    )
    parser.add_argument(
        "--telling",
        choices=TELLING_NAMES,
        help="how words are followed; default: text-guide if there is one, else words",
    )
    add_text_guide(parser)
    _add_vectors(parser)
    _add_patient(parser)
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="LABELS",
        help="labels of an object to begin with, for a network that takes clicks",
    )
    parser.add_argument("--label", type=int, metavar="N", help="which label of --mask to take")
    parser.add_argument(
        "--spacing",
        type=_numbers,
        metavar="ROW,COLUMN",
        help="size of a pixel along each axis, for a network that takes clicks",
    )
    parser.add_argument(
        "--zoom",
        type=_count,
        metavar="PIXELS",
        help="refine in a window of this size around the hints; what is beyond it stays",
    )
    parser.add_argument("--json", type=Path, metavar="REPORT", help="write a report")
    parser.add_argument(
        "--save-session",
        type=Path,
        metavar="FILE",
        help="write what was done, ending .guideme.json, for napari-guideme replay and the widget",
    )
    add_method(parser)


def add_replay(parser: argparse.ArgumentParser) -> None:
    """Which session, and where its labels go."""
    parser.add_argument("session", type=Path, metavar="FILE", help="ends in .guideme.json")
    parser.add_argument("-o", "--output", type=Path, required=True, help="labels, TIFF or PNG")
    parser.add_argument("--image", type=Path, help="the image, if it lies elsewhere now")
    parser.add_argument(
        "--network", metavar="NAME|PATH", help="the network, if it lies elsewhere now"
    )
    add_device(parser)


def add_understand(parser: argparse.ArgumentParser) -> None:
    """What to understand, and of which classes."""
    parser.add_argument("sentence", metavar="SENTENCE")
    parser.add_argument(
        "--classes",
        type=_names,
        required=True,
        metavar="NAME,NAME",
        help="names of the network's classes",
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    _add_vectors(parser)
    _add_patient(parser)


def _add_vectors(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--vectors",
        type=Path,
        metavar="NPZ",
        help="word vectors to tell classes by, besides spelling and WordNet: words and vectors",
    )


def _add_patient(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patient",
        type=_letters,
        metavar="X,Y",
        help="to which side of the patient rows and columns lead, such as P,L: "
        "letters of R, L, A, P, S, I",
    )


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Data, simulated user, network and method."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="images with labels or masks")
    parser.add_argument(
        "--protocol",
        choices=("errors", "questions", "text", "noc"),
        default="errors",
        help="errors: the largest mistake of an image is clicked; questions: what is asked is "
        "answered; text: mistakes are told in words; noc: objects are outlined one at a time "
        "by a network that takes clicks",
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
        "--hints", type=_count, metavar="N", help="hints per image (5), or clicks per object (20)"
    )
    parser.add_argument(
        "--objects", type=_count, metavar="N", help="with noc: N objects per image, by the seed"
    )
    parser.add_argument(
        "--least-pixels",
        type=_count,
        default=100,
        metavar="N",
        help="with noc: leave out smaller objects",
    )
    parser.add_argument("--json", type=Path, required=True, metavar="OUT")
    parser.add_argument("--instances", action="store_true", help="labels are instance ids")
    parser.add_argument("--class-map", type=Path, metavar="CSV", help="network's and data's names")
    parser.add_argument("--split", help="rows of images.csv to use, such as test")
    parser.add_argument("--only", type=Path, metavar="CSV", help="images to use, a column 'stem'")
    parser.add_argument("--limit", type=_count, metavar="N", help="use N images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--method",
        choices=(*METHOD_NAMES, *TELLING_NAMES),
        help=f"default: {DEFAULT_METHOD}, with noc {DEFAULT_OBJECT_METHOD}; with text "
        f"{', '.join(TELLING_NAMES)}",
    )
    add_network(parser)


def add_text_guide(parser: argparse.ArgumentParser) -> None:
    """The trained guide that follows words."""
    parser.add_argument(
        "--text-guide",
        type=Path,
        metavar="FILE",
        help="a text guide trained for the network; default: NAME.text-guide.safetensors beside it",
    )


def add_network(parser: argparse.ArgumentParser) -> None:
    """Which network, and where it computes."""
    parser.add_argument(
        "--network",
        default=DEFAULT_NETWORK,
        metavar="NAME|PATH",
        help="a name (see `napari-guideme models`), torchvision:NAME, or a path: ONNX, "
        "torch.export, TorchScript, weights with a card, bioimage.io package, MONAI bundle",
    )
    parser.add_argument(
        "--card",
        type=Path,
        metavar="TOML",
        help="what the network expects and returns; default: NAME.guideme.toml beside it",
    )
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Where to compute."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")


def add_method(parser: argparse.ArgumentParser) -> None:
    """How clicks are followed."""
    parser.add_argument(
        "--method",
        choices=METHOD_NAMES,
        help=f"default: {DEFAULT_METHOD}, for a network that takes clicks {DEFAULT_OBJECT_METHOD}",
    )


def _channels(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _names(text: str) -> list[str]:
    names = [part.strip() for part in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of names such as background,cell")
    return names


def _letters(text: str) -> tuple[str, ...]:
    letters = tuple(part.strip().upper() for part in text.split(","))
    if len(letters) not in (2, 3) or not set(letters) <= set("RLAPSI"):
        raise argparse.ArgumentTypeError(f"{text!r} is not letters such as P,L")
    return letters


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not numbers such as 2,1") from None


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError(f"{count} is negative")
    return count
