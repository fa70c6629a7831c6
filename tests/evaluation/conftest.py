from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from imageio import v3 as imageio
from torch import nn

from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.preparation import Preparation

from .toys import network_of

DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """A folder of the shared data by name, or skip."""

    def folder(name: str) -> Path:
        if not (DATA / name).is_dir():
            pytest.skip(f"{DATA / name} is not here")
        return DATA / name

    return folder


@pytest.fixture
def bright() -> FrozenNetwork:
    """Finds what is brighter than 0.5, surely."""
    return network_of(("background", "cell"), weights=[0.0, 10.0], biases=[0.0, -5.0])


@pytest.fixture
def bordered() -> FrozenNetwork:
    """Dark is background, mid-grey (about 0.5) border, bright nucleus."""
    return network_of(
        ("background", "nucleus", "border"), "border", [0.0, 20.0, 10.0], [0.0, -12.0, -4.0]
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write arrays, by path below a folder; return the folder."""

    def files(**arrays: np.ndarray) -> Path:
        for name, pixels in arrays.items():
            folder, _, rest = name.partition("__")
            stem, _, suffix = rest.rpartition("_")
            (tmp_path / folder).mkdir(exist_ok=True)
            imageio.imwrite(tmp_path / folder / f"{stem}.{suffix}", pixels)
        return tmp_path

    return files


@pytest.fixture
def deep() -> FrozenNetwork:
    """Calls a voxel cell if it is brighter than 0.5; takes volumes."""
    convolution = nn.Conv3d(1, 2, 1)
    with torch.no_grad():
        convolution.weight.view(-1).copy_(torch.tensor([0.0, 10.0]))
        convolution.bias.copy_(torch.tensor([0.0, -5.0]))
    preparation = Preparation(ndim=3, channels=1, value_range="none")
    return FrozenNetwork(convolution, ("background", "cell"), preparation, device="cpu")
