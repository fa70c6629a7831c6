"""Levels of lower resolution: labels inside an image have as many as the image has."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from napari_guideme.files.ome_zarr import named_axes, ome_metadata


def add_levels(labels: Any, image: Any, axes: Sequence[str]) -> list[dict[str, Any]]:
    """Make the coarser levels of labels, each voxel that of the finest level nearest to it.

    Parameters
    ----------
    labels, image
        Groups of zarr; the finest level of the labels is complete.
    axes
        Names of the labels' axes.

    Returns
    -------
    What ``datasets`` of the labels has to tell.
    """
    told = ome_metadata(image)["multiscales"][0]
    finest = labels["0"]
    datasets = []
    for level, entry in enumerate(told["datasets"]):
        array = image[entry["path"]]
        names = named_axes(told.get("axes"), array.ndim)
        kept = [names.index(name) for name in axes]
        if level:
            shape = tuple(array.shape[axis] for axis in kept)
            _shrink(labels, str(level), finest, shape)
        steps = [
            {**step, step["type"]: [step[step["type"]][axis] for axis in kept]}
            for step in entry.get("coordinateTransformations", ())
            if step["type"] in ("scale", "translation")
        ]
        whole = [{"type": "scale", "scale": [1.0] * len(kept)}]
        datasets.append({"path": str(level), "coordinateTransformations": steps or whole})
    return datasets


def _shrink(labels: Any, name: str, finest: Any, shape: tuple[int, ...]) -> None:
    """Write a level chunk by chunk."""
    chunks = tuple(min(step, n) for step, n in zip(finest.chunks, shape, strict=True))
    separator = {"name": "v2" if finest.metadata.zarr_format == 2 else "default", "separator": "/"}
    level = labels.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=finest.dtype,
        fill_value=0,
        chunk_key_encoding=separator,
        dimension_names=getattr(finest.metadata, "dimension_names", None),
        overwrite=True,
    )
    nearest = [
        np.floor((np.arange(n) + 0.5) * full / n).astype(int)
        for n, full in zip(shape, finest.shape, strict=True)
    ]
    starts = (range(0, n, step) for n, step in zip(shape, chunks, strict=True))
    for corner in product(*starts):
        part = tuple(slice(s, s + step) for s, step in zip(corner, chunks, strict=True))
        wanted = tuple(index[box] for index, box in zip(nearest, part, strict=True))
        level[part] = finest.oindex[wanted]
