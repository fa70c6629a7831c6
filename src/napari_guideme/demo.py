"""The main job on a real picture, with hints that ship with the package."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import data
from skimage.draw import disk
from skimage.segmentation import mark_boundaries

from napari_guideme.errors import InputError
from napari_guideme.files import (
    entries_of,
    make_folder,
    write_json,
    write_labels,
    write_picture,
)
from napari_guideme.guidance.refining import Step
from napari_guideme.hints import Click, Hints
from napari_guideme.hints_json import hints_from_json
from napari_guideme.networks.catalogue import open_network
from napari_guideme.session import GuideSession

NETWORK = "nuclei"
IMAGE = "skimage.data.immunohistochemistry"

#: The first tells that the others are of the demo, too, and is written before them.
FILES = ("summary.json", "before.tif", "after.tif", "overlay.png")

#: Colours of nuclei outlines and of clicks on anything but background, and on background.
_OBJECT, _BACKGROUND = (1.0, 0.85, 0.0), (0.0, 1.0, 1.0)


def demo_image() -> NDArray[np.uint8]:
    """Stained colon tissue, 512 x 512 RGB; the wheel of scikit-image carries it."""
    picture: NDArray[np.uint8] = data.immunohistochemistry()
    return picture


def demo_hints() -> Hints:
    """Clicks where the bundled network is wrong in the demo's picture."""
    text = (resources.files("napari_guideme") / "demo_hints.json").read_text(encoding="utf-8")
    return hints_from_json(json.loads(text))


def run_demo(
    folder: Path,
    device: str = "auto",
    watched: Callable[[Iterator[Step], str], object] = lambda steps, method: list(steps),
) -> str:
    """Refine the demo's picture and write what came of it.

    Writes ``before.tif`` and ``after.tif`` (class of every pixel),
    ``overlay.png`` (both as outlines, with the clicks) and ``summary.json``.

    Parameters
    ----------
    folder
        Where they go.
    device
        Where to compute.
    watched
        Goes all steps of a method, and may show how far that is.

    Returns
    -------
    What a person wants to know, a few lines.

    Raises
    ------
    InputError
        If nothing can be written there, or would replace files that are not of the demo.
    """
    _check_own(folder)
    make_folder(folder)
    picture, hints = demo_image(), demo_hints()
    session = GuideSession(picture, open_network(NETWORK, device), channel_axis=-1)
    before = session.predict()
    session.add(*hints)
    watched(session.refine(), session.method)
    after, report = session.labels(), session.report()
    summary: dict[str, Any] = {
        "network": NETWORK,
        "image": IMAGE,
        "method": session.method,
        # Nobody has drawn the nuclei of this picture, so there is no IoU to tell.
        "iou_before": None,
        "iou_after": None,
        **report.to_json(),
    }
    told_in, before_in, after_in, shown_in = (folder / name for name in FILES)
    write_json(told_in, summary)
    write_labels(before_in, before)
    write_labels(after_in, after)
    write_picture(shown_in, overlay(picture, before, after, hints))
    return (
        f"{IMAGE}, network {NETWORK}: {report.satisfied} of {report.hints} clicks satisfied, "
        f"{report.changed_pixels} pixels changed in {report.seconds:.2f} s.\n"
        f"nuclei cover {np.mean(before > 0):.1%} of the picture before, {np.mean(after > 0):.1%} "
        f"after.\nLook at {shown_in}: left before, right after."
    )


def _check_own(folder: Path) -> None:
    there = [name for name in FILES if (folder / name).exists()]
    if there and entries_of(folder / FILES[0]).get("image") != IMAGE:
        raise InputError(f"the demo did not write {folder / there[0]}; choose another --out DIR")


def overlay(
    picture: NDArray[np.uint8],
    before: NDArray[np.integer],
    after: NDArray[np.integer],
    hints: Hints,
) -> NDArray[np.uint8]:
    """Draw objects as outlines, before on the left and after with the clicks on the right."""
    sides = [
        mark_boundaries(picture, (labels > 0).astype(int), color=_OBJECT, mode="inner")
        for labels in (before, after)
    ]
    for hint in hints:
        if isinstance(hint, Click):
            colour = _BACKGROUND if hint.class_name == "background" else _OBJECT
            for radius, ink in ((6, (0.0, 0.0, 0.0)), (4, colour)):
                sides[1][disk(hint.at, radius, shape=before.shape)] = ink
    joined: NDArray[np.uint8] = (255 * np.concatenate(sides, axis=1)).round().astype(np.uint8)
    return joined
