"""NRRD, attached and detached, by pynrrd."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.files.geometry import LPS, REVERSED, Geometry
from napari_guideme.files.picture import Picture
from napari_guideme.files.whole import optional, output_errors, write_whole

NRRD = (".nrrd", ".nhdr")

#: What brings a space of NRRD to right-anterior-superior.
_SPACES = {
    "right-anterior-superior": np.eye(4),
    "ras": np.eye(4),
    "left-posterior-superior": LPS,
    "lps": LPS,
    "left-anterior-superior": np.diag([-1.0, 1.0, 1.0, 1.0]),
    "las": np.diag([-1.0, 1.0, 1.0, 1.0]),
}

_UNITS = {"mm": "millimeter", "um": "micrometer", "µm": "micrometer", "m": "meter"}

#: Kinds of axes along which volumes follow each other; others beside space are channels.
_FOLLOWING = ("time", "list")


def read_nrrd(path: Path) -> Picture:
    """Read an NRRD file."""
    nrrd = library()
    pixels, header = nrrd.read(str(path), index_order="C")
    spatial = _spatial(header, pixels.ndim)[::-1]
    if sum(spatial) > 3:
        raise InputError(f"{sum(spatial)} of its axes lie in space, which has three")
    kinds = list(header.get("kinds", ()))[::-1]
    timed = _space(header)[1]
    names = iter("zyx"[3 - sum(spatial) :])
    axes = tuple(
        next(names) if here else "t" if timed or (kinds and kinds[axis] in _FOLLOWING) else "c"
        for axis, here in enumerate(spatial)
    )
    if len(set(axes)) < len(axes):
        raise InputError(f"it has {len(axes)} axes, kinds {', '.join(kinds) or 'not told'}")
    return Picture(pixels, axes, _geometry(header, spatial), "an NRRD file", private=True)


def write_nrrd(path: Path, labels: NDArray[np.integer], like: Picture) -> None:
    """Write labels in the space of their image; a detached header comes after its data."""
    nrrd = library()
    header = _header(labels.ndim, like.geometry or Geometry.scaled((1.0, 1.0, 1.0)))
    labels = np.ascontiguousarray(labels)
    if path.suffix.lower() != ".nhdr":
        write_whole(path, lambda new: nrrd.write(str(new), labels, header, index_order="C"))
        return
    # The name tells the content, so that an old header never meets new data.
    digest = hashlib.sha256(labels.tobytes()).hexdigest()[:12]
    data = path.with_name(f"{path.stem}-{digest}.raw.gz")

    def save(new: Path) -> None:
        new.mkdir()
        nrrd.write(
            str(new / data.name.replace(".raw.gz", ".nhdr")),
            labels,
            header,
            detached_header=True,
            index_order="C",
        )

    aside = path.with_name(f".{data.stem}")
    write_whole(aside, save)
    with output_errors(path):
        (aside / data.name).replace(data)
        old = _own_data(path)
        (aside / data.name.replace(".raw.gz", ".nhdr")).replace(path)
        aside.rmdir()
        if old is not None and old != data:
            old.unlink(missing_ok=True)


def _own_data(path: Path) -> Path | None:
    """The data that a detached header names, if they were written by :func:`write_nrrd`."""
    try:
        header = library().read_header(str(path))
    except Exception:
        # There is no header, or none that can be read.
        return None
    name = str(header.get("data file", header.get("datafile", "")))
    ours = re.fullmatch(rf"{re.escape(path.stem)}-[0-9a-f]{{12}}\.raw\.gz", name)
    return path.with_name(name) if ours else None


def library() -> Any:
    """Import pynrrd."""
    return optional("nrrd", "medical", "NRRD files")


def _spatial(header: dict[str, Any], ndim: int) -> list[bool]:
    """Which axes of the file lie in space."""
    if "space directions" in header:
        return [row is not None for row in _directions(header)]
    kinds = header.get("kinds")
    if kinds:
        return [kind in ("domain", "space") for kind in kinds]
    if ndim > 3:
        raise InputError(f"it has {ndim} axes and does not tell which of them lie in space")
    return [True] * ndim


def _space(header: dict[str, Any]) -> tuple[str, bool]:
    """Name of the space of a file without time, and whether time is a part of it."""
    name = str(header.get("space", "")).lower()
    if name.endswith("-time"):
        return name.removesuffix("-time"), True
    short = name[:3] in _SPACES and name[3:] == "t"
    return (name[:3], True) if short else (name, False)


def _directions(header: dict[str, Any]) -> list[NDArray[np.float64] | None]:
    """Where each axis of the file leads in space, ``None`` of those that do not lie there."""
    rows = [np.full(3, np.nan) if r is None else r for r in header["space directions"]]
    told = [np.asarray(row, float) for row in rows]
    if _space(header)[1]:
        told = [row[:3] if row[:3].any() else np.full(3, np.nan) for row in told]
    return [None if np.isnan(row).all() else row for row in told]


def _geometry(header: dict[str, Any], spatial: list[bool]) -> Geometry | None:
    unit = next(iter(header.get("space units", header.get("units", ()))), "")
    unit = _UNITS.get(unit, unit)
    if "space directions" not in header:
        sizes = header.get("spacings")
        if sizes is None:
            return None
        told = [s for s, here in zip(sizes[::-1], spatial, strict=True) if here]
        return Geometry.scaled([1.0] * (3 - len(told)) + told, unit=unit)
    rows = [row for row in _directions(header)[::-1] if row is not None]
    origin = np.asarray(header.get("space origin", np.zeros(3)), float)[:3]
    if len(rows) == 2 and len(rows[0]) == 2:
        rows, origin = [np.append(row, 0.0) for row in rows], np.append(origin[:2], 0.0)
    if len(rows) == 2 and len(rows[0]) == 3:
        normal = np.cross(rows[0], rows[1])
        rows.insert(0, normal / np.sqrt(np.linalg.norm(normal)))
    if len(rows) != 3 or len(rows[0]) != 3:
        return None
    affine = np.eye(4)
    affine[:3, :3] = np.stack(rows, axis=1)
    affine[:3, 3] = origin
    turned = _SPACES.get(_space(header)[0])
    if turned is None:
        return Geometry(affine, unit)
    return Geometry(turned @ affine, unit or "millimeter", patient=True)


def _header(ndim: int, geometry: Geometry) -> dict[str, Any]:
    """Fields that place labels in space: the first axis of the file is the column."""
    affine = LPS @ geometry.affine if geometry.patient else geometry.affine
    directions = (affine @ REVERSED)[:3, :ndim].T if ndim <= 3 else None
    header: dict[str, Any] = {"kinds": ["domain"] * ndim, "encoding": "gzip"}
    if directions is None:
        return header
    space: dict[str, Any] = {"space": "left-posterior-superior"}
    if not geometry.patient:
        space = {"space dimension": 3}
    if unit := {"millimeter": "mm", "micrometer": "um", "meter": "m"}.get(geometry.unit):
        space["space units"] = [unit] * 3
    return {**header, **space, "space directions": directions, "space origin": affine[:3, 3]}
