"""The main job from a shell, without a screen."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from napari_guideme.errors import InputError
from napari_guideme.files import (
    TIFF,
    check_writable,
    read_hints,
    read_image,
    write_json,
    write_labels,
)
from napari_guideme.guidance import (
    DEFAULT_METHOD,
    DEFAULT_OBJECT_METHOD,
    DEFAULT_QUESTION,
    METHOD_NAMES,
    QUESTION_NAMES,
)
from napari_guideme.language import DEFAULT_TELLING, TELLING_NAMES
from napari_guideme.networks.card import read_card
from napari_guideme.networks.catalogue import DEFAULT_NETWORK, catalogue, open_network

if TYPE_CHECKING:
    from napari_guideme.evaluation.noc_results import NocResult
    from napari_guideme.evaluation.protocol import Talk
    from napari_guideme.evaluation.results import Result
    from napari_guideme.language.text_guide import TextGuide
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.object_session import ObjectSession
    from napari_guideme.session import GuideSession

Command = Callable[[argparse.Namespace], int]

LABEL_FILES = (*TIFF, ".png")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 2 after one line on what is wrong with the input."""
    try:
        options = _parser().parse_args(arguments)
        result: int = options.run(options)
    except InputError as error:
        print(f"napari-guideme: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("napari-guideme: cancelled, nothing was written", file=sys.stderr)
        return 130
    return result


def demo(options: argparse.Namespace) -> int:
    """Correct a bundled network on a real image with hints that ship with us."""
    from napari_guideme.demo import run_demo

    print(run_demo(options.out, options.device))
    if options.view:
        command = [sys.executable, "-m", "napari_guideme.widgets.demo"]
        return subprocess.run(command, check=False).returncode
    return 0


def models(_: argparse.Namespace) -> int:
    """List the networks that ship with the package."""
    for name, entry in catalogue().items():
        print(f"{name}  ({entry.licence})")
        print(f"    {entry.description}")
        print(f"    classes: {', '.join(entry.classes)}")
    return 0


def predict(options: argparse.Namespace) -> int:
    """Write a network's own labels."""
    check_writable(options.output, LABEL_FILES)
    session = _session(options)
    if session.network.interaction is not None:
        raise InputError(
            f"{session.network.name} finds nothing without clicks: "
            "give some with napari-guideme refine --hints HINTS.json"
        )
    write_labels(options.output, _labels(session, options.instances))
    print(_shares(session.labels(), session.network.classes))
    return 0


def refine(options: argparse.Namespace) -> int:
    """Refine a network's labels by a file of hints."""
    check_writable(options.output, LABEL_FILES)
    if options.json:
        check_writable(options.json, (".json",))
    hints = read_hints(options.hints)
    session = _session(options)
    if options.mask:
        _begin_with(session, options.mask, options.label)
    session.add(*hints)
    with tqdm(desc=session.method, unit="step", disable=None) as bar:
        for step in session.refine():
            bar.total = step.total
            bar.update(step.index - bar.n)
    report = session.report()
    write_labels(options.output, _labels(session, options.instances))
    if options.json:
        told = {"network": options.network, "image": str(options.image), "method": session.method}
        write_json(options.json, {**told, **report.to_json()})
    print(
        f"{report.satisfied} of {report.hints} hints satisfied, {report.changed_pixels} pixels "
        f"changed ({report.far_pixels} far from any hint), {report.seconds:.2f} s"
    )
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Let a simulated user correct a folder of images with truth."""
    check_writable(options.json, (".json",))
    result = (_count_clicks if options.protocol == "noc" else _correct)(options, _network(options))
    write_json(options.json, result.to_json())
    print(result)
    return 0


def _correct(options: argparse.Namespace, network: FrozenNetwork) -> Result:
    """Let the user correct the labels of whole images."""
    from napari_guideme.evaluation.datasets import open_dataset
    from napari_guideme.evaluation.protocol import evaluate as run_protocol

    items = open_dataset(
        options.folder, network, class_map=options.class_map, **_choice_of_images(options)
    )
    talk = _talk(options, network) if options.protocol == "text" else None
    return run_protocol(
        tqdm(items, desc="images", disable=None),
        network,
        DEFAULT_METHOD if talk else options.method or DEFAULT_METHOD,
        options.protocol,
        5 if options.hints is None else options.hints,
        ask=options.ask,
        talk=talk,
        seed=options.seed,
    )


def _talk(options: argparse.Namespace, network: FrozenNetwork) -> Talk:
    """Return how a simulated user talks."""
    from napari_guideme.evaluation.protocol import Talk

    guide = _text_guide(options, network)
    telling = options.method or ("text-guide" if guide else DEFAULT_TELLING)
    if telling not in TELLING_NAMES:
        raise InputError(f"{telling} follows clicks; with text choose {', '.join(TELLING_NAMES)}")
    return Talk(options.operation, telling, guide)


def _text_guide(options: argparse.Namespace, network: FrozenNetwork) -> TextGuide | None:
    """Open the text guide of a network, if there is one."""
    from napari_guideme.language.text_guide import find, load

    path = options.text_guide or find(options.network)
    return None if path is None else load(path, network)


def _count_clicks(options: argparse.Namespace, network: FrozenNetwork) -> NocResult:
    """Let the user outline one object after the other."""
    from napari_guideme.evaluation.datasets import open_objects
    from napari_guideme.evaluation.noc import evaluate_objects

    items = open_objects(options.folder, **_choice_of_images(options))
    return evaluate_objects(
        tqdm(items, desc="images", disable=None),
        network,
        options.method or DEFAULT_OBJECT_METHOD,
        20 if options.hints is None else options.hints,
        least_pixels=options.least_pixels,
        per_image=options.objects,
        seed=options.seed,
    )


def _choice_of_images(options: argparse.Namespace) -> dict[str, Any]:
    names = ("instances", "split", "only", "limit", "seed")
    return {name: getattr(options, name) for name in names}


def _session(options: argparse.Namespace) -> GuideSession | ObjectSession:
    """Open image and network; torch is only loaded here, after cheap checks."""
    pixels, channel_axis = read_image(options.image)
    if options.channel_axis is not None:
        channel_axis = options.channel_axis
    from napari_guideme.object_session import ObjectSession
    from napari_guideme.session import GuideSession

    network = _network(options)
    told = {
        "method": getattr(options, "method", None) or _default_method(network),
        "channel_axis": channel_axis,
        "channels": options.channels,
    }
    zoom, spacing = getattr(options, "zoom", None), getattr(options, "spacing", None)
    if network.interaction is None:
        if spacing is not None:
            raise InputError(f"--spacing is for networks that take clicks; {network.name} does not")
        return GuideSession(pixels, network, zoom=zoom, **told)
    if zoom is not None:
        raise InputError(f"{network.name} zooms in by itself; leave --zoom out")
    return ObjectSession(pixels, network, spacing=spacing, **told)


def _begin_with(session: GuideSession | ObjectSession, path: Path, label: int | None) -> None:
    """Let the hints improve an object of a file of labels."""
    from napari_guideme.session import GuideSession

    if isinstance(session, GuideSession):
        name = session.network.name
        raise InputError(f"--mask is for networks that take clicks; {name} does not")
    labels, _ = read_image(path)
    found = np.unique(labels[labels != 0])
    if label is None and len(found) > 1:
        raise InputError(f"{path.name} has {len(found)} labels; choose one with --label")
    if label is not None and label not in found:
        raise InputError(f"{path.name} has no label {label}")
    session.start_from(labels != 0 if label is None else labels == label)


def _labels(session: GuideSession | ObjectSession, instances: bool) -> NDArray[np.integer]:
    """Labels to write; an object that was clicked is one instance."""
    from napari_guideme.session import GuideSession

    if isinstance(session, GuideSession):
        return session.labels(instances=instances)
    return session.labels()


def _default_method(network: FrozenNetwork) -> str:
    return DEFAULT_METHOD if network.interaction is None else DEFAULT_OBJECT_METHOD


def _network(options: argparse.Namespace) -> FrozenNetwork:
    card = read_card(options.card) if options.card else None
    return open_network(options.network, options.device, card)


def _shares(labels: NDArray[np.integer], classes: Sequence[str]) -> str:
    counts = np.bincount(labels.ravel(), minlength=len(classes)) / labels.size
    return ", ".join(f"{name} {share:.1%}" for name, share in zip(classes, counts, strict=True))


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _channels(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


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


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="napari-guideme",
        description="Correct a frozen segmentation network by clicks and scribbles.",
        epilog="example: napari-guideme demo --out demo",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Command, example: str) -> argparse.ArgumentParser:
        summary = (run.__doc__ or "").splitlines()[0]
        added = commands.add_parser(
            run.__name__,
            help=summary,
            description=summary,
            epilog=f"example: napari-guideme {run.__name__} {example}".rstrip(),
        )
        added.set_defaults(run=run)
        return added

    _add_demo(command(demo, "--out demo --view"))
    command(models, "")
    _add_predict(command(predict, "cells.tif --network nuclei -o labels.tif"))
    _add_refine(command(refine, "cells.tif --network nuclei --hints hints.json -o labels.tif"))
    _add_evaluate(
        command(
            evaluate,
            "nuclei --network nuclei --method residual --protocol errors --hints 5 "
            "--instances --json result.json",
        )
    )
    return parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("guideme-demo"), help="folder to write to")
    parser.add_argument("--view", action="store_true", help="open the result in napari afterwards")
    _add_device(parser)


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=Path, metavar="IMAGE")
    parser.add_argument("-o", "--output", type=Path, required=True, help="labels, TIFF or PNG")
    parser.add_argument("--instances", action="store_true", help="write one id per object")
    parser.add_argument("--channel-axis", type=int, help="axis that holds channels")
    parser.add_argument("--channels", type=_channels, help="channels to feed, such as 0,2,1")
    _add_network(parser)


def _add_refine(parser: argparse.ArgumentParser) -> None:
    _add_predict(parser)
    parser.add_argument(
        "--hints",
        type=Path,
        required=True,
        help='{"clicks": [{"at": [row, column], "class": NAME}], '
        '"scribbles": [{"path": [[row, column], ...], "width": 3, "class": NAME}]}',
    )
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
    _add_method(parser)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
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
    _add_text_guide(parser)
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
    _add_network(parser)


def _add_text_guide(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--text-guide",
        type=Path,
        metavar="FILE",
        help="a text guide trained for the network; default: NAME.text-guide.safetensors beside it",
    )


def _add_network(parser: argparse.ArgumentParser) -> None:
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
    _add_device(parser)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")


def _add_method(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--method",
        choices=METHOD_NAMES,
        help=f"default: {DEFAULT_METHOD}, for a network that takes clicks {DEFAULT_OBJECT_METHOD}",
    )


if __name__ == "__main__":
    sys.exit(main())
