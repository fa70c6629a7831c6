"""Networks that can be built by name, for files that hold nothing but weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from napari_guideme.errors import InputError
from napari_guideme.networks.vision import torchvision

if TYPE_CHECKING:
    from torch import nn

_OURS = ("unet", "click")


def build(architecture: Mapping[str, Any]) -> nn.Module:
    """Build a network without weights from its name and plain arguments.

    Raises
    ------
    InputError
        If the name is unknown (the message lists those there are) or the
        arguments do not fit.
    """
    arguments = dict(architecture)
    name = str(arguments.pop("name", ""))
    try:
        return _builder(name)(**arguments)
    except (TypeError, ValueError) as error:
        raise InputError(f"the architecture {name} does not take {arguments}: {error}") from error


def segmentation_names() -> list[str]:
    """Names of torchvision's segmentation networks."""
    models = torchvision("torchvision.models")
    names: list[str] = models.list_models(module=models.segmentation)
    return names


def _builder(name: str) -> Callable[..., nn.Module]:
    if name == "unet":
        from napari_guideme.networks.unet import UNet

        return UNet
    if name == "click":
        from napari_guideme.networks.click_net import ClickNet

        return ClickNet
    known = segmentation_names()
    if name not in known:
        raise InputError(
            f"unknown architecture {name!r}; choose one of {', '.join([*_OURS, *known])}"
        )

    def builder(**arguments: Any) -> nn.Module:
        # Nothing is downloaded: the weights come from the file.
        whole = {"weights": None, "weights_backbone": None, **arguments}
        module: nn.Module = torchvision("torchvision.models").get_model(name, **whole)
        return module

    return builder
