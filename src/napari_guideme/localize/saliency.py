"""Where a classifier sees a label: a map over the image."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
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
from napari_guideme.localize import METHOD_NAMES
from napari_guideme.networks import cancelling
from napari_guideme.networks.classifier import FrozenClassifier
from napari_guideme.networks.rectifiers import Rectifier

METHODS = tuple(METHOD_NAMES)

#: Standard deviation of the blur of a map, as a share of the side of the network's input.
SMOOTHING = 0.03

#: Feedback is read at the gates of so many last rectifiers, after one sweep or so many
#: soft steps. Measured: the further the score is driven, the less its gates tell of the image.
RECTIFIERS = 5
SOFT_STEPS = 1


@dataclass(frozen=True)
class View:
    """A part of the image, mirrored or not; the part is told in shares of its sides."""

    top: float = 0.0
    left: float = 0.0
    share: float = 1.0
    mirrored: bool = False

    def where(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of the part, at least one of each."""
        return tuple(  # type: ignore[return-value]
            slice(first := int(start * n), first + max(round(self.share * n), 1))
            for start, n in zip((self.top, self.left), shape, strict=True)
        )


#: The whole image first, then parts of 7/8 of its sides, each plain and mirrored.
VIEWS = tuple(
    View(top, left, share, mirrored)
    for top, left, share in (
        (0, 0, 1),
        *((top, left, 7 / 8) for top, left in ((1 / 16, 1 / 16), (0, 0), (0, 1 / 8), (1 / 8, 0))),
        (1 / 8, 1 / 8, 7 / 8),
    )
    for mirrored in (False, True)
)


def saliency(
    classifier: FrozenClassifier,
    image: NDArray[Any],
    label: int,
    method: str = "guided",
    *,
    channel_axis: int | None = None,
    views: int = 1,
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
        How many of `VIEWS` to average: 2 adds the mirrored image, more add parts of it.

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
    if method not in METHODS:
        raise InputError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
    if not 1 <= views <= len(VIEWS):
        raise InputError(f"views is {views}; it has to be from 1 to {len(VIEWS)}")
    classifier.check_label(label)
    image = np.asarray(image)
    whole = classifier.prepared(image, channel_axis)  # refuses what the classifier cannot take
    if channel_axis is not None:
        image = np.moveaxis(image, channel_axis, -1)
        channel_axis = -1
    shape = image.shape[:2]
    total, seen = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for number, view in enumerate(VIEWS[:views]):
        where = view.where(shape)
        x = classifier.prepared(image[where], channel_axis) if number > 1 else whole
        found = _MAPS[method](classifier, x.flip(3) if view.mirrored else x, label)
        found = found.flip(3) if view.mirrored else found
        total[where] += _resized(found, total[where].shape)
        seen[where] += 1
    return _normalised(total / seen)


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
    return _of_last(score.opened(score.gates.initial(x.device)), x)


def _soft(classifier: FrozenClassifier, x: Tensor, label: int) -> Tensor:
    score = GatedScore(classifier, x, label)
    (last,) = deque(feedback(score, "soft", SOFT_STEPS), maxlen=1)
    return _of_last(score.evidence(last.values), x)


def _of_last(evidence: Evidence, x: Tensor) -> Tensor:
    """Add up what the last rectifiers tell, each as strong as the others."""
    told = list(evidence.values())[-RECTIFIERS:]
    scaled = (found / found.amax().clamp_min(1e-20) for found in told)
    return torch.stack([_stretched(found, x) for found in scaled]).sum(0)


def _grad_cam(classifier: FrozenClassifier, x: Tensor, label: int) -> Tensor:
    """Of the last rectifier that still has an image."""
    kept: list[Tensor] = []

    def keep(rectifier: Rectifier, a: Tensor) -> Tensor:
        y = rectifier(a)
        if y.ndim == 4:
            kept.append(y)
        return y

    x = x.clone().requires_grad_()
    with torch.enable_grad():
        score = classifier.scores(x, keep)[:, label].sum()
    if not kept:
        raise InputError(f"{classifier.name} has no ReLU in its graph, which grad-cam needs")
    (slope,) = torch.autograd.grad(score, kept[-1])
    weights = slope.mean((2, 3), keepdim=True)
    cam = (weights * kept[-1].detach()).sum(1, keepdim=True).relu()
    return _stretched(cam, x)


def _stretched(found: Tensor, x: Tensor) -> Tensor:
    return F.interpolate(found, x.shape[2:], mode="bilinear", align_corners=False)


_MAPS: Mapping[str, Callable[[FrozenClassifier, Tensor, int], Tensor]] = {
    "gradient": _gradient,
    "guided": _guided,
    "grad-cam": _grad_cam,
    "feedback-hard": _hard,
    "feedback-soft": _soft,
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
