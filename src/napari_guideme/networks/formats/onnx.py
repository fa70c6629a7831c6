"""ONNX files, as a differentiable torch graph by onnx2torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_guideme.errors import InputError
from napari_guideme.files import first_line
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.formats.told import shape_of, told

if TYPE_CHECKING:
    from torch import nn


def guess(path: Path) -> NetworkCard:
    """What the graph's input and the file's metadata tell."""
    model = _read(path)
    shape = shape_of(_dimensions(path, _inputs(path, model)[0]))
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return told(metadata, model.doc_string or model.graph.doc_string, shape)


def load(path: Path, card: NetworkCard) -> nn.Module:
    """Convert the graph."""
    from napari_guideme.networks.formats.onnx_lowering import lowered
    from napari_guideme.networks.formats.onnx_operators import is_ours, unsupported
    from napari_guideme.networks.vision import torchvision

    model = _read(path, with_weights=True)
    try:
        model = lowered(model, is_ours)
        if names := unsupported(model):
            raise InputError(f"operators that are not supported: {', '.join(names)}")
        module: nn.Module = torchvision("onnx2torch").convert(model)
    except Exception as error:
        # Foreign code; what it meets in a file of unknown origin can be anything.
        raise InputError(f"{path.name} cannot be converted: {first_line(error)}") from error
    return module


def _read(path: Path, *, with_weights: bool = False) -> Any:
    import onnx
    from onnx.external_data_helper import load_external_data_for_model

    try:
        model = onnx.load(path, load_external_data=False)
        _inputs(path, model)
        if with_weights:
            # This refuses paths that leave the folder.
            load_external_data_for_model(model, str(path.parent))
            onnx.checker.check_model(model)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path.name} is not a readable ONNX file: {first_line(error)}") from error
    return model


def _inputs(path: Path, model: Any) -> list[Any]:
    """The graph's inputs; old files list their weights among them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1 or not model.graph.output:
        raise InputError(f"{path.name} has {len(inputs)} inputs; networks here have one")
    return inputs


def _dimensions(path: Path, value: Any) -> list[int | None]:
    """Length of every axis, `None` where it is free."""
    dims = value.type.tensor_type.shape.dim
    if len(dims) not in (0, 4, 5):
        raise InputError(
            f"{path.name} takes an input of {len(dims)} axes; networks here take "
            "(N, C, H, W) or (N, C, D, H, W)"
        )
    return [d.dim_value if d.dim_value > 0 else None for d in dims]
