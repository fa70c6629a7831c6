"""What each part of the residual's kernel is worth: one row for each variant.

    python benchmarks/ablation.py DATA [options of napari-guideme evaluate]

for example

    python benchmarks/ablation.py blood_cells --network blood_cells.safetensors \
        --only held_out.csv --counts 1 5 10
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from napari_guideme import open_network
from napari_guideme.evaluation.datasets import open_dataset
from napari_guideme.evaluation.protocol import evaluate
from napari_guideme.evaluation.results import Result
from napari_guideme.guidance.kernel import Kernel
from napari_guideme.guidance.methods import METHODS, Method
from napari_guideme.networks.card import read_card

#: A kernel that reaches equally far at any depth.
EVEN = {
    "growth": 0.0,
    "curvature": 0.0,
    "lead_growth": 0.0,
    "outer": 1.0,
    "middle": 2.0,
    "likely": 2.0,
    "outlines": False,
}

VARIANTS = {
    "as shipped": Kernel(),
    "reach 0.1 and lead 2 at any depth": Kernel(nearest=0.1, lead=2.0, **EVEN),
    "reach 0.2 and lead 2 at any depth": Kernel(nearest=0.2, lead=2.0, **EVEN),
    "does not look closer": Kernel(likely=2.0),
    "draws no outlines": Kernel(outlines=False),
    "no region is meant": Kernel(middle=2.0),
    "as far at the rim of a thing": Kernel(outer=1.0),
    "the background is as deep as it is": Kernel(evident=float("inf")),
    "growth 1": Kernel(growth=1.0),
    "the kernel before: neither, growth 1": Kernel(
        middle=2.0, outer=1.0, growth=1.0, likely=2.0, outlines=False
    ),
    "the same lead at any depth": Kernel(lead_growth=0.0),
    "lead 2": Kernel(lead=2.0),
    "lead 6": Kernel(lead=6.0),
    "no curvature": Kernel(curvature=0.0),
    "nearest 0.01": Kernel(nearest=0.01),
    "lead 3": Kernel(lead=3.0),
    "nearest 0.05": Kernel(nearest=0.05),
    "no likeness": Kernel(temperature=1e6),
    "temperature 0.3": Kernel(temperature=0.3),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate every variant on the same images."""
    options = _parser().parse_args(arguments)
    card = read_card(options.card) if options.card else None
    network = open_network(options.network, options.device, card)
    print(f"| variant | {' | '.join(f'{n} hints' for n in options.counts)} | harm | unmet |")
    print("|---" * (len(options.counts) + 3) + "|")
    for name in options.variants:
        METHODS[name] = Method(name, None, kernel=VARIANTS[name])
        items = open_dataset(
            options.folder,
            network,
            instances=options.instances,
            class_map=options.class_map,
            only=options.only,
            limit=options.limit,
            seed=options.seed,
        )
        told = tqdm(items, desc=name, disable=None)
        result = evaluate(told, network, name, "errors", max(options.counts))
        print(_row(name, result, options.counts), flush=True)
    return 0


def _row(name: str, result: Result, counts: Sequence[int]) -> str:
    """Share of the remaining error, 1 - mIoU, that the hints closed."""
    start = result.miou["0"]
    closed = [(result.miou[str(n)] - start) / (1 - start) for n in counts]
    figures = " | ".join(f"{share:.1%}" for share in closed)
    return f"| {name} | {figures} | {result.harm_rate:.1%} | {result.unmet} |"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DATA")
    parser.add_argument("--network", default="nuclei")
    parser.add_argument("--card", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--instances", action="store_true")
    parser.add_argument("--class-map", type=Path)
    parser.add_argument("--only", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 5, 10])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    return parser


if __name__ == "__main__":
    sys.exit(main())
