"""Reading OME-Zarr (NGFF 0.4 and 0.5) images, lazily, by zarr and dask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_guideme.errors import InputError
from napari_guideme.files.geometry import Geometry
from napari_guideme.files.picture import Picture
from napari_guideme.files.whole import first_line, optional

ZARR = (".zarr",)

#: Under which name labels carry what NGFF cannot say.
OWN = "napari-guideme"

_METRES = {
    "angstrom": 1e-10,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "meter": 1.0,
}

#: Axes of images that were written before axes had names (NGFF 0.1 and 0.2).
_UNNAMED = ("t", "c", "z", "y", "x")


@dataclass(frozen=True)
class _Told:
    """An array of an image; a chunk that cannot be read is told in one line, whenever it is."""

    array: Any
    image: Path

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.array.dtype
        return dtype

    @property
    def ndim(self) -> int:
        return int(self.array.ndim)

    def __getitem__(self, where: Any) -> Any:
        try:
            return self.array[where]
        except Exception as error:
            # Decoders raise whatever a broken chunk makes them stumble over.
            name = self.image.name
            told = first_line(error).replace(str(self.image), name)
            raise InputError(f"{name} is not a readable image: {told}") from error


def is_zarr(path: Path) -> bool:
    """Whether a folder is, or is called, a Zarr store or a part of one."""
    marks = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
    return path.is_dir() and (
        path.name.lower().endswith(ZARR) or any((path / mark).is_file() for mark in marks)
    )


def read_ome_zarr(path: Path) -> Picture:
    """Open the finest level of an OME-Zarr image; its pixels stay on disk until used."""
    zarr = library()
    dask = optional("dask.array", "zarr", "OME-Zarr images")
    group = _group(zarr, path)
    told = ome_metadata(group)
    image = _multiscale(group, told)
    array = group[image["datasets"][0]["path"]]
    if "pickle" in str(array.metadata.to_dict()):
        raise InputError("its pixels are stored as Python objects, which are never loaded")
    axes, units = _axes(image.get("axes"), array.ndim)
    chunks = array.shards or array.chunks
    own = group.attrs.get(OWN, {})
    return Picture(
        dask.from_array(_Told(array, path), chunks=chunks),
        axes,
        _stored_geometry(own) or _geometry(image, axes, units),
        "an OME-Zarr image",
        private=bool(own.get("private")),
        kept={"zarr_format": array.metadata.zarr_format, "chunks": path / array.path},
    )


def is_private(path: Path) -> bool:
    """Whether a store says that it was made of a patient's image."""
    try:
        own = library().open_group(str(path), mode="r").attrs.get(OWN, {})
        return bool(own.get("private"))
    except Exception:
        # What is broken says nothing; whoever opens it is told why.
        return False


def library() -> Any:
    """Import zarr."""
    return optional("zarr", "zarr", "OME-Zarr images")


def ome_metadata(group: Any) -> Mapping[str, Any]:
    """What a group tells by OME's rules: under ``ome`` from NGFF 0.5 on."""
    told = dict(group.attrs)
    inner = told.get("ome", told)
    return inner if isinstance(inner, Mapping) else {}


def named_axes(told: Sequence[Any] | None, ndim: int) -> tuple[str, ...]:
    """Names of the axes of an image as we call them."""
    return _axes(told, ndim)[0]


def _group(zarr: Any, path: Path) -> Any:
    try:
        found = zarr.open(str(path), mode="r")
    except Exception as error:
        raise InputError(f"it is not a readable Zarr ({type(error).__name__})") from None
    if isinstance(found, zarr.Array):
        raise InputError("it is an array without OME metadata; give the image that holds it")
    return found


def _multiscale(group: Any, told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is told of the image, or say what else is there."""
    images = told.get("multiscales")
    if images:
        return images[0]  # type: ignore[no-any-return]
    if OWN in group.attrs:
        raise InputError("its labels were begun and are not finished")
    if "plate" in told or "well" in told:
        raise InputError("it is a plate; give one of its images, such as PLATE.zarr/A/1/0")
    inside = sorted(name for name, inner in group.groups() if "multiscales" in ome_metadata(inner))
    if inside:
        raise InputError(f"it holds several images; give one of {', '.join(inside)} inside it")
    raise InputError("it is no OME-Zarr image: it tells no multiscales")


def _axes(told: Sequence[Any] | None, ndim: int) -> tuple[tuple[str, ...], list[str]]:
    """Names of the axes as we call them, and units of those in space."""
    entries = [a if isinstance(a, Mapping) else {"name": a} for a in told or _UNNAMED]
    kinds = [_kind(entry) for entry in entries]
    units = [
        str(entry.get("unit", ""))
        for entry, kind in zip(entries, kinds, strict=True)
        if kind == "space"
    ]
    if len(entries) != ndim or not 2 <= len(units) <= 3 or len(kinds) - len(units) > 2:
        raise InputError(f"its axes {', '.join(str(e.get('name')) for e in entries)} do not fit")
    names = iter("zyx"[3 - len(units) :])
    return tuple(next(names) if kind == "space" else kind for kind in kinds), units


def _kind(entry: Mapping[str, Any]) -> str:
    """Return ``"t"``, ``"c"`` or ``"space"``."""
    name = str(entry.get("name", ""))
    kind = entry.get("type") or {"t": "time", "c": "channel"}.get(name, "space")
    known = {"time": "t", "channel": "c", "space": "space"}
    if kind not in known:
        raise InputError(f"its axis {name} is of the kind {kind}; known are {', '.join(known)}")
    return known[kind]


def _geometry(
    image: Mapping[str, Any], axes: Sequence[str], units: Sequence[str]
) -> Geometry | None:
    """Scale and translation of the finest level, in the unit of the last axis."""
    scale, origin = np.ones(len(axes)), np.zeros(len(axes))
    steps = [
        *image["datasets"][0].get("coordinateTransformations", ()),
        *image.get("coordinateTransformations", ()),
    ]
    for step in steps:
        if step["type"] == "scale":
            factor = np.asarray(step["scale"], float)
            scale, origin = scale * factor, origin * factor
        elif step["type"] == "translation":
            origin = origin + np.asarray(step["translation"], float)
    if not steps:
        return None
    spatial = [axis for axis, name in enumerate(axes) if name in "zyx"]
    unit = units[-1]
    factors = [_METRES.get(u, 1.0) / _METRES.get(unit, 1.0) if u != unit else 1.0 for u in units]
    flat = 3 - len(spatial)
    return Geometry.scaled(
        [1.0] * flat + list(scale[spatial] * factors),
        [0.0] * flat + list(origin[spatial] * factors),
        unit,
    )


def _stored_geometry(own: Mapping[str, Any]) -> Geometry | None:
    if "affine" not in own:
        return None
    return Geometry(np.asarray(own["affine"], float), own["unit"], own["patient"])
