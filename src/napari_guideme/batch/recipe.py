"""What is done to every image, and the tools that a worker opens once for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import torch

from napari_guideme.errors import InputError
from napari_guideme.guidance.saved import SavedGuidance
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.catalogue import catalogue, open_network
from napari_guideme.networks.frozen import FrozenNetwork

#: What labels depend on besides guidance, network and image.
_SETTINGS = ("series", "axis", "same_volume", "instances", "channel_axis", "channels", "volume")


@dataclass(frozen=True)
class Recipe:
    """What is done to every image: plain values, which any process can be sent.

    Parameters
    ----------
    guidance
        The file; other machines have to see it at the same path.
    network
        A name or a path; by default what the guidance names, if that is bundled.
    card
        What counts more than the network's own card.
    device
        Where to compute.
    axis
        Spatial axis that the slices of a volume lie along.
    same_volume
        Whether the image is the one that the correction was made in, so that places and
        numbers of slices count.
    instances
        Whether objects are numbered.
    channel_axis, channels, volume, series
        How images are read, see :meth:`Preparation.prepare`, :meth:`Picture.volume` and
        :func:`open_image`.
    threads
        Threads of torch for each worker; ``None`` leaves it to the cluster.
    digest
        SHA-256 of all that labels depend on besides the image, see :meth:`sealed`.
    made_of
        The same by name, each as a short hash.
    """

    guidance: Path
    network: str | None = None
    card: NetworkCard | None = None
    device: str = "auto"
    axis: int = 0
    same_volume: bool = False
    instances: bool = False
    channel_axis: int | None = None
    channels: tuple[int, ...] | None = None
    volume: int | None = None
    series: str | None = None
    threads: int | None = None
    digest: str = ""
    made_of: Mapping[str, str] = field(default_factory=dict)

    def sealed(self) -> Recipe:
        """Return it with its digest, once its network and guidance were found to fit.

        Raises
        ------
        InputError
            If the guidance or the network cannot be read, or do not belong together, or
            no volume has such an axis.
        """
        if not -3 <= self.axis < 3:
            raise InputError(f"there is no axis {self.axis}; choose 0, 1 or 2")
        tools = _open(self)
        told = {"guidance": _digest(self.guidance), "network": tools.network.fingerprint}
        told |= {f"--{name.replace('_', '-')}": getattr(self, name) for name in _SETTINGS}
        made_of = {name: _hashed(value)[:16] for name, value in told.items()}
        sealed = replace(self, digest=_hashed(list(told.values())), made_of=made_of)
        _kept[sealed.digest] = tools
        return sealed


@dataclass(frozen=True)
class Tools:
    """What a worker needs."""

    network: FrozenNetwork
    saved: SavedGuidance


#: The tools of this process, of the recipe that it worked by last.
_kept: dict[str, Tools] = {}
_opening = Lock()


def tools_of(recipe: Recipe) -> Tools:
    """Return the tools of a sealed recipe, opened once per process.

    Raises
    ------
    InputError
        If there is another guidance or network here than where the recipe was sealed.
    """
    with _opening:
        if recipe.threads and torch.get_num_threads() != recipe.threads:
            torch.set_num_threads(recipe.threads)
        if recipe.digest not in _kept:
            _kept.clear()
            if recipe.sealed().digest != recipe.digest:
                _kept.clear()
                raise InputError(f"{recipe.guidance.name} is another guidance on this machine")
        return _kept[recipe.digest]


def _open(recipe: Recipe) -> Tools:
    saved = SavedGuidance.read(recipe.guidance)
    name = recipe.network or saved.network
    if recipe.network is None and name not in catalogue():
        raise InputError(
            f"the guidance was made for {name}, which is not bundled; give it by --network PATH"
        )
    # What the user told of the network for the guidance, such as a window, holds here too.
    card = NetworkCard(preparation=saved.preparation)
    try:
        network = open_network(name, recipe.device, (recipe.card or NetworkCard()).completed(card))
    except InputError as error:
        # Another network may not take what this one was fed with.
        raise InputError(f"the guidance was made for {saved.network}: {error}") from error
    saved.check(network)
    return Tools(network, saved.to(network.device))


def _hashed(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
