"""bioimage.io packages: a folder, a .zip, or its ``rdf.yaml``.

The description is read by `bioimageio.spec`; the weights, ONNX or TorchScript, by
our own readers. Source code in a package is never run.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_guideme.errors import InputError
from napari_guideme.files import first_line
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.formats import onnx, scripted
from napari_guideme.networks.formats.archive import unpack
from napari_guideme.networks.formats.told import Affine

if TYPE_CHECKING:
    from torch import nn

NAMES = ("rdf.yaml", "bioimageio.yaml")


def guess(path: Path) -> NetworkCard:
    """What the description says of axes, channels, preprocessing and licence."""
    with _package(path) as folder:
        model = _description(folder)
        entries = {**_axes(path, model.inputs[0]), **_preprocessing(model.inputs[0])}
        return NetworkCard(
            name=str(model.name),
            description=str(model.description or ""),
            licence=str(model.license or ""),
            classes=_classes(model.outputs[0]),
            channels_last=entries.pop("channels_last"),
            preparation=entries,
        )


def load(path: Path, card: NetworkCard) -> nn.Module:
    """Load the weights, if they are of a kind that needs no code."""
    with _package(path) as folder:
        weights = _description(folder).weights
        if weights.onnx is not None:
            return onnx.load(_checked(folder, weights.onnx), card)
        if weights.torchscript is not None:
            return scripted.load(_checked(folder, weights.torchscript), card)
    raise InputError(
        f"{path.name} has weights for {', '.join(sorted(weights.available_formats))}; read are "
        "onnx and torchscript, for code of a package is never run"
    )


@contextmanager
def _package(path: Path) -> Iterator[Path]:
    """The folder of a package; a .zip is unpacked for as long as it is read."""
    if path.is_dir():
        yield path
    elif path.suffix.lower() == ".zip":
        with tempfile.TemporaryDirectory() as folder:
            unpack(path, Path(folder))
            yield Path(folder)
    else:
        yield path.parent


def _description(folder: Path) -> Any:
    try:
        from bioimageio.spec import InvalidDescr, load_model_description
    except ImportError:
        raise InputError(
            "bioimage.io packages need `pip install napari-guideme[bioimageio]`"
        ) from None
    file = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if file is None:
        raise InputError(f"there is no {NAMES[0]} in the package")
    try:
        found = load_model_description(file, format_version="latest", perform_io_checks=False)
    except Exception as error:
        raise InputError(f"{file.name} describes no network: {first_line(error)}") from error
    if isinstance(found, InvalidDescr) or len(found.inputs) != 1:
        raise InputError(f"{file.name} does not describe a network with one input")
    return found


def _checked(folder: Path, entry: Any) -> Path:
    """The file of weights, which lies in the package and is what was described."""
    file = (folder / str(entry.source)).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise InputError(f"the weights {entry.source} are not in the package")
    if entry.sha256 is not None:
        with file.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != str(entry.sha256):
                raise InputError(f"the weights {file.name} are not those that are described")
    return file


def _axes(path: Path, tensor: Any) -> dict[str, Any]:
    """Layout, channels and size of the input."""
    kinds = [axis.type for axis in tensor.axes]
    spatial = [axis for axis in tensor.axes if axis.type == "space"]
    order = "".join(str(axis.id) for axis in spatial)
    if sorted(kinds) != sorted(["batch", "channel", *["space"] * len(spatial)]):
        raise InputError(
            f"{path.name} takes the axes {', '.join(kinds)}; networks here take "
            "batch, channel and two or three of space"
        )
    if order not in ("yx", "zyx") or kinds.index("channel") not in (1, len(kinds) - 1):
        raise InputError(f"{path.name} takes the axes {order} in space; here they are zyx or yx")
    channel = tensor.axes[kinds.index("channel")]
    entries: dict[str, Any] = {
        "ndim": len(spatial),
        "channels": len(channel.channel_names),
        "channels_last": kinds.index("channel") > 1,
    }
    sizes = [axis.size for axis in spatial]
    if all(isinstance(size, int) for size in sizes):
        entries["size"] = tuple(sizes)
    elif all(hasattr(size, "step") for size in sizes):
        step = max(size.step for size in sizes)
        entries |= {"multiple": step, "offset": sizes[0].min % step}
    return entries


def _preprocessing(tensor: Any) -> dict[str, Any]:
    """Steps before the network as entries of a `Preparation`."""
    entries: dict[str, Any] = {"value_range": "none"}
    affine = Affine()
    for step in tensor.preprocessing:
        values = step.kwargs
        if step.id == "scale_linear":
            affine = affine.then(values.gain, values.offset)
        elif step.id == "fixed_zero_mean_unit_variance":
            affine = affine.standardised(values.mean, values.std)
        elif step.id in ("scale_range", "zero_mean_unit_variance"):
            if entries.get("clip"):
                raise InputError(f"the preprocessing {step.id} after clip is not supported")
            # Neither notices what was multiplied or added before.
            affine = Affine()
            entries = _measured_range(step)
        elif step.id == "clip":
            entries, affine = _clipped(values.min, values.max, entries, affine)
        elif step.id != "ensure_dtype":
            raise InputError(f"the preprocessing {step.id} is not supported")
    return {**entries, **affine.entries()}


def _clipped(
    least: float | None, most: float | None, entries: dict[str, Any], affine: Affine
) -> tuple[dict[str, Any], Affine]:
    """What was done before, and then a clip: by limits of its own, or at 0 and 1."""
    if least is not None and most is not None and affine.gain.size == 1 and affine.gain[0] > 0:
        low, high = ((bound - affine.offset[0]) / affine.gain[0] for bound in (least, most))
        if entries["value_range"] == "none" and affine.offset.size == 1 and low < high:
            limits = {"value_range": "limits", "limits": (float(low), float(high)), "clip": True}
            return limits, Affine().then(most - least, least)
        if entries["value_range"] == "percentile" and np.allclose((low, high), (0, 1)):
            return {**entries, "clip": True}, affine
    raise InputError(
        f"the preprocessing clip to {least} and {most} is not supported where it stands; it is "
        "before all that measures the image, or at 0 and 1 after scale_range"
    )


def _measured_range(step: Any) -> dict[str, Any]:
    """Steps that measure the image; without axes they look at all of it."""
    axes = step.kwargs.axes
    entries: dict[str, Any] = {"value_range": "standardised"}
    if axes is not None and "channel" not in [str(axis) for axis in axes]:
        entries["per_channel"] = True
    if step.id == "scale_range":
        percentiles = (float(step.kwargs.min_percentile), float(step.kwargs.max_percentile))
        entries |= {"value_range": "percentile", "percentiles": percentiles, "clip": False}
    return entries


def _classes(tensor: Any) -> tuple[str, ...]:
    """Names of the output's channels, if somebody gave them."""
    axis = next((axis for axis in tensor.axes if axis.type == "channel"), None)
    names: Sequence[str] = [str(name) for name in axis.channel_names] if axis else []
    if any(name.startswith("channel") for name in names):
        return ()
    return ("background", *names) if len(names) == 1 else tuple(names)
