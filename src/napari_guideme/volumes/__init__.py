"""Volumes: correct one slice, and the correction goes on as far as it still fits."""

from napari_guideme.volumes.onward import EXTENTS
from napari_guideme.volumes.outlines import CarriedOutline, carry_outlines
from napari_guideme.volumes.session import KEPT, VolumeSession
from napari_guideme.volumes.states import CarriedStep, SliceState

__all__ = [
    "EXTENTS",
    "KEPT",
    "CarriedOutline",
    "CarriedStep",
    "SliceState",
    "VolumeSession",
    "carry_outlines",
]
