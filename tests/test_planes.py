from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import torch

from napari_guideme import planes as module
from napari_guideme.errors import InputError
from napari_guideme.networks.preparation import Preparation
from napari_guideme.planes import KEPT, Planes
from tests import toys

SHAPE = (9, 12, 10)


class Counted:
    """A volume on a disk, so to say: tells what was read of it."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.read = pixels, []
        self.shape, self.dtype, self.ndim = pixels.shape, pixels.dtype, pixels.ndim

    def __getitem__(self, where):
        self.read.append(where)
        return self.pixels[where]

    def __array__(self, *told, **options):
        raise AssertionError("all of it was read")


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).random(SHAPE, dtype=np.float32)


@pytest.fixture
def volumes():
    """Coarse inside, for volumes of even sides."""
    preparation = Preparation(ndim=3, channels=1, value_range="none", multiple=2)
    return toys.frozen(toys.with_statistics(toys.Volume()), preparation=preparation)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_a_slice_is_an_image_of_its_own(network, pixels, axis):
    planes = Planes(pixels, network, axis=axis)
    assert len(planes) == SHAPE[axis]
    assert planes.shape == tuple(np.delete(SHAPE, axis))
    for index in (0, 4, len(planes) - 1):
        logits = planes.scene(index).logits[1].numpy()
        np.testing.assert_array_equal(logits, pixels.take(index, axis))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("channel_axis", [0, 1, 2, 3, -1])
def test_channels_may_lie_along_any_axis(network, pixels, axis, channel_axis):
    channels = np.stack([0 * pixels, pixels], channel_axis)
    planes = Planes(channels, network, axis=axis, channel_axis=channel_axis, channels=[1])
    assert planes.volume_shape == SHAPE
    np.testing.assert_array_equal(planes.scene(3).logits[1], pixels.take(3, axis))


def test_only_the_slices_that_are_asked_for_are_read(network, pixels):
    volume = Counted(pixels)
    planes = Planes(volume, network, axis=1)
    assert volume.read == []
    for index in (5, 5, 2, 5):
        assert len(planes.scene(index).logits) == 2
    assert volume.read == [(slice(None), index, slice(None)) for index in (5, 2)]


def test_dask_computes_only_the_chunks_of_a_slice(network, pixels):
    computed = []

    def block(block_info=None):
        at = block_info[None]["array-location"]
        computed.append(at[0][0])
        return pixels[tuple(slice(*where) for where in at)]

    volume = da.map_blocks(block, chunks=((1,) * 9, (12,), (10,)), dtype=np.float32)
    planes = Planes(volume, network)
    computed.clear()
    np.testing.assert_array_equal(planes.scene(6).logits[1], pixels[6])
    assert computed == [6]


def test_few_slices_are_kept(network, pixels):
    volume = Counted(pixels)
    planes = Planes(volume, network)
    first = planes.scene(0)
    for index in range(1, KEPT):
        planes.scene(index)
    assert planes.scene(0) is first
    for index in range(5, 5 + KEPT):
        planes.scene(index)
    assert len(planes._kept) == KEPT
    assert planes.scene(0) is not first


@pytest.mark.parametrize("axis", range(3))
def test_a_network_of_three_axes_sees_the_whole_volume(volumes, pixels, axis):
    from napari_guideme.guidance.scene import Scene

    whole = Scene(volumes, pixels).logits
    planes = Planes(pixels, volumes, axis=axis)
    for index in range(len(planes)):
        assert torch.equal(planes.scene(index).logits, whole.select(axis + 1, index))


@pytest.mark.parametrize("multiple", [2, 8])
@pytest.mark.parametrize("fitting", [9, 12, 13, 22])
def test_slabs_equal_the_whole_volume(pixels, monkeypatch, fitting, multiple):
    """Slabs begin where the cells of a coarse network begin."""
    from napari_guideme.guidance.scene import Scene

    preparation = Preparation(ndim=3, channels=1, value_range="standardised", multiple=multiple)
    network = toys.frozen(toys.with_statistics(toys.Volume()), preparation=preparation)
    volume = np.random.default_rng(1).random((41, 6, 8), dtype=np.float32)
    monkeypatch.setattr(module, "LARGEST", fitting * 48)
    monkeypatch.setattr(module, "SLAB", 3)
    whole = Scene(network, volume, preparation=preparation.measured(volume)).logits
    planes = Planes(volume, network)
    for index in range(41):
        torch.testing.assert_close(
            planes.scene(index).logits, whole[:, index], atol=1e-5, rtol=0, msg=f"slice {index}"
        )


def test_a_slab_is_run_once_and_only_it_is_read(volumes, monkeypatch):
    volume = Counted(np.random.default_rng(1).random((80, 6, 8), dtype=np.float32))
    monkeypatch.setattr(module, "LARGEST", 24 * 48)
    planes = Planes(volume, volumes)
    volume.read.clear()
    for index in (40, 41, 43):
        assert len(planes.scene(index).logits) == 2
    (where,) = volume.read
    assert where[0].start <= 38
    assert where[0].stop - where[0].start <= 24


@pytest.mark.parametrize(
    ("axis", "thickness"), [(0, 2 / 0.5), (1, 0.5 / 1), (2, 0.5 / 1)], ids=["z", "y", "x"]
)
def test_thickness_is_in_pixels_of_the_plane(network, pixels, axis, thickness):
    planes = Planes(pixels, network, axis=axis, spacing=(2, 0.5, 0.5))
    assert planes.thickness == pytest.approx(thickness)


@pytest.mark.parametrize(
    ("shape", "options", "says"),
    [
        ((4, 5), {}, "three spatial axes"),
        ((2, 3, 4, 5), {}, "name its channel axis"),
        ((3, 4, 5), {"axis": 3}, "no axis 3; choose 0, 1 or 2"),
        ((3, 4, 5), {"channel_axis": 3}, "no channel axis 3"),
        ((3, 4, 5), {"channel_axis": 0}, "has 2"),
        ((3, 4, 5), {"spacing": (1, 0, 1)}, "3 positive numbers"),
        ((3, 4, 5), {"spacing": (1, 1)}, "3 positive numbers"),
        ((3, 4, 5), {"spacing": (1, np.nan, 1)}, "3 positive numbers"),
        ((3, 4, 5), {"point": "nowhere"}, "unknown guide point"),
    ],
)
def test_bad_input(network, shape, options, says):
    with pytest.raises(InputError, match=says):
        Planes(np.zeros(shape, np.float32), network, **options).scene(0)


@pytest.mark.parametrize("index", [-1, 9])
def test_there_is_no_such_slice(network, pixels, index):
    with pytest.raises(InputError, match=f"no slice {index}; choose 0 to 8"):
        Planes(pixels, network).scene(index)
