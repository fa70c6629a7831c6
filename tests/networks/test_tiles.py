from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.data import immunohistochemistry
from torch import nn

from napari_guideme.networks.cancelling import Cancelled, cancellable
from napari_guideme.networks.catalogue import open_network
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.tiles import observe_tiled, tiles
from napari_guideme.networks.watching import watching
from tests import toys

GREY_VOLUME = Preparation(ndim=3, channels=1, value_range="none")


def deep() -> nn.Module:
    """Sees 2 + 3 voxels to each side."""
    return nn.Sequential(
        nn.Conv3d(1, 3, 3, padding=2, dilation=2),
        nn.ReLU(),
        nn.Conv3d(3, 2, 3, padding=3, dilation=3),
    )


@pytest.mark.parametrize(
    ("shape", "halo", "multiple", "largest"),
    [((50,), 3, 1, 20), ((37, 64), 5, 8, 900), ((9, 21, 14), 2, 4, 1000), ((5, 5), 40, 8, 10)],
)
def test_every_pixel_counts_once(shape, halo, multiple, largest):
    counted = np.zeros(shape, int)
    for tile in tiles(shape, halo, multiple, largest):
        counted[tile.counts] += 1
        for run, counts, length in zip(tile.run, tile.counts, shape, strict=True):
            assert run.start % multiple == 0
            assert run.start <= max(counts.start - halo, 0)
            assert run.stop >= min(counts.stop + halo, length)
    assert (counted == 1).all()


def test_a_tile_is_no_larger_than_told_where_the_halo_leaves_room():
    runs = [[s.stop - s.start for s in t.run] for t in tiles((300, 200), 10, 4, 5000)]
    assert len(runs) > 4
    assert max(map(math.prod, runs)) <= 5000


def alive(module: nn.Module) -> nn.Module:
    """Make all weights positive: a dead rectifier would show less than there is."""
    for weights in module.parameters():
        weights.data.abs_()
    return module


@pytest.mark.parametrize(
    ("build", "preparation", "sees"),
    [
        (
            lambda: nn.Sequential(*(nn.Conv2d(n, 2, 3, padding=1) for n in (1, 2, 2))),
            Preparation(channels=1, value_range="none"),
            3,
        ),
        (deep, GREY_VOLUME, 5),
        # A cell of 2 x 2 x 2 voxels sees itself: one voxel further than a voxel of it.
        (toys.Volume, Preparation(ndim=3, channels=1, value_range="none", multiple=2), 1),
        # Output i sees 2 i - 2 to 2 i + 2, and its middle is the edge of pixel 2 i + 1.
        (toys.Chain, Preparation(channels=1, value_range="none"), 3),
    ],
    ids=["stack", "dilated", "strided", "coarse"],
)
def test_the_halo_is_what_a_network_sees_and_at_most_a_pixel_more(build, preparation, sees):
    network = toys.frozen(alive(build()), preparation=preparation)
    assert sees <= network.halo <= sees + 1


def test_a_network_that_sees_everything_has_a_halo_of_half_of_what_was_measured():
    module = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.InstanceNorm2d(2))
    assert 256 <= toys.frozen(module).halo <= 258


def test_a_halo_is_found_where_what_raises_one_class_lowers_the_other(network):
    assert 0 <= network.halo <= 1


def test_a_network_that_noise_leaves_silent_gets_half_of_what_was_measured():
    module = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU())
    with torch.no_grad():
        module[0].bias.fill_(-100)
    assert toys.frozen(module).halo == 256


def test_tiles_of_a_toy_volume_equal_one_pass():
    network = toys.frozen(deep(), preparation=GREY_VOLUME)
    x = torch.rand(1, 1, 31, 27, 40)
    whole, activations = network.observe(x, network.feature_points)
    tiled, kept = observe_tiled(network, x, network.feature_points, largest=20**3)
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)
    for name in network.feature_points:
        torch.testing.assert_close(kept[name], activations[name], atol=1e-5, rtol=0)


def test_too_narrow_a_halo_would_show(monkeypatch):
    network = toys.frozen(deep(), preparation=GREY_VOLUME)
    x = torch.rand(1, 1, 31, 27, 40)
    network.__dict__["halo"] = 2
    tiled, _ = observe_tiled(network, x, (), largest=14**3)
    assert (tiled - network.observe(x)[0]).abs().max() > 1e-3


def test_tiles_of_a_coarse_network_equal_one_pass():
    network = toys.frozen(toys.Chain(), preparation=Preparation(channels=1, value_range="none"))
    x = torch.rand(1, 1, 70, 53)
    tiled, _ = observe_tiled(network, x, (), largest=500)
    torch.testing.assert_close(tiled, network.observe(x)[0], atol=1e-5, rtol=0)


def test_tiles_of_the_bundled_network_equal_one_pass():
    network = open_network("nuclei", device="cpu")
    image = immunohistochemistry()[:, :256].mean(2)[None, None] / 255
    x = torch.from_numpy(image).float().expand(1, network.preparation.channels, -1, -1)
    points = network.feature_points
    whole, activations = network.observe(x, points)
    largest = (2 * network.halo + 130) ** 2
    assert len(list(tiles(x.shape[2:], network.halo, 8, largest))) > 2
    tiled, kept = observe_tiled(network, x, points, largest)
    torch.testing.assert_close(tiled, whole, atol=1e-3, rtol=0)
    for name in points:
        torch.testing.assert_close(kept[name], activations[name], atol=1e-3, rtol=0)


def test_tiles_can_be_cancelled(network):
    from threading import Event

    stopped = Event()
    stopped.set()
    with cancellable(stopped), pytest.raises(Cancelled):
        observe_tiled(network, torch.rand(1, 1, 64, 64), (), largest=100)


def test_every_tile_is_told_to_who_watches(network):
    told = []
    with watching(lambda *counts: told.append(counts)):
        observe_tiled(network, torch.rand(1, 1, 64, 64), (), largest=40**2)
    total = len(told)
    assert total > 3
    assert told == [(number, total) for number in range(1, total + 1)]
    observe_tiled(network, torch.rand(1, 1, 64, 64), (), largest=40**2)
    assert len(told) == total
