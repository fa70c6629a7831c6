from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from napari_guideme.networks.click_net import ClickNet
from napari_guideme.networks.frozen import FrozenNetwork
from tests import toys

torch.set_num_threads(1)

SHARED = Path(__file__).resolve().parents[2] / "shared"

#: Where the toy picture has a cell, and where something that the toy network misses.
BRIGHT = np.s_[2:6, 2:6]
DIM = np.s_[10:14, 10:14]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where calibrations are kept: nothing is left in the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where autosaves are kept: nothing is left in the user's own home."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


@pytest.fixture
def shared() -> Path:
    """Data and networks beside the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not here")
    return SHARED


@pytest.fixture
def picture() -> NDArray[np.float32]:
    """16 x 16 pixels with a bright cell, found, and a dim one, missed by a little."""
    pixels = np.zeros((16, 16), dtype=np.float32)
    pixels[BRIGHT], pixels[DIM] = 1.0, 0.45
    return pixels


@pytest.fixture
def network() -> FrozenNetwork:
    """Calls a pixel cell if it is brighter than 0.5; guided at its two features."""
    return toys.frozen(toys.DarkAndBright(), guide_point="relu", name="toy")


@pytest.fixture
def untrained_click_network(tmp_path: Path) -> Path:
    """A file of a network that takes clicks and has learnt nothing yet."""
    path = tmp_path / "untrained.safetensors"
    save_file(ClickNet().state_dict(), path)
    path.with_name("untrained.guideme.toml").write_text(
        """
        classes = ["background", "object"]
        architecture = {name = "click"}
        preparation = {ndim = 2, channels = 3, value_range = "dtype", multiple = 32}
        interaction = {side = 64}
        """
    )
    return path


@pytest.fixture
def meta(monkeypatch: pytest.MonkeyPatch) -> str:
    """A device that computes shapes alone, and refuses what lies on another one."""
    monkeypatch.setattr(
        "napari_guideme.networks.devices.available_devices", lambda: ["cpu", "meta"]
    )
    return "meta"


@pytest.fixture
def cuda() -> str:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return "cuda"
