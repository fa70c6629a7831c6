from __future__ import annotations

import re

import pytest
import torch

from napari_guideme.errors import InputError
from napari_guideme.networks.devices import available_devices, choose_device


@pytest.mark.parametrize(
    ("gpus", "mps", "available", "allowed"),
    [
        (0, False, ["cpu"], {"auto": "cpu", "cpu": "cpu"}),
        (0, True, ["mps", "cpu"], {"auto": "mps", "mps": "mps", "cpu": "cpu"}),
        (
            2,
            False,
            ["cuda:0", "cuda:1", "cpu"],
            {"auto": "cuda:0", "cuda": "cuda", "cuda:1": "cuda:1", "cpu": "cpu"},
        ),
    ],
)
@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "cuda:1", "cuda:2", "mps", "gpu", ""])
def test_a_device_is_chosen(monkeypatch, gpus, mps, available, allowed, name):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert available_devices() == available
    if name in allowed:
        assert choose_device(name) == torch.device(allowed[name])
    else:
        told = re.escape(f"{name!r} is not here; choose auto, {', '.join(available)}")
        with pytest.raises(InputError, match=told):
            choose_device(name)
