"""Operators that onnx2torch lacks or reads wrongly, added through its own registry."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_guideme.networks.formats.onnx_lowering import OURS, attributes
from napari_guideme.networks.vision import torchvision


class DepthToSpace(nn.Module):
    """Channels to pixels, blocks outermost (DCR): (N, r·r·C, H, W) to (N, C, r·H, r·W)."""

    def __init__(self, blocksize: int) -> None:
        super().__init__()
        self.blocksize = blocksize

    def forward(self, x: Tensor) -> Tensor:
        """Rearrange."""
        n, channels, height, width = x.shape
        r = self.blocksize
        blocks = x.reshape(n, r, r, channels // r**2, height, width)
        return blocks.permute(0, 3, 4, 1, 5, 2).reshape(n, -1, height * r, width * r)


class SpaceToDepth(nn.Module):
    """Pixels to channels, blocks outermost: (N, C, r·H, r·W) to (N, r·r·C, H, W)."""

    def __init__(self, blocksize: int) -> None:
        super().__init__()
        self.blocksize = blocksize

    def forward(self, x: Tensor) -> Tensor:
        """Rearrange."""
        n, channels, height, width = x.shape
        r = self.blocksize
        blocks = x.reshape(n, channels, height // r, r, width // r, r)
        return blocks.permute(0, 3, 5, 1, 2, 4).reshape(n, -1, height // r, width // r)


class CastLike(nn.Module):
    """The type of another tensor."""

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        """Convert."""
        return x.to(like.dtype)


class GlobalMaxPool(nn.Module):
    """Largest value of every channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Pool all spatial axes, which keep length 1."""
        return x.amax(tuple(range(2, x.ndim)), keepdim=True)


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
        """Cut; a negative step, which tensors do not know, picks by index."""
        which = list(range(len(starts))) if axes is None else axes.tolist()
        strides = [1] * len(which) if steps is None else steps.tolist()
        for axis, start, end, step in zip(
            which, starts.tolist(), ends.tolist(), strides, strict=True
        ):
            # A large negative end means: down to the first one.
            stop = None if step < 0 and end < -x.shape[axis] else end
            chosen = range(x.shape[axis])[start:stop:step]
            if step > 0:
                x = x[(slice(None),) * (axis % x.ndim) + (slice(start, stop, step),)]
            else:
                x = x.index_select(axis, torch.tensor(list(chosen), device=x.device))
        return x


class Pad(nn.Module):
    """Padding by numbers that are an input: all begins, then all ends."""

    def __init__(self, mode: str = "constant") -> None:
        super().__init__()
        self.mode = {"edge": "replicate", "wrap": "circular"}.get(mode, mode)

    def forward(
        self, x: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None
    ) -> Tensor:
        """Pad; torch counts axes from the last one."""
        which = range(x.ndim) if axes is None else axes.tolist()
        begins, ends = pads.view(2, -1).tolist()
        widths = {axis % x.ndim: (b, e) for axis, b, e in zip(which, begins, ends, strict=True)}
        first = min((axis for axis, width in widths.items() if any(width)), default=x.ndim)
        flat = [n for axis in range(x.ndim - 1, first - 1, -1) for n in widths.get(axis, (0, 0))]
        if not flat:
            return x
        fill = value.item() if self.mode == "constant" and value is not None else None
        return F.pad(x, flat, self.mode, fill)


class Resize(nn.Module):
    """Interpolation to sizes, or by scales, that are inputs."""

    def __init__(self, mode: str, align_corners: bool | None) -> None:
        super().__init__()
        self.mode = mode
        self.align_corners = align_corners

    def forward(
        self,
        x: Tensor,
        roi: Tensor | None = None,
        scales: Tensor | None = None,
        sizes: Tensor | None = None,
    ) -> Tensor:
        """Interpolate the spatial axes."""
        linear = ("linear", "bilinear", "trilinear")[x.ndim - 3]
        mode = linear if self.mode == "linear" else self.mode
        if sizes is not None and sizes.numel():
            return F.interpolate(x, sizes.tolist()[2:], mode=mode, align_corners=self.align_corners)
        assert scales is not None
        return F.interpolate(
            x, scale_factor=scales.tolist()[2:], mode=mode, align_corners=self.align_corners
        )


def _depth_to_space(values: dict[str, Any]) -> nn.Module | None:
    is_dcr = values.get("mode", "DCR") == "DCR"
    return DepthToSpace(values["blocksize"]) if is_dcr else nn.PixelShuffle(values["blocksize"])


def _resize(values: dict[str, Any]) -> nn.Module | None:
    """Find torch's name for a way to interpolate; `None` if it has none."""
    mode = values.get("mode", "nearest")
    place = values.get("coordinate_transformation_mode", "half_pixel")
    rounding = values.get("nearest_mode", "round_prefer_floor")
    if values.get("antialias") or values.get("exclude_outside") or "axes" in values:
        return None
    if mode == "nearest":
        if place == "asymmetric" and rounding == "floor":
            return Resize("nearest", None)
        exact = place in ("half_pixel", "pytorch_half_pixel") and rounding.startswith("round")
        if exact or (place == "tf_half_pixel_for_nn" and rounding == "floor"):
            return Resize("nearest-exact", None)
        return None
    if place not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        return None
    return Resize("bicubic" if mode == "cubic" else "linear", place == "align_corners")


_BUILDERS: dict[str, Callable[[dict[str, Any]], nn.Module | None]] = {
    "CastLike": lambda values: CastLike(),
    "DepthToSpace": _depth_to_space,
    "GlobalMaxPool": lambda values: GlobalMaxPool(),
    "Pad": lambda values: Pad(values.get("mode", "constant")),
    "Resize": _resize,
    "Slice": lambda values: Slice(),
    "SpaceToDepth": lambda values: SpaceToDepth(values["blocksize"]),
    "Swish": lambda values: nn.SiLU(),
}


def is_ours(node: Any) -> bool:
    """Whether a converter of ours is for a node."""
    return node.op_type in _BUILDERS


def unsupported(model: Any) -> list[str]:
    """Operators for which there is no converter, by name."""
    _register()
    registry = torchvision("onnx2torch.node_converters.registry")
    versions = {entry.domain: entry.version for entry in model.opset_import}
    missing = set()
    for node in model.graph.node:
        if node.domain == OURS:
            if _BUILDERS[node.op_type](attributes(node)) is None:
                missing.add(f"{node.op_type} with {_settings(node)}")
            continue
        try:
            registry.get_converter(node.op_type, versions.get(node.domain, 1), node.domain)
        except NotImplementedError:
            missing.add(f"{node.domain}.{node.op_type}" if node.domain else node.op_type)
    return sorted(missing)


def _settings(node: Any) -> str:
    return ", ".join(f"{key}={value}" for key, value in attributes(node).items())


@cache
def _register() -> None:
    registry = torchvision("onnx2torch.node_converters.registry")
    common = torchvision("onnx2torch.utils.common")

    def converter(node: Any, graph: Any) -> Any:
        return common.OperationConverterResult(
            torch_module=_BUILDERS[node.operation_type](dict(node.attributes)),
            onnx_mapping=common.onnx_mapping_from_node(node),
        )

    for name in _BUILDERS:
        registry.add_converter(name, version=1, domain=OURS)(converter)
