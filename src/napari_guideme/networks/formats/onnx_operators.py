"""Operators that onnx2torch lacks or reads too strictly, by its own registry."""

from __future__ import annotations

from functools import cache
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from napari_guideme.networks.vision import torchvision

#: Our converters have a domain of their own, so that they do not depend on which
#: versions of an operator onnx2torch has.
_DOMAIN = "napari_guideme"


class DepthToSpace(nn.Module):
    """Channels to pixels, the blocks outermost (DCR): (N, r·r·C, H, W) to (N, C, r·H, r·W)."""

    def __init__(self, blocksize: int) -> None:
        super().__init__()
        self.blocksize = blocksize

    def forward(self, x: Tensor) -> Tensor:
        """Rearrange."""
        n, channels, height, width = x.shape
        r = self.blocksize
        blocks = x.reshape(n, r, r, channels // r**2, height, width)
        return blocks.permute(0, 3, 4, 1, 5, 2).reshape(n, -1, height * r, width * r)


class Slice(nn.Module):
    """A slice with starts, ends, axes and steps as inputs."""

    def forward(
        self,
        x: Tensor,
        starts: Tensor,
        ends: Tensor,
        axes: Tensor | None = None,
        steps: Tensor | None = None,
    ) -> Tensor:
        """Cut."""
        which = range(len(starts)) if axes is None else axes.tolist()
        strides = [1] * len(starts) if steps is None else steps.tolist()
        index = [slice(None)] * x.ndim
        turned = []
        for axis, start, end, step in zip(
            which, starts.tolist(), ends.tolist(), strides, strict=True
        ):
            if step < 0:
                # Tensors have no negative steps: turn the axis round.
                turned.append(axis)
                length = x.shape[axis]
                chosen = (
                    range(length)[start:end:step] if end >= -length else range(length)[start::step]
                )
                index[axis] = list(chosen)
            else:
                index[axis] = slice(start, end, step)
        return x[tuple(index)]


def prepared(model: Any) -> Any:
    """Return the model with the operators that are ours in our domain, shapes inferred."""
    model = onnx.shape_inference.infer_shapes(model)
    for node in model.graph.node:
        if node.domain in ("", "ai.onnx") and _is_ours(node):
            node.domain = _DOMAIN
    model.opset_import.append(onnx.helper.make_opsetid(_DOMAIN, 1))
    _register()
    return model


def unsupported(model: Any) -> list[str]:
    """Names of the operators for which there is no converter."""
    registry = torchvision("onnx2torch.node_converters.registry")
    versions = {entry.domain: entry.version for entry in model.opset_import}
    missing = set()
    for node in model.graph.node:
        try:
            registry.get_converter(node.op_type, versions.get(node.domain, 1), node.domain)
        except NotImplementedError:
            missing.add(f"{node.domain or 'ai.onnx'} {node.op_type}")
    return sorted(missing)


def _is_ours(node: Any) -> bool:
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "DepthToSpace":
        return attributes.get("mode", b"DCR") == b"DCR"
    return False


@cache
def _register() -> None:
    registry = torchvision("onnx2torch.node_converters.registry")
    common = torchvision("onnx2torch.utils.common")

    @registry.add_converter("DepthToSpace", version=1, domain=_DOMAIN)
    def _(node: Any, graph: Any) -> Any:
        return common.OperationConverterResult(
            torch_module=DepthToSpace(node.attributes["blocksize"]),
            onnx_mapping=common.onnx_mapping_from_node(node),
        )
