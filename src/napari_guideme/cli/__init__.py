"""The main job from a shell, without a screen.

Each module holds commands of one kind, and its namesake in ``options`` what they can be told.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from napari_guideme.cli import options as options_of
from napari_guideme.cli.applying import apply
from napari_guideme.cli.evaluating import evaluate
from napari_guideme.cli.paths import check_apart
from napari_guideme.cli.printing import printing, warned_in_lines
from napari_guideme.cli.refining import predict, refine
from napari_guideme.cli.segmenting import segment
from napari_guideme.cli.sessions import replay
from napari_guideme.cli.shipped import demo, models
from napari_guideme.cli.stopping import ended_like_cancelled
from napari_guideme.cli.understanding import fetch_wordnet, understand
from napari_guideme.errors import InputError
from napari_guideme.files import first_line

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 2 after one line on what is wrong with the input."""
    result: int = 0
    try:
        with ended_like_cancelled(), printing(), warned_in_lines():
            options = _parser().parse_args(arguments)
            check_apart(options)
            result = options.run(options)
    except InputError as error:
        print(f"napari-guideme: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        # What files and folders refuse where nobody expected it.
        place = "" if error.filename is None else f"{error.filename}: "
        print(f"napari-guideme: {place}{error.strerror or first_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("napari-guideme: cancelled; no file is left half-written", file=sys.stderr)
        return 130
    return result


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
    options_of.add_segment(command(segment, "street.jpg motorbike -o labels.tif --show-maps maps"))
    options_of.add_apply(
        command(apply, "nuclei.guidance.safetensors next.tif more.tif -o corrected")
    )
    options_of.add_replay(command(replay, "cells.guideme.json -o labels.tif"))
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
