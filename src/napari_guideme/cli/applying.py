"""The command that applies saved guidance to many images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from napari_guideme.errors import InputError
from napari_guideme.networks.card import read_card

if TYPE_CHECKING:
    from napari_guideme.batch.targets import Target


def apply(options: argparse.Namespace) -> int:
    """Apply a saved correction to many images."""
    if options.workers < 1:
        raise InputError("there must be a worker; choose --workers 1 or more")
    images = _matching(options.images)
    if len(images) > 1 and options.same_volume:
        raise InputError("only one image can be the one that the correction was made in")
    from napari_guideme.batch.applying import Run, threads_for
    from napari_guideme.batch.recipe import Recipe
    from napari_guideme.batch.targets import targets

    recipe = Recipe(
        options.guidance.absolute(),
        _named(options.network),
        read_card(options.card) if options.card else None,
        options.device,
        options.axis,
        options.same_volume,
        options.instances,
        options.channel_axis,
        tuple(options.channels) if options.channels else None,
        options.volume,
        options.series,
        None if options.scheduler else threads_for(options.workers),
    )
    aims = targets(images, options.output, options.format)
    run = Run(recipe, aims, options.output, overwrite=options.overwrite)
    try:
        with _Progress() as progress:
            run.go(progress, options.workers, options.scheduler)
    except KeyboardInterrupt:
        print(
            f"napari-guideme: cancelled; {run.finished} of {len(aims)} images are finished "
            "and the same command goes on",
            file=sys.stderr,
        )
        return 130
    states = ", ".join(f"{count} {state}" for state, count in run.states().most_common())
    print(f"{run.finished} of {len(aims)} images done ({states or 'nothing'})")
    return 3 if run.failed else 0


def _matching(images: Iterable[Path]) -> list[Path]:
    """Expand patterns such as ``*.tif``, which the shells of Windows leave to programs."""
    found: list[Path] = []
    for image in images:
        names = [] if image.exists() else sorted(glob(str(image)))
        found += map(Path, names) if names else [image]
    return found


def _named(network: str | None) -> str | None:
    """A path as other processes find it, or a name."""
    path = None if network is None else Path(network)
    return str(path.absolute()) if path is not None and path.exists() else network


class _Progress:
    """A bar of pieces; what is wrong with an image stands above it, once."""

    def __enter__(self) -> _Progress:
        self._bar = tqdm(desc="apply", unit="piece", disable=None)
        self._told: set[tuple[Target, str]] = set()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def begun(self, pieces: int, left: int) -> None:
        """Show how much there is, and how much of it was done before."""
        self._bar.reset(total=pieces)
        self._bar.update(pieces - left)

    def ended(self, target: Target, error: str) -> None:
        """Show that a piece ended."""
        if error and (target, error) not in self._told:
            self._told.add((target, error))
            tqdm.write(f"napari-guideme: image {target.number}: {error}", file=sys.stderr)
        self._bar.update()
