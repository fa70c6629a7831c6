"""Find classes that the class-agnostic network never saw, as table 3 of Golub et al. does.

    python benchmarks/attention_folds.py --objects OBJECTS --out FOLDS --json RESULT.json

OBJECTS is the folder `objects_coco128`. Its classes that some label of the classifier
stands in for are parted into four folds in alphabetical order. For each fold and each
kind of maps a decoder is trained on the photographs without anything of the fold, and
tried on the photographs with it, a class at a time. Trained decoders are kept in FOLDS.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from attention import MAPS, Eye, Lessons, learn, looked, read, told

from napari_guideme import Click
from napari_guideme.evaluation.user import object_click
from napari_guideme.grabcut import from_likelihood
from napari_guideme.guidance import FOUND_METHODS
from napari_guideme.localize.attention import open_attention
from napari_guideme.localize.finding import chosen_stand_ins, find, scene_of
from napari_guideme.networks.classifier import open_classifier
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.session import GuideSession

FOLDS = 4
#: Smaller things, as a share of the image, are not clicked.
WORTH_CLICKING = 0.01


@dataclass(frozen=True)
class Fold:
    """Classes that are kept out, and where their decoders lie."""

    index: int
    classes: frozenset[str]
    folder: Path

    def decoder(self, maps: str) -> Path:
        """Where the decoder for a kind of maps lies."""
        return self.folder / f"{self.index}-{maps}.safetensors"


def folds(names: Sequence[str], folder: Path) -> list[Fold]:
    """Part the classes in alphabetical order."""
    parts = np.array_split(sorted(names), FOLDS)
    return [Fold(i, frozenset(part.tolist()), folder) for i, part in enumerate(parts)]


def intersection_over_union(found: np.ndarray, truth: np.ndarray) -> float:
    """Of two masks."""
    return float((found & truth).sum() / (found | truth).sum())


def tried(objects: Path, fold: Fold, networks: dict[str, FrozenNetwork]) -> Iterator[dict]:
    """Find every class of a fold wherever it is, by each kind of maps."""
    classifier = open_classifier(device="cpu")
    random = np.random.default_rng(fold.index)
    for path in tqdm(sorted((objects / "images").iterdir()), desc=f"fold {fold.index}"):
        image, masks = read(objects, path)
        for name in sorted(fold.classes & masks.keys()):
            chosen = chosen_stand_ins(name, classifier, image, -1)
            for maps, network in networks.items():
                labels = told(chosen, maps, random)
                found = find(
                    name,
                    image,
                    classifier,
                    labels,
                    network=network,
                    channel_axis=-1,
                    outline="threshold",
                )
                cut = from_likelihood(image, found.likelihood)
                for grabcut, mask in ((False, found.mask), (True, cut)):
                    yield {
                        "fold": fold.index,
                        "stem": path.stem,
                        "class": name,
                        "maps": maps,
                        "grabcut": grabcut,
                        "share": float(masks[name].mean()),
                        "iou": intersection_over_union(mask, masks[name]),
                    }


def corrected(
    objects: Path, fold: Fold, network: FrozenNetwork, methods: Sequence[str], clicks: int
) -> Iterator[dict]:
    """Find every class of a fold by both maps, then click the deepest mistakes."""
    classifier = open_classifier(device="cpu")
    for path in tqdm(sorted((objects / "images").iterdir()), desc=f"clicks, fold {fold.index}"):
        image, masks = read(objects, path)
        for name in sorted(fold.classes & masks.keys()):
            truth = masks[name]
            if truth.mean() < WORTH_CLICKING:
                continue
            labels = chosen_stand_ins(name, classifier, image, -1)
            found = find(name, image, classifier, labels, network=network, channel_axis=-1)
            for method in methods:
                session = GuideSession.on(scene_of(found, image, network, -1), method=method)
                ious, clicked = [intersection_over_union(found.mask, truth)], []
                for _ in range(clicks):
                    answer = object_click(session.labels(), truth.astype(int), clicked)
                    if answer is not None:
                        clicked.append(answer[0])
                        session.add(Click(answer[0], session.network.classes[answer[1]]))
                        deque(session.refine(), maxlen=0)
                    ious.append(intersection_over_union(session.labels() == 1, truth))
                yield {
                    "fold": fold.index,
                    "stem": path.stem,
                    "class": name,
                    "method": method,
                    "ious": ious,
                }


def courses(rows: Sequence[dict]) -> str:
    """Mean IoU after each click, by the method that corrects."""
    lines = []
    for method in dict.fromkeys(row["method"] for row in rows):
        own = np.array([row["ious"] for row in rows if row["method"] == method])
        told = " ".join(f"{100 * iou:.1f}" for iou in own.mean(0))
        harm = (np.diff(own, axis=1) < -0.01).mean()
        lines.append(f"{method:14} {told}   harm {harm:.1%}   {len(own)} things")
    return "\n".join(lines)


def summary(rows: Sequence[dict], least: float) -> str:
    """Mean IoU over classes of each fold and of all, things of a share of the image at least."""
    lines = [f"things of at least {least:.0%} of the image"]
    for grabcut in (True, False):
        for maps in MAPS:
            own = [r for r in rows if (r["maps"], r["grabcut"]) == (maps, grabcut)]
            own = [r for r in own if r["share"] >= least]
            cells = [_mean_over_classes([r for r in own if r["fold"] == f]) for f in range(FOLDS)]
            told = " ".join(f"{100 * cell:5.1f}" for cell in [*cells, _mean_over_classes(own)])
            lines.append(f"{maps:20} {'grabcut' if grabcut else 'half':8} {told}")
    return "\n".join(lines)


def _mean_over_classes(rows: Sequence[dict]) -> float:
    by_class: dict[str, list[float]] = {}
    for row in rows:
        by_class.setdefault(row["class"], []).append(row["iou"])
    return float(np.mean([np.mean(ious) for ious in by_class.values()])) if rows else float("nan")


def main(a: argparse.Namespace) -> None:
    """Train what is not trained yet, and try it."""
    eye = Eye()
    seen = looked(a.objects, a.out / "views.pt", eye)
    parts = folds(sorted({name for view in seen for name in view.stand_ins}), a.out)
    for maps in a.maps:
        for fold in parts:
            if not fold.decoder(maps).with_suffix(".done").exists():
                lessons = Lessons(seen, fold.classes, maps, eye)
                learn(lessons, fold.decoder(maps), a.steps, a.seed)
                fold.decoder(maps).with_suffix(".done").touch()
    if a.json is None:
        return
    rows: list[dict] = []
    for fold in parts:
        opened = {m: open_attention(device="cpu", weights=fold.decoder(m)) for m in a.maps}
        rows += tried(a.objects, fold, opened)
        a.json.write_text(json.dumps(rows, indent=1))
    print(summary(rows, 0.0), summary(rows, 0.01), sep="\n\n")
    if not a.clicks:
        return
    rows = []
    for fold in parts:
        network = open_attention(device="cpu", weights=fold.decoder(MAPS[-1]))
        rows += corrected(a.objects, fold, network, a.correct, a.clicks)
        a.json.with_suffix(".clicks.json").write_text(json.dumps(rows, indent=1))
    print(courses(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/folds"))
    parser.add_argument("--maps", nargs="+", choices=MAPS, default=MAPS)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="try what was trained, and write each result")
    parser.add_argument("--clicks", type=int, default=0, help="then click so many mistakes")
    parser.add_argument(
        "--correct", nargs="+", choices=FOUND_METHODS, default=["residual", "saliency-brs"]
    )
    main(parser.parse_args())
