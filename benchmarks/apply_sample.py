"""What the benchmarks of `apply` are run on: a saved correction, and images made on the fly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray
from skimage.data import immunohistochemistry

from napari_guideme import Click, GuideSession, open_network
from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.saved import Corrected, SavedGuidance


def picture() -> NDArray[np.uint8]:
    """A stained tissue in grey, 512 x 512."""
    grey: NDArray[np.uint8] = immunohistochemistry().mean(2).astype(np.uint8)
    return grey


def save_guidance(path: Path, clicks: int = 10) -> None:
    """Correct the picture at random pixels and save the correction."""
    network = open_network("nuclei", "cpu")
    session = GuideSession(picture(), network)
    random = np.random.default_rng(0)
    for _ in range(clicks):
        at = tuple(int(i) for i in random.integers(0, 512, 2))
        session.add(Click(at, "background" if session.labels()[at] else "nucleus"))
        for _ in session.refine():
            pass
    scene, support = session._scene, session._state.guidance.support
    assert support is not None
    corrected = Corrected(0, Anchors.of(scene, support), session.hints)
    SavedGuidance.of(scene, session.method, [corrected]).save(path)


def write_volume(path: Path, planes: int, side: int) -> None:
    """Write an OME-Zarr of a real plane and of many that nobody stored.

    A chunk that is not there counts as filled with one value: all planes are read and
    worked on in full size, but the disk holds only every sixteenth.
    """
    axes = [{"name": name, "type": "space"} for name in "zyx"]
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": []}]}
    group = zarr.create_group(path, zarr_format=3)
    group.attrs.update({"ome": {"version": "0.5", "multiscales": [image]}})
    plane = np.tile(picture(), (-(-side // 512),) * 2)[:side, :side]
    array = group.create_array(
        "0", shape=(planes, side, side), chunks=(1, side, side), dtype=np.uint8, fill_value=200
    )
    for index in range(0, min(planes, 1024), 16):
        array[index] = np.roll(plane, index, axis=1)
