"""Simulated users on folders of images with truth."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from napari_guideme.cli.opening import network_of, text_guide_of, were_given
from napari_guideme.errors import InputError
from napari_guideme.files import check_writable, write_json
from napari_guideme.guidance import (
    DEFAULT_FOLLOWED_METHOD,
    DEFAULT_METHOD,
    DEFAULT_OBJECT_METHOD,
    DEFAULT_QUESTION,
)
from napari_guideme.language import DEFAULT_TELLING, TELLING_NAMES
from napari_guideme.localize import DEFAULT_FINDING, FINDING_NAMES
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER, DEFAULT_NETWORK
from napari_guideme.referring import OUTLINES, REFERRING, follows_image

if TYPE_CHECKING:
    from napari_guideme.evaluation.carry_results import CarryResult
    from napari_guideme.evaluation.datasets import Item
    from napari_guideme.evaluation.finding_results import NamesResult
    from napari_guideme.evaluation.noc_results import NocResult
    from napari_guideme.evaluation.protocol import Talk
    from napari_guideme.evaluation.referring_results import ReferringResult
    from napari_guideme.evaluation.results import Result
    from napari_guideme.networks.frozen import FrozenNetwork

#: Options that only some protocols can follow: their defaults, and these protocols.
_ONLY_FOR: dict[str, tuple[Any, tuple[str, ...]]] = {
    "axis": (None, ("carry", "errors", "questions", "text")),
    "slice": (None, ("carry",)),
    "carry": ("onward", ("carry",)),
    "spacing": (None, ("carry", "errors", "questions", "text")),
    "ask": (DEFAULT_QUESTION, ("questions",)),
    "operation": ("either", ("text",)),
    "text_guide": (None, ("text",)),
    "objects": (None, ("noc", "referring")),
    "least_pixels": (100, ("noc", "names")),
    "folds": (None, ("referring",)),
    "names": (None, ("referring",)),
    "clicks": (0, ("referring",)),
    "baselines": (False, ("referring",)),
    "classifier": (DEFAULT_CLASSIFIER, ("names",)),
    "views": (None, ("names",)),
    "by": ("wordnet", ("names",)),
    "outline": (None, ("names", "referring")),
    "vectors": (None, ("text", "names")),
    "card": (None, ("errors", "questions", "text", "noc", "carry")),
    "window": (None, ("errors", "questions", "text", "noc", "carry")),
    "class_map": (None, ("errors", "questions", "text", "carry")),
}


def evaluate(options: argparse.Namespace) -> int:
    """Let a simulated user correct a folder of images with truth."""
    _check_options(options)
    check_writable(options.json, (".json",))
    runs: dict[str, Callable[[argparse.Namespace], Any]] = {
        "noc": _count_clicks,
        "carry": _carry,
        "names": _find_by_name,
        "referring": _refer,
    }
    options.network = options.network or (
        REFERRING if options.protocol == "referring" else DEFAULT_NETWORK
    )
    options.skip = _Skipped()
    result = runs.get(options.protocol, _correct)(options)
    skipped = options.skip.told
    write_json(options.json, result.to_json() | ({"skipped": skipped} if skipped else {}))
    print(result)
    return 3 if skipped else 0


class _Skipped:
    """Images that cannot be read: told at once, and in the end."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []

    def __call__(self, name: str, error: InputError) -> None:
        self.told.append({"image": name, "error": str(error)})
        tqdm.write(f"napari-guideme: left out: {error}", file=sys.stderr)


def _check_options(options: argparse.Namespace) -> None:
    """Refuse options that the protocol cannot follow."""
    for name, (default, protocols) in _ONLY_FOR.items():
        if getattr(options, name) != default and options.protocol not in protocols:
            raise InputError(
                f"--{name.replace('_', '-')} is of no use with --protocol {options.protocol}; "
                f"it is for {', '.join(protocols)}"
            )


def _correct(options: argparse.Namespace) -> Result:
    """Let the user correct the labels of whole images."""
    from napari_guideme.evaluation.protocol import evaluate as run_protocol

    network = network_of(options)
    items = _items(options, network)
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


def _items(options: argparse.Namespace, network: FrozenNetwork) -> Iterable[Item]:
    """Open the images of a folder, or what a volume in it is to the network."""
    from napari_guideme.evaluation import volumes
    from napari_guideme.evaluation.datasets import open_dataset
    from napari_guideme.evaluation.several_volumes import open_volumes

    truth = {"class_map": options.class_map, "instances": options.instances}
    slices = {
        "axis": options.axis or 0,
        "spacing": options.spacing,
        "limit": options.limit,
        "seed": options.seed,
    }
    if (held := _held(options)) == _ONE:
        volume = volumes.open_volume(options.folder, network, **truth)
        return volumes.items_of(volume, network, **slices)
    if held == _SEVERAL:
        return open_volumes(options.folder, network, **truth, **slices, skip=options.skip)
    return open_dataset(
        options.folder, network, class_map=options.class_map, **_choice_of_images(options)
    )


#: What a folder holds.
_IMAGES, _ONE, _SEVERAL = "images", "a volume", "volumes"


def _held(options: argparse.Namespace) -> str:
    """Tell what the folder holds; refuse options that are for another kind."""
    from napari_guideme.evaluation.several_volumes import volume_entries
    from napari_guideme.evaluation.volumes import is_volume_folder

    if is_volume_folder(options.folder):
        held = _ONE
    else:
        held = _SEVERAL if volume_entries(options.folder) else _IMAGES
    useless = ["axis", "slice", "spacing"] if held == _IMAGES else ["split", "only"]
    if held == _ONE and options.protocol == "carry":
        useless.append("limit")
    for name in were_given(options, useless):
        raise InputError(f"--{name} is of no use here; {options.folder} holds {held}")
    return held


def _talk(options: argparse.Namespace, network: FrozenNetwork) -> Talk:
    """Return how a simulated user talks."""
    from napari_guideme.evaluation.protocol import Talk

    guide = text_guide_of(options, network)
    telling = options.method or ("text-guide" if options.text_guide else DEFAULT_TELLING)
    if telling not in TELLING_NAMES:
        raise InputError(f"{telling} follows clicks; with text choose {', '.join(TELLING_NAMES)}")
    return Talk(options.operation, telling, guide)


def _count_clicks(options: argparse.Namespace) -> NocResult:
    """Let the user outline one object after the other."""
    from napari_guideme.evaluation.datasets import open_objects
    from napari_guideme.evaluation.noc import evaluate_objects

    network = network_of(options)
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


def _carry(options: argparse.Namespace) -> CarryResult:
    """Let the user correct one slice or image, and carry that to the others."""
    from napari_guideme.evaluation.carry import evaluate_carry, evaluate_images
    from napari_guideme.evaluation.datasets import open_dataset
    from napari_guideme.evaluation.volumes import open_volume

    network = network_of(options)
    told: dict[str, Any] = {
        "hints": 5 if options.hints is None else options.hints,
        "method": options.method or DEFAULT_METHOD,
    }
    truth = {"class_map": options.class_map, "instances": options.instances}
    held = _held(options)
    if held == _SEVERAL:
        raise InputError(
            f"carry goes through one volume; {options.folder} holds several: give a folder that "
            "holds one of them as image, and its labels as labels"
        )
    if held == _IMAGES:
        items = open_dataset(
            options.folder, network, class_map=options.class_map, **_choice_of_images(options)
        )
        return evaluate_images(tqdm(items, desc="images", disable=None), network, **told)
    return evaluate_carry(
        open_volume(options.folder, network, **truth),
        network,
        axis=options.axis or 0,
        index=options.slice,
        extent=options.carry,
        spacing=options.spacing,
        **told,
    )


def _find_by_name(options: argparse.Namespace) -> NamesResult:
    """Find every class that an image shows by its name."""
    method = options.method or DEFAULT_FINDING
    if method not in FINDING_NAMES:
        raise InputError(f"{method} finds nothing by its name; choose {', '.join(FINDING_NAMES)}")
    if options.by == "vectors" and not options.vectors:
        raise InputError("--by vectors needs --vectors NPZ")
    if options.vectors and options.by != "vectors":
        raise InputError("--vectors is of no use without --by vectors")
    from napari_guideme.evaluation.finding import Way, evaluate_names, open_named
    from napari_guideme.language.vocabulary import WordVectors
    from napari_guideme.localize.attention import open_attention
    from napari_guideme.networks.classifier import open_classifier

    choice = _choice_of_images(options)
    data = open_named(options.folder, least_pixels=options.least_pixels, **choice)
    way = Way(
        open_classifier(options.classifier, options.device),
        method,
        open_attention(device=options.device) if method == "proxies" else None,
        options.views,
        options.outline,
        options.by,
        WordVectors.read(options.vectors) if options.vectors else None,
    )
    return evaluate_names(data, way, lambda items: tqdm(items, desc="images", disable=None))


def _refer(options: argparse.Namespace) -> ReferringResult:
    """Follow sentences that pick one of several objects."""
    from napari_guideme.evaluation.named_objects import open_named_objects
    from napari_guideme.evaluation.referring import Clicks, evaluate_referring, said_of
    from napari_guideme.evaluation.referring_baselines import LARGEST, TEXT_HINT
    from napari_guideme.referring.opening import open_referring, with_folds

    clicks = Clicks(options.clicks, options.method or DEFAULT_FOLLOWED_METHOD, options.device)
    network = open_referring(options.network, options.device)
    if options.folds is not None:
        network = with_folds(network, options.folds)
    choice = _choice_of_images(options)
    choice.pop("instances")
    data = open_named_objects(options.folder, options.names, **choice)
    said, source = said_of(data, options.objects, options.seed)
    return evaluate_referring(
        tqdm(data, desc="images", disable=None),
        said,
        network,
        follows_image=follows_image(options.outline or OUTLINES[0]),
        baselines=(LARGEST, TEXT_HINT) if options.baselines else (LARGEST,),
        clicks=clicks,
        about={
            "network": Path(options.network).name,
            "expressions": source,
            "seed": options.seed,
            "objects_per_image": options.objects,
        },
    )


def _choice_of_images(options: argparse.Namespace) -> dict[str, Any]:
    names = ("instances", "split", "only", "limit", "seed", "skip")
    return {name: getattr(options, name) for name in names}
