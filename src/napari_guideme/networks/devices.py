"""Where to compute."""

from __future__ import annotations

import torch

from napari_guideme.errors import InputError


def available_devices() -> list[str]:
    """Names of the devices of this machine, the fastest first."""
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


def choose_device(name: str = "auto") -> torch.device:
    """Find the device of that name; ``"auto"`` takes CUDA, else MPS, else the CPU."""
    available = available_devices()
    if name == "auto":
        return torch.device(available[0])
    if name in available or f"{name}:0" in available:
        return torch.device(name)
    raise InputError(f"device {name!r} is not here; choose auto, {', '.join(available)}")
