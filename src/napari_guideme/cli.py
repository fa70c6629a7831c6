"""The main job from a shell, without a screen."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from napari_guideme import cli_options as options_of
from napari_guideme.apply_cli import add_apply, apply
from napari_guideme.errors import InputError
from napari_guideme.files import (
    Picture,
    check_labels_writable,
    check_writable,
    open_image,
    read_hints,
    read_image,
    write_json,
    write_labels,
)
from napari_guideme.guidance import DEFAULT_METHOD, DEFAULT_OBJECT_METHOD
from napari_guideme.language import DEFAULT_TELLING, TELLING_NAMES
from napari_guideme.networks.card import NetworkCard, read_card
from napari_guideme.networks.catalogue import catalogue, open_network

if TYPE_CHECKING:
    from napari_guideme.evaluation.noc_results import NocResult
    from napari_guideme.evaluation.protocol import Talk
    from napari_guideme.evaluation.results import Result
    from napari_guideme.language.text_guide import TextGuide
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.object_session import ObjectSession
    from napari_guideme.session import GuideSession

Command = Callable[[argparse.Namespace], int]


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
    picture = _picture(options)
    session = _session(options, picture)
    if session.network.interaction is not None:
        raise InputError(
            f"{session.network.name} finds nothing without clicks: "
            "give some with napari-guideme refine --hints HINTS.json"
        )
    _write(options, picture, session)
    print(_shares(session.labels(), session.network.classes))
    return 0


def refine(options: argparse.Namespace) -> int:
    """Refine a network's labels by a file of hints, by words, or by both."""
    if options.json:
        check_writable(options.json, (".json",))
    if not options.hints and not options.say:
        raise InputError("there is nothing to do; give --hints FILE or --say SENTENCE")
    hints = read_hints(options.hints) if options.hints else ()
    picture = _picture(options)
    session = _session(options, picture)
    if options.mask:
        _begin_with(session, options.mask, options.label)
    said = _say(session, options.say, options.vectors)
    session.add(*hints)
    with tqdm(desc=session.method, unit="step", disable=None) as bar:
        for step in session.refine():
            bar.total = step.total
            bar.update(step.index - bar.n)
    report = session.report()
    _write(options, picture, session)
    if options.json:
        told = {
            "network": options.network,
            # The path of a patient's images may hold a name.
            "image": picture.kind if picture.private else str(options.image),
            "method": session.method,
            "said": said,
        }
        write_json(options.json, {**told, **report.to_json()})
    print(
        f"{report.satisfied} of {report.hints} hints satisfied, {report.changed_pixels} pixels "
        f"changed ({report.far_pixels} far from any hint), {report.seconds:.2f} s"
    )
    return 0


def _say(
    session: GuideSession | ObjectSession, sentences: Sequence[str], table: Path | None
) -> list[dict[str, Any]]:
    """Tell a session some sentences; return what was understood."""
    from napari_guideme.language.understanding import to_json
    from napari_guideme.language.vocabulary import WordVectors
    from napari_guideme.session import GuideSession

    if not sentences:
        return []
    if not isinstance(session, GuideSession):
        raise InputError(
            f"--say is for networks with classes; {session.network.name} takes clicks on objects"
        )
    vectors = WordVectors.read(table) if table else None
    told = [hint for said in sentences for hint in session.tell(said, vectors)]
    return [to_json(hint, session.view) for hint in told]


def understand(options: argparse.Namespace) -> int:
    """Say what a sentence means, without any image."""
    from napari_guideme.language.places import View
    from napari_guideme.language.understanding import (
        NotUnderstood,
        described,
        to_json,
    )
    from napari_guideme.language.understanding import understand as read
    from napari_guideme.language.vocabulary import WordVectors

    view = View.upright(2, options.patient or ())
    vectors = WordVectors.read(options.vectors) if options.vectors else None
    try:
        hints = read(options.sentence, options.classes, view, vectors)
    except NotUnderstood as error:
        if not options.json:
            raise
        told = {"error": error.why, "understood": error.understood}
        print(json.dumps({**told, "suggestions": error.suggestions}))
        return 2
    if options.json:
        print(json.dumps([to_json(hint, view) for hint in hints]))
    else:
        print("\n".join(described(hint, view) for hint in hints))
    return 0


def fetch_wordnet(_: argparse.Namespace) -> int:
    """Download WordNet once, so that more words for classes are understood."""
    from napari_guideme.language.wordnet import fetch_wordnet as fetch
    from napari_guideme.language.wordnet import find_wordnet

    if find_wordnet() is None:
        fetch()
    print("WordNet is installed")
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


def _telling(
    options: argparse.Namespace, network: FrozenNetwork, picture: Picture
) -> dict[str, Any]:
    """Return how words are followed, by a command that takes any."""
    if not getattr(options, "say", None):
        return {}
    from napari_guideme.language.places import View

    guide = _text_guide(options, network)
    telling = options.telling or ("text-guide" if guide else DEFAULT_TELLING)
    axes = network.preparation.ndim
    known = picture.geometry.letters[-axes:] if picture.geometry else ()
    view = View.upright(axes, options.patient or known)
    return {"telling": telling, "text_guide": guide, "view": view}


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


def _picture(options: argparse.Namespace) -> Picture:
    """Open the image, once it is known that its labels have somewhere to go."""
    if options.output.resolve() == options.image.resolve():
        raise InputError("the output is the image itself; choose another name")
    check_labels_writable(options.output)
    picture = open_image(options.image, series=options.series)
    if options.channel_axis is not None:
        picture = picture.with_channels(options.channel_axis)
    picture = picture.volume(options.volume)
    check_labels_writable(options.output, picture)
    return picture


def _session(options: argparse.Namespace, picture: Picture) -> GuideSession | ObjectSession:
    """Open a session; torch is only loaded here, after cheap checks."""
    pixels, channel_axis = np.asarray(picture.pixels), picture.channel_axis
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
    if network.interaction is None:
        told.update(_telling(options, network, picture))
    zoom, spacing = getattr(options, "zoom", None), getattr(options, "spacing", None)
    if network.interaction is None:
        if spacing is not None:
            raise InputError(f"--spacing is for networks that take clicks; {network.name} does not")
        return GuideSession(pixels, network, zoom=zoom, **told)
    if zoom is not None:
        raise InputError(f"{network.name} zooms in by itself; leave --zoom out")
    if spacing is None and picture.geometry is not None:
        spacing = picture.geometry.spacing[-network.preparation.ndim :]
    return ObjectSession(pixels, network, spacing=spacing, **told)


def _write(
    options: argparse.Namespace, picture: Picture, session: GuideSession | ObjectSession
) -> None:
    """Write the labels on the image's grid; segments are called as classes are."""
    names = () if options.instances else session.network.classes
    write_labels(options.output, _labels(session, options.instances), picture, names)


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
    if (limits := getattr(options, "window", None)) is not None:
        window = {"value_range": "limits", "limits": limits}
        card = NetworkCard(preparation=window).completed(card or NetworkCard())
    return open_network(options.network, options.device, card)


def _shares(labels: NDArray[np.integer], classes: Sequence[str]) -> str:
    counts = np.bincount(labels.ravel(), minlength=len(classes)) / labels.size
    return ", ".join(f"{name} {share:.1%}" for name, share in zip(classes, counts, strict=True))


def _parser() -> argparse.ArgumentParser:
    parser = options_of.Parser(
        prog="napari-guideme",
        description="Correct a frozen segmentation network by clicks, scribbles and words.",
        epilog="example: napari-guideme demo --out demo",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Command, example: str) -> argparse.ArgumentParser:
        summary = (run.__doc__ or "").splitlines()[0]
        name = run.__name__.replace("_", "-")
        added = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=f"example: napari-guideme {name} {example}".rstrip(),
        )
        added.set_defaults(run=run)
        return added

    options_of.add_demo(command(demo, "--out demo --view"))
    command(models, "")
    options_of.add_predict(command(predict, "cells.tif --network nuclei -o labels.tif"))
    options_of.add_refine(
        command(
            refine, 'cells.tif --network nuclei --say "find the nucleus top left" -o labels.tif'
        )
    )
    add_apply(command(apply, "nuclei.guidance.safetensors *.tif -o corrected"))
    options_of.add_understand(
        command(understand, '"there is no sky" --classes background,sky,road --json')
    )
    command(fetch_wordnet, "")
    options_of.add_evaluate(
        command(
            evaluate,
            "nuclei --network nuclei --method residual --protocol errors --hints 5 "
            "--instances --json result.json",
        )
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
