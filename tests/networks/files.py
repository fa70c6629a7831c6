"""Network files made of toys."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from napari_guideme.networks.card import NetworkCard, sidecar, write_card
from tests import toys


def beside_a_card(file: Path, folder: Path, card: NetworkCard) -> Path:
    """Link a network file into a folder, with a card beside it."""
    linked = folder / file.name
    os.symlink(file.resolve(), linked)
    write_card(sidecar(linked), card)
    return linked


def onnx_model(
    nodes: Sequence[Any],
    shape: Sequence[int | str],
    weights: dict[str, np.ndarray] | None = None,
    opset: int = 17,
    **about: Any,
) -> onnx.ModelProto:
    """A model that maps "x" to "y"."""
    graph = helper.make_graph(
        list(nodes),
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(shape))],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **about)


def dark_and_bright(shape: Sequence[int | str] = ("n", 1, "h", "w"), **about: Any) -> Any:
    """Nearly `toys.DarkAndBright`: logits 2 - 2 x and 2 x."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["f"]),
        helper.make_node("Relu", ["f"], ["r"]),
        helper.make_node("Conv", ["r", "e"], ["y"]),
    ]
    weights = {
        "w": np.array([-1, 1], np.float32).reshape(2, 1, 1, 1),
        "b": np.array([1, 0], np.float32),
        "e": 2 * np.eye(2, dtype=np.float32).reshape(2, 2, 1, 1),
    }
    return onnx_model(nodes, shape, weights, **about)


def exported_unet(path: Path) -> torch.nn.Module:
    """Write a U-Net with `torch.export`; return it."""
    module = toys.unet().eval()
    free = torch.export.Dim.AUTO
    program = torch.export.export(
        module, (torch.rand(1, 1, 32, 32),), dynamic_shapes=({2: free, 3: free},)
    )
    torch.export.save(program, path)
    return module


def scripted_unet(path: Path) -> torch.nn.Module:
    """Write a U-Net as TorchScript; return it."""
    module = toys.unet().eval()
    torch.jit.save(torch.jit.trace(module, torch.rand(1, 1, 32, 32)), path)
    return module
