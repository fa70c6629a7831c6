"""Where a classifier sees a label: a map over the image."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional as F

from napari_guideme.errors import InputError
from napari_guideme.guidance.gates import Evidence, GatedScore, feedback
from napari_guideme.localize import SALIENCY_NAMES
from napari_guideme.networks import cancelling
from napari_guideme.networks.classifier import FrozenClassifier
from napari_guideme.networks.rectifiers import Rectifier

METHODS = tuple(SALIENCY_NAMES)

#: From an input and labels to a map (1, 1, h, w) of each.
MapMaker = Callable[[FrozenClassifier, Tensor, Sequence[int]], Iterable[Tensor]]

#: Standard deviation of the blur of a map, as a share of the side of the network's input.
SMOOTHING = 0.03

#: Feedback is read at the gates of so many last rectifiers, after one sweep or so many
#: soft steps. Measured: the further the score is driven, the less its gates tell of the image.
RECTIFIERS = 5
SOFT_STEPS = 1

#: A part of the image in which a label is less likely, as a share of where it is likeliest, is
#: not looked at.
LIKELY = 0.1


@dataclass(frozen=True)
class View:
    """The image, mirrored or not, or a part of it, told in shares of its sides."""

    top: float = 0.0
    left: float = 0.0
    share: float = 1.0
    mirrored: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it shows all of the image."""
        return self.share == 1

    def where(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of the part, at least one of each."""
        rows, columns = (
            slice(first := int(start * n), first + max(round(self.share * n), 1))
            for start, n in zip((self.top, self.left), shape, strict=True)
        )
        return rows, columns


#: The whole image, plain and mirrored, then parts of 2/5 of its sides.
VIEWS = (
    View(),
    View(mirrored=True),
    *(View(top, left, 0.4) for top, left in itertools.product((0, 0.3, 0.6), repeat=2)),
)


def saliency(
    classifier: FrozenClassifier,
    image: NDArray[Any],
    label: int,
    method: str = "guided",
    *,
    channel_axis: int | None = None,
    views: int = 1,
    side: int | None = None,
) -> NDArray[np.float32]:
    """Map how much each pixel speaks for a label.

    It can be cancelled by `networks.cancelling` between two layers of the classifier.

    Parameters
    ----------
    classifier
        Stays as it is.
    image
        Two spatial axes and at most one channel axis, of any type and size.
    label
        Index of a label of the classifier.
    method
        One of `METHODS`. Of a derivative counts the largest magnitude of all
        channels (Simonyan et al.), of feedback what comes through the gates of the last
        rectifiers. The map is blurred a little.
    channel_axis
        The axis that holds channels, ``None`` for a grey image.
    views
        How many of `VIEWS` to look at: 2 adds the mirrored image, more add parts of it, which
        count as far as the label is likely there, see :func:`saliencies`.
    side
        Of the square that the classifier sees, in pixels; its own by default.

    Returns
    -------
    Shape (rows, columns) of the image, from 0 to 1; zero if nothing stands out.

    Raises
    ------
    InputError
        If there is no such method or label, or the classifier cannot take the image.

    References
    ----------
    Simonyan, Vedaldi and Zisserman, *Deep Inside Convolutional Networks*, ICLR workshop
    2014; Selvaraju et al., *Grad-CAM*, ICCV 2017; for the others see `guidance.gates`.
    """
    (found,) = saliencies(
        classifier, image, [label], method, channel_axis=channel_axis, views=views, side=side
    )
    return found


def saliencies(
    classifier: FrozenClassifier,
    image: NDArray[Any],
    labels: Sequence[int],
    method: str = "guided",
    *,
    channel_axis: int | None = None,
    views: int = 1,
    side: int | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Map several labels as :func:`saliency` does; Grad-CAM needs one pass for all of them.

    Of several views the map is that of the whole image, and as much again the mean over all views,
    each times the root of how probable the label is in it. So a part counts little in
    which the classifier does not see the label.
    """
    if method not in METHODS:
        raise InputError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
    if not 1 <= views <= len(VIEWS):
        raise InputError(f"views is {views}; it has to be from 1 to {len(VIEWS)}")
    for label in labels:
        classifier.check_label(label)
    image = np.asarray(image)
    size = (side, side) if side else None
    whole = classifier.prepared(image, channel_axis, size)  # refuses what it cannot take
    if channel_axis is not None:
        image = np.moveaxis(image, channel_axis, -1)
        channel_axis = -1
    shape = image.shape[:2]
    seen = [_Seen(view, view.where(shape)) for view in VIEWS[:views]]
    inputs = [
        whole if one.view.is_whole else classifier.prepared(image[one.where], channel_axis, size)
        for one in seen
    ]
    weights = _weights(classifier, inputs, labels)
    together = [range(len(labels))] if method == "grad-cam" else [[i] for i in range(len(labels))]
    for group in together:
        asked = [labels[i] for i in group]
        looks = (
            (one, weight, _MAPS[method](classifier, one.turned(x), asked))
            for one, x, weight in zip(seen, inputs, weights[:, group], strict=True)
            if one.view.is_whole or weight.any()
        )
        yield from _joined(looks, seen, len(group), shape)


@dataclass(frozen=True)
class _Seen:
    """A view and the part of an image that it shows."""

    view: View
    where: tuple[slice, slice]

    def turned(self, x: Tensor) -> Tensor:
        return x.flip(3) if self.view.mirrored else x


def _weights(
    classifier: FrozenClassifier, inputs: Sequence[Tensor], labels: Sequence[int]
) -> NDArray[np.float32]:
    """How much each input counts for each label, from 0 to 1, (inputs, labels)."""
    if len(inputs) == 1:
        return np.ones((1, len(labels)), np.float32)
    with torch.no_grad():
        told = [classifier.scores(x)[0].log_softmax(0)[list(labels)].cpu() for x in inputs]
    likely = torch.stack(told)
    shares = (likely - likely.amax(0)).exp()
    weights: NDArray[np.float32] = (shares.sqrt() * (shares >= LIKELY)).numpy()
    return weights


def _joined(
    looks: Iterable[tuple[_Seen, NDArray[np.float32], Iterable[Tensor]]],
    seen: Sequence[_Seen],
    number: int,
    shape: tuple[int, ...],
) -> Iterator[NDArray[np.float32]]:
    """Join the maps of labels, so many, that were made of views."""
    plain, weighed = np.zeros((2, number, *shape), np.float32)
    count = np.zeros(shape, np.float32)
    for one in seen:
        count[one.where] += 1
    for one, weights, made in looks:
        for i, found in enumerate(made):
            told = _resized(one.turned(found), plain[i][one.where].shape)
            weighed[i][one.where] += weights[i] * told
            if one.view.is_whole:
                plain[i] += told
    for i in range(number):
        yield _normalised(_normalised(plain[i]) + _normalised(weighed[i] / count))


def _gradient(classifier: FrozenClassifier, x: Tensor, label: int) -> Tensor:
    x = x.clone().requires_grad_()
    with torch.enable_grad():
        score = classifier.scores(x)[:, label].sum()
    return _strongest(torch.autograd.grad(score, x)[0])


def _guided(classifier: FrozenClassifier, x: Tensor, label: int) -> Tensor:
    score = GatedScore(classifier, x, label)
    return _strongest(score.message(score.gates.initial(x.device)))


def _hard(classifier: FrozenClassifier, x: Tensor, label: int) -> Tensor:
    score = GatedScore(classifier, x, label)
    return _of_last(classifier, score.opened(score.gates.initial(x.device)), x)


def _soft(classifier: FrozenClassifier, x: Tensor, label: int) -> Tensor:
    score = GatedScore(classifier, x, label)
    (last,) = deque(feedback(score, "soft", SOFT_STEPS), maxlen=1)
    return _of_last(classifier, score.evidence(last.values, last.gradient), x)


def _of_last(classifier: FrozenClassifier, evidence: Evidence, x: Tensor) -> Tensor:
    """Add up what the last rectifiers tell that have an image, each as strong as the others."""
    told = [found for found in evidence.values() if _has_image(found)][-RECTIFIERS:]
    if not told:
        raise _without_image(classifier)
    scaled = (found / found.amax().clamp_min(1e-20) for found in told)
    return torch.stack([_stretched(found, x) for found in scaled]).sum(0)


def _grad_cams(classifier: FrozenClassifier, x: Tensor, labels: Sequence[int]) -> Iterator[Tensor]:
    """Of the last rectifier that still has an image; one pass serves all labels."""
    kept: list[Tensor] = []

    def keep(rectifier: Rectifier, a: Tensor) -> Tensor:
        y = rectifier(a)
        if _has_image(y):
            kept[:] = [y.detach().requires_grad_()]
            return kept[0]
        return y

    with torch.enable_grad():
        scores = classifier.scores(x, keep)[0]
        asked = [scores[label] for label in labels]
    if not kept:
        raise _without_image(classifier)
    for score in asked:
        (slope,) = torch.autograd.grad(score, kept[0], retain_graph=True)
        weights = slope.mean((2, 3), keepdim=True)
        yield _stretched((weights * kept[0].detach()).sum(1, keepdim=True).relu(), x)


def _has_image(activation: Tensor) -> bool:
    """Whether it tells places apart; squeeze-and-excitation rectifies means of whole channels."""
    return activation.ndim == 4 and activation.shape[2:].numel() > 1


def _without_image(classifier: FrozenClassifier) -> InputError:
    return InputError(
        f"{classifier.name} has no ReLU in its graph that still has an image; "
        "the plain gradient (method 'gradient') works for any classifier"
    )


def _stretched(found: Tensor, x: Tensor) -> Tensor:
    return F.interpolate(found, x.shape[2:], mode="bilinear", align_corners=False)


def _one_by_one(make: Callable[[FrozenClassifier, Tensor, int], Tensor]) -> MapMaker:
    def made(classifier: FrozenClassifier, x: Tensor, labels: Sequence[int]) -> Iterator[Tensor]:
        return (make(classifier, x, label) for label in labels)

    return made


_MAPS: Mapping[str, MapMaker] = {
    "gradient": _one_by_one(_gradient),
    "guided": _one_by_one(_guided),
    "grad-cam": _grad_cams,
    "feedback-hard": _one_by_one(_hard),
    "feedback-soft": _one_by_one(_soft),
}


def _strongest(derivative: Tensor) -> Tensor:
    """Largest magnitude of all channels, (N, 1, h, w)."""
    return derivative.abs().amax(1, keepdim=True)


def _resized(found: Tensor, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Blur a map (1, 1, h, w), bring it to a size, and its values to 0 to 1."""
    cancelling.check()
    pixels = found[0, 0].cpu().numpy()
    blurred = gaussian_filter(pixels, [SMOOTHING * n for n in pixels.shape])
    resized = F.interpolate(
        torch.from_numpy(blurred)[None, None], shape, mode="bilinear", align_corners=False
    )
    return _normalised(resized[0, 0].numpy())


def _normalised(values: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = values.min(), values.max()
    if not high > low:
        return np.zeros_like(values)
    scaled: NDArray[np.float32] = ((values - low) / (high - low)).astype(np.float32)
    return scaled
