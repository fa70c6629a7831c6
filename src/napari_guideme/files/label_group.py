"""The group of labels as OME-Zarr: begun as a bare array, described when it is complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from napari_guideme.files.label_levels import add_levels
from napari_guideme.files.ome_zarr import OWN, is_zarr, library
from napari_guideme.files.picture import Picture
from napari_guideme.files.whole import output_errors

#: Version of NGFF for each format of Zarr.
_VERSIONS = {2: "0.4", 3: "0.5"}

#: Files that make a folder a group.
_OF_A_GROUP = (".zgroup", "zarr.json")

#: Largest side of a chunk of labels, where the image has none.
_SIDE = 1024


def image_around(path: Path) -> Path | None:
    """The image that labels at this path lie inside."""
    image = path.parent.parent
    return image if path.parent.name == "labels" and is_zarr(image) else None


def _zarr_format(path: Path, like: Picture) -> int:
    """Labels inside an image are of its format; others of that of what they belong to."""
    image = image_around(path)
    if image is None:
        return int(like.kept.get("zarr_format", 3))
    return int(library().open_group(str(image), mode="r").metadata.zarr_format)


def make_room(path: Path) -> None:
    """Make the group of labels inside an image, if it has none."""
    image = image_around(path)
    if image is not None and not any((path.parent / name).exists() for name in _OF_A_GROUP):
        zarr = library()
        told = zarr.open_group(str(image), mode="r").metadata.zarr_format
        zarr.create_group(str(path.parent), zarr_format=told)


def create(
    new: Path,
    path: Path,
    like: Picture,
    fingerprint: Mapping[str, str],
    dtype: DTypeLike,
    chunks: Sequence[int] | None,
) -> None:
    """Begin labels in a new folder: an array without chunks, and what they belong to."""
    zarr_format = _zarr_format(path, like)
    axes, shape = like.label_axes, like.label_shape
    own: dict[str, Any] = {
        "fingerprint": dict(fingerprint),
        "image": like.fingerprint(),
        "axes": list(axes),
        "private": like.private,
        "finished": False,
    }
    if like.geometry is not None:
        own["affine"] = like.geometry.affine.tolist()
        own["unit"], own["patient"] = like.geometry.unit, like.geometry.patient
    group = library().create_group(str(new), zarr_format=zarr_format)
    group.create_array(
        "0",
        shape=shape,
        chunks=tuple(chunks or _usual_chunks(like)),
        dtype=np.dtype(dtype),
        fill_value=0,
        chunk_key_encoding={"name": "v2" if zarr_format == 2 else "default", "separator": "/"},
        dimension_names=axes if zarr_format == 3 else None,
    )
    group.attrs[OWN] = own


def _usual_chunks(like: Picture) -> tuple[int, ...]:
    """The chunks of a lazy image, else planes."""
    told = getattr(like.pixels, "chunks", None)
    if told is not None:
        named = zip(told, like.axes, strict=True)
        return tuple(int(sizes[0]) for sizes, name in named if name != "c")
    shape = like.label_shape
    return (*(1,) * (len(shape) - 2), *(min(n, _SIDE) for n in shape[-2:]))


def describe(group: Any, around: Path | None) -> None:
    """Say by OME's rules what the labels are: from now on they are an image."""
    own = group.attrs[OWN]
    zarr_format = group.metadata.zarr_format
    version = _VERSIONS[zarr_format]
    scale, origin = _placed(own)
    placed = [
        {"type": "scale", "scale": scale},
        {"type": "translation", "translation": origin},
    ]
    datasets = [{"path": "0", "coordinateTransformations": placed}]
    label: dict[str, Any] = {}
    if around is not None:
        datasets = add_levels(group, library().open_group(str(around), mode="r"), own["axes"])
        label = {"source": {"image": "../../"}}
    axes = [_axis(name, own.get("unit", "")) for name in own["axes"]]
    image = {"name": "labels", "axes": axes, "datasets": datasets}
    own = {**own, "finished": True}
    if zarr_format == 2:
        label, image = {"version": version, **label}, {"version": version, **image}
        group.update_attributes({"multiscales": [image], "image-label": label, OWN: own})
    else:
        told = {"version": version, "multiscales": [image], "image-label": label}
        group.update_attributes({"ome": told, OWN: own})


def _axis(name: str, unit: str) -> dict[str, str]:
    kind = "time" if name == "t" else "space"
    return {"name": name, "type": kind, **({"unit": unit} if unit and kind == "space" else {})}


def _placed(own: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Scale and translation; NGFF knows no rotation, which the affine beside it tells."""
    affine = np.asarray(own.get("affine", np.eye(4)))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    straight = np.allclose(affine[:3, :3], np.diag(spacing)[::-1], rtol=1e-9)
    origin = affine[2::-1, 3] if straight else np.zeros(3)
    named = dict(zip("zyx", zip(spacing, origin, strict=True), strict=True))
    told = [named.get(name, (1.0, 0.0)) for name in own["axes"]]
    return [float(size) for size, _ in told], [float(start) for _, start in told]


def list_inside(path: Path) -> None:
    """Name labels that lie inside an image among those that it lists."""
    if image_around(path) is None:
        return
    labels = library().open_group(str(path.parent), mode="r+")
    told = dict(labels.attrs)
    inner = dict(told.get("ome", {})) if labels.metadata.zarr_format == 3 else told
    names = list(inner.get("labels", []))
    if path.name in names:
        return
    if labels.metadata.zarr_format == 3:
        told = {"ome": {"version": _VERSIONS[3], **inner, "labels": [*names, path.name]}}
    else:
        told = {"labels": [*names, path.name]}
    with output_errors(path):
        labels.update_attributes(told)
