"""A frozen network that is told otherwise how to be fed and what its classes are called."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from napari_guideme.errors import InputError
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.preparation import Preparation

if TYPE_CHECKING:
    from napari_guideme.networks.frozen import FrozenNetwork


def is_amendable(network: FrozenNetwork, card: NetworkCard) -> bool:
    """Whether the graph that was traced serves another card too, so nothing is loaded anew."""
    old, new = network.preparation, Preparation.from_dict(card.preparation)
    return (
        (old.ndim, old.channels) == (new.ndim, new.channels)
        and old.example_sizes == new.example_sizes
        and card.channels_last == network.card.channels_last
        and card.architecture == network.card.architecture
    )


def amended(network: FrozenNetwork, card: NetworkCard) -> FrozenNetwork:
    """Return the same network, same weights and graph, as another card describes it.

    Parameters
    ----------
    network
        Any network; it stays as it is.
    card
        A whole card for which :func:`is_amendable` holds.

    Raises
    ------
    InputError
        If the card has another number of classes, or an unknown guide point.
    """
    if len(card.classes) != len(network.classes):
        raise InputError(
            f"{network.name} has {len(network.classes)} classes, the card {len(card.classes)}"
        )
    other = copy.copy(network)
    vars(other).pop("fingerprint", None)
    other.card, other.assumed = card, ()
    other.preparation = Preparation.from_dict(card.preparation)
    other.classes, other.separator = card.classes, card.separator
    other.name, other.licence, other.description = card.name, card.licence, card.description
    other.output = card.output or network.output
    if card.guide_point:
        other.default_point = other.guide_point(card.guide_point).name
    return other
