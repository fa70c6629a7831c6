"""Writing tensors."""

from __future__ import annotations

import os

import pytest
import torch
from safetensors import safe_open
from torch import nn

from napari_guideme.errors import InputError
from napari_guideme.files.tensors import halved, write_tensors


def test_what_is_written_is_read_by_others(tmp_path):
    path = tmp_path / "a.safetensors"
    network = nn.BatchNorm2d(3)
    before = os.umask(0o022)
    try:
        write_tensors(path, halved(network), {"about": "a norm"})
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"about": "a norm"}
        assert file.get_tensor("weight").dtype == torch.float16
        # A count stays a whole number.
        assert file.get_tensor("num_batches_tracked").dtype == torch.int64


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        write_tensors(tmp_path / "none" / "a.safetensors", {"a": torch.zeros(1)})
