"""Find what is named: stand-ins, maps of saliency, the class-agnostic network, an outline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.grabcut import bounding_box, from_likelihood, from_saliency
from napari_guideme.guidance.scene import Scene
from napari_guideme.language.vocabulary import WordVectors
from napari_guideme.localize import (
    DEFAULT_FINDING,
    FINDING_NAMES,
    OUTLINE_NAMES,
    usual_outline,
    usual_views,
)
from napari_guideme.localize.attention import SIDE
from napari_guideme.localize.clicking import clicked
from napari_guideme.localize.known_labels import KnownLabels
from napari_guideme.localize.proxies import By, StandIns, known_labels, stand_ins
from napari_guideme.localize.saliency import saliencies
from napari_guideme.networks.classifier import FrozenClassifier
from napari_guideme.networks.frozen import FrozenNetwork

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]

#: How the maps of stand-ins are made for the class-agnostic network, which learned from these.
ATTENDED = "grad-cam"

#: How many labels stand in, and how many distract, at most.
MOST = 5

#: Share of a map's range above which a pixel counts, where the outline does not follow the image.
_HALF = 0.5

#: By how many logits a pixel leads where the outline overruled the network.
_OVERRULED = 0.5

#: Called with steps done and steps in all.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Found:
    """Where in an image a named thing is, and why.

    Attributes
    ----------
    name
        Of the thing.
    mask
        (rows, columns).
    stand_ins
        The labels of the classifier that stood in for it, and those that distracted.
    positive, negative
        Mean maps of both, (rows, columns) from 0 to 1.
    likelihood
        Of the class-agnostic network, (rows, columns) from 0 to 1; ``None`` if it
        was not asked.
    """

    name: str
    mask: Mask
    stand_ins: StandIns
    positive: Map
    negative: Map
    likelihood: Map | None = None

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """First row and column and those behind the last ones; ``None`` if nothing was found."""
        return bounding_box(self.mask)

    @property
    def evidence(self) -> Map:
        """What the mask was drawn from: the likelihood, else the positive map."""
        return self.positive if self.likelihood is None else self.likelihood


def chosen_stand_ins(
    name: str,
    classifier: FrozenClassifier,
    image: NDArray[Any],
    channel_axis: int | None = None,
    *,
    by: By = "wordnet",
    vectors: WordVectors | None = None,
    positive: Sequence[str] = (),
    negative: Sequence[str] = (),
) -> StandIns:
    """Choose the labels that stand in for a name on an image, and those that distract.

    Parameters
    ----------
    name
        Of a thing; it may be unknown if `positive` is told.
    classifier, image, channel_axis
        See :func:`find`.
    by, vectors
        See :func:`~napari_guideme.localize.proxies.stand_ins`.
    positive, negative
        Names of labels to take instead; without `negative`, the likeliest others
        distract.

    Raises
    ------
    InputError
        If the name or a label is not known, or no label stands in for the name.
    """
    told, against = (labels_called(names, classifier) for names in (positive, negative))
    likely = classifier.probabilities(image, channel_axis)
    if told:
        others = np.argsort(-likely, kind="stable").tolist()
        chosen = StandIns(told, tuple([label for label in others if label not in told][:MOST]))
    else:
        chosen = stand_ins(name, classifier, likely, by=by, vectors=vectors, most=MOST)
    return replace(chosen, negative=against) if against else chosen


def labels_called(names: Sequence[str], classifier: FrozenClassifier) -> tuple[int, ...]:
    """Look labels of a classifier up; the error tells which are spelt alike."""
    known = known_labels(classifier)
    found = []
    for name in names:
        called = known.called(name)
        if not called:
            near = get_close_matches(name, [known.title(i) for i in range(len(known))])
            raise InputError(
                f"{classifier.name} has no label {name!r}; "
                + (f"near are {', '.join(near)}" if near else _some_of(known))
            )
        found.append(called[0])
    return tuple(found)


def _some_of(known: KnownLabels) -> str:
    few = ", ".join(known.title(label) for label in range(min(3, len(known))))
    return f"it has {len(known)}, such as {few}; by default they are found by the name"


def find(
    name: str,
    image: NDArray[Any],
    classifier: FrozenClassifier,
    labels: StandIns,
    *,
    network: FrozenNetwork | None = None,
    method: str = DEFAULT_FINDING,
    channel_axis: int | None = None,
    views: int | None = None,
    outline: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Found:
    """Find a thing by labels of a classifier that stand in for it.

    Parameters
    ----------
    name
        Of the thing.
    image
        Two spatial axes and at most one channel axis.
    classifier
        Whose labels they are.
    labels
        From :func:`chosen_stand_ins`, or chosen by the user.
    network
        The class-agnostic one, for ``"proxies"``.
    method
        One of :data:`~napari_guideme.localize.FINDING_NAMES`; all but the first draw the
        mask from the map of the stand-ins alone.
    channel_axis
        The axis of `image` that holds channels, ``None`` for a grey image.
    views
        Of the image that each map is made of, see
        :func:`~napari_guideme.localize.saliency.saliencies`; as many as the method needs by
        default.
    outline
        One of :data:`~napari_guideme.localize.OUTLINE_NAMES`; by default what suits the method
        best.
    progress
        Called after every map.

    Raises
    ------
    InputError
        If the method or the outline is unknown (the message lists those there are), or the
        image cannot be used.
    """
    outline = usual_outline(method) if outline is None else outline
    if outline not in OUTLINE_NAMES:
        raise InputError(f"unknown outline {outline!r}; choose {', '.join(OUTLINE_NAMES)}")
    if method not in FINDING_NAMES:
        raise InputError(f"unknown method {method!r}; choose {', '.join(FINDING_NAMES)}")
    kind = ATTENDED if method == "proxies" else method
    asked = labels.positive + (labels.negative if method == "proxies" else ())
    # The network learned from maps of this size, but not every classifier makes them.
    side = SIDE if method == "proxies" and classifier.takes((SIDE, SIDE)) else None
    made: list[Map] = []
    views = usual_views(method) if views is None else views
    for own in saliencies(
        classifier, image, asked, kind, channel_axis=channel_axis, views=views, side=side
    ):
        made.append(own)
        progress(len(made), len(asked))
    shape = _spatial(image, channel_axis)
    split = len(labels.positive)
    positive, negative = _mean(made[:split], shape), _mean(made[split:], shape)
    if method != "proxies":
        found = Found(name, np.zeros(shape, bool), labels, positive, negative)
        return outlined(found, image, outline, channel_axis, str(classifier.device))
    if network is None:
        raise InputError("proxies need the class-agnostic network; see open_attention")
    scene = _attending(Scene(network, image, channel_axis=channel_axis), positive, negative)
    likelihood = scene.logits.softmax(0)[1].cpu().numpy()
    found = Found(name, np.zeros(shape, bool), labels, positive, negative, likelihood)
    return outlined(found, image, outline, channel_axis, str(network.device))


def outlined(
    found: Found,
    image: NDArray[Any],
    outline: str,
    channel_axis: int | None = None,
    device: str = "cpu",
) -> Found:
    """Draw the mask of what was found by its evidence.

    Parameters
    ----------
    found
        Whose evidence it is; its own mask does not count.
    image, channel_axis
        As :func:`find` was given them.
    outline
        One of :data:`~napari_guideme.localize.OUTLINE_NAMES`.
    device
        Where the click network runs, if it is asked.
    """
    if outline == "threshold":
        return replace(found, mask=above_half(found.evidence))
    if outline == "clicks":
        return replace(found, mask=clicked(image, found.evidence, channel_axis, device))
    if found.likelihood is None:
        return replace(found, mask=from_saliency(image, found.positive))
    return replace(found, mask=from_likelihood(image, found.likelihood))


def scene_of(
    found: Found, image: NDArray[Any], network: FrozenNetwork, channel_axis: int | None = None
) -> Scene:
    """What clicks correct: the maps are interaction maps, the first labels are the mask.

    Open a session on it, ``GuideSession.on(scene_of(...), method="saliency-brs")``. The
    network's other class bears the name of the thing.

    Parameters
    ----------
    found
        From :func:`find`.
    image, channel_axis
        As :func:`find` was given them.
    network
        The class-agnostic one.
    """
    scene = Scene(network.calling(found.name), image, channel_axis=channel_axis)
    return masked(_attending(scene, found.positive, found.negative), found.mask, _OVERRULED)


def masked(scene: Scene, mask: Mask, lead: float) -> Scene:
    """Let a mask be the first labels of a scene of two classes.

    Parameters
    ----------
    scene
        Whose logits decide how far a pixel leads beyond `lead`.
    mask
        Of the class that is not the background.
    lead
        By how many logits pixels lead at least.
    """
    own = scene.logits[1] - scene.logits[0]
    is_found = torch.from_numpy(mask).to(own.device)
    wanted = torch.where(is_found, own.clamp(min=lead), own.clamp(max=-lead))
    return scene.shifted(torch.stack([torch.zeros_like(own), wanted - own]))


def labels_of(found: Sequence[Found]) -> NDArray[np.uint8]:
    """Labels of several things: 1 for the first, and so on; the best evidence wins a pixel."""
    if len(found) > np.iinfo(np.uint8).max:
        raise InputError(f"{len(found)} names are too many; 255 fit into labels")
    evidence = np.stack([np.where(one.mask, one.evidence + 1e-6, 0) for one in found])
    labels: NDArray[np.uint8] = np.where(evidence.any(0), evidence.argmax(0) + 1, 0).astype(
        np.uint8
    )
    return labels


def _attending(scene: Scene, positive: Map, negative: Map) -> Scene:
    return scene.attending(torch.from_numpy(np.stack([positive, negative])))


def _spatial(image: NDArray[Any], channel_axis: int | None) -> tuple[int, ...]:
    axis = None if channel_axis is None else channel_axis % image.ndim
    return tuple(n for i, n in enumerate(image.shape) if i != axis)


def _mean(maps: Sequence[Map], shape: tuple[int, ...]) -> Map:
    if not maps:
        return np.zeros(shape, np.float32)
    mean: Map = np.mean(maps, axis=0, dtype=np.float32)
    return mean


def above_half(evidence: Map) -> Mask:
    """Where evidence is more than half of its range."""
    low, high = float(evidence.min()), float(evidence.max())
    above: Mask = evidence > low + _HALF * (high - low)
    return above
