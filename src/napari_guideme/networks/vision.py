"""The only door to torchvision and what needs it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import torch

#: Operators that torchvision describes while it is imported, whether it has them or not.
_DESCRIBED = ("nms", "qnms")


def torchvision(module: str = "torchvision") -> ModuleType:
    """Import torchvision, a module of it, or a package that needs it.

    Without compiled operators (a torchvision built for another torch) its
    import fails, although no segmentation network needs them. They are then
    declared, not implemented, and the import succeeds.
    """
    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        for name in _DESCRIBED:
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )
        import_module("torchvision")
    return import_module(module)
