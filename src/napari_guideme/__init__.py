"""Make a frozen segmentation network listen: clicks and scribbles refine its result.

Public names are loaded when first used, so that ``import napari_guideme`` loads
neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_guideme.errors import InputError
    from napari_guideme.guidance.saved import SavedGuidance
    from napari_guideme.hints import Click, Hints, Scribble
    from napari_guideme.networks.card import NetworkCard
    from napari_guideme.networks.catalogue import catalogue, open_network
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.networks.preparation import Preparation
    from napari_guideme.object_session import ObjectSession
    from napari_guideme.referring.expressions import Expression, expressions
    from napari_guideme.referring.following import follow
    from napari_guideme.referring.opening import open_referring
    from napari_guideme.referring.see_through_text import SeeThroughText
    from napari_guideme.session import GuideSession
    from napari_guideme.volumes import VolumeSession, carry_outlines

__version__ = "0.1.0"

_HOMES = {
    "Click": "hints",
    "Expression": "referring.expressions",
    "FrozenNetwork": "networks.frozen",
    "GuideSession": "session",
    "Hints": "hints",
    "InputError": "errors",
    "NetworkCard": "networks.card",
    "ObjectSession": "object_session",
    "Preparation": "networks.preparation",
    "SavedGuidance": "guidance.saved",
    "Scribble": "hints",
    "SeeThroughText": "referring.see_through_text",
    "VolumeSession": "volumes",
    "carry_outlines": "volumes",
    "catalogue": "networks.catalogue",
    "expressions": "referring.expressions",
    "follow": "referring.following",
    "open_network": "networks.catalogue",
    "open_referring": "referring.opening",
}

__all__ = [
    "Click",
    "Expression",
    "FrozenNetwork",
    "GuideSession",
    "Hints",
    "InputError",
    "NetworkCard",
    "ObjectSession",
    "Preparation",
    "SavedGuidance",
    "Scribble",
    "SeeThroughText",
    "VolumeSession",
    "carry_outlines",
    "catalogue",
    "expressions",
    "follow",
    "open_network",
    "open_referring",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
