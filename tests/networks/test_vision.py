from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["onnx2torch.node_converters.registry", "torchvision.models"])
def test_torchvision_is_imported_with_or_without_its_operators(module):
    """In a fresh interpreter, whichever module is asked for first."""
    code = (
        "from napari_guideme.networks.vision import torchvision\n"
        f"torchvision({module!r})\n"
        "from onnx2torch.node_converters.registry import get_converter\n"
        "get_converter('Transpose', 13)\n"
        "print(torchvision('torchvision.models').get_model("
        "'lraspp_mobilenet_v3_large', weights=None, weights_backbone=None).__class__.__name__)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "LRASPP", result.stderr
