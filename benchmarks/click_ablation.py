"""What the numbers of clicks owe to each choice: NoC of variants of the methods on one data set.

    python benchmarks/click_ablation.py DATA [--only CSV] [--objects 2] [--least-pixels 1500]
        [--variant NAME ...] --json OUT

The choices were made with the photographs that the click network never saw
(`python training/click.py --list CSV`), not with those that are reported.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_guideme import open_network
from napari_guideme.evaluation.datasets import open_objects
from napari_guideme.evaluation.noc import evaluate_objects
from napari_guideme.files import write_json
from napari_guideme.guidance.methods import METHODS, Method, Placed, method_named
from napari_guideme.guidance.scene import Scene
from napari_guideme.guidance.variables import GuidingBlock
from napari_guideme.networks.catalogue import catalogue

#: What each variant has other than the method as shipped.
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "none": {"method": "none"},
    "none, side 256": {"method": "none", "side": 256},
    "f-brs-b": {"method": "f-brs-b"},
    "f-brs-b, side 256": {"method": "f-brs-b", "side": 256},
    "f-brs-b, side 384": {"method": "f-brs-b", "side": 384},
    "f-brs-b, margin 0.5": {"method": "f-brs-b", "margin": 0.5},
    "f-brs-b, margin 2": {"method": "f-brs-b", "margin": 2.0},
    "f-brs-b, inertia 1e-4, 12 steps": {"method": "f-brs-b", "inertia": 1e-4, "steps": 12},
    "f-brs-b, coarse decoder": {"method": "f-brs-b", "point": "merge_1_2"},
    "f-brs-b, last but one layer": {"method": "f-brs-b", "point": "finest_0_2"},
    "brs": {"method": "brs"},
    "brs, margin 0.5": {"method": "brs", "margin": 0.5},
    "residual": {"method": "residual"},
}


def varied(choices: Mapping[str, Any]) -> Method:
    """Return a method with some of its numbers, or the place that it moves, changed."""
    base = method_named(choices["method"])
    changed = {k: v for k, v in choices.items() if k in ("margin", "inertia", "steps")}
    if "point" in choices:
        changed["place"] = at(choices["point"])
    guiding = base.guiding and replace(base.guiding, **changed)
    return replace(base, name="varied", guiding=guiding)


def at(point: str) -> Any:
    """Scale and bias at one guide point."""

    def place(scene: Scene) -> Placed:
        return point, GuidingBlock(scene.network.guide_point(point).channels)

    return place


def main(arguments: Sequence[str] | None = None) -> None:
    """Count the clicks of every variant, and write what was counted so far."""
    options = _parser().parse_args(arguments)
    items = list(open_objects(options.folder, only=options.only))
    card = catalogue()["click"].card
    found = {}
    for name in options.variant or VARIANTS:
        choices = VARIANTS[name]
        maps = {**card.interaction, **{k: v for k, v in choices.items() if k == "side"}}
        network = open_network("click", "cpu", replace(card, interaction=maps))
        METHODS["varied"] = varied(choices)
        result = evaluate_objects(
            items,
            network,
            "varied",
            20,
            least_pixels=options.least_pixels,
            per_image=options.objects,
        )
        found[name] = result.to_json()
        write_json(options.json, found)
        counted = result.overall
        print(
            f"| {name} | {counted.noc85:.2f} | {counted.noc90:.2f} | {counted.failures85}, "
            f"{counted.failures90} | {result.seconds_per_click.median:.2f} |",
            flush=True,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DATA")
    parser.add_argument("--only", type=Path, metavar="CSV")
    parser.add_argument("--objects", type=int, default=2)
    parser.add_argument("--least-pixels", type=int, default=1500)
    parser.add_argument("--variant", nargs="+", choices=VARIANTS)
    parser.add_argument("--json", type=Path, required=True)
    return parser


if __name__ == "__main__":
    main()
