from __future__ import annotations

from threading import Event

import numpy as np
import pytest
import skimage.data
import torch
from captum.attr import LayerGradCam
from torch import nn

from napari_guideme.errors import InputError
from napari_guideme.localize import MOST_VIEWS, SALIENCY_NAMES, usual_views
from napari_guideme.localize.saliency import METHODS, RECTIFIERS, VIEWS, saliencies, saliency
from napari_guideme.networks import cancelling
from napari_guideme.networks.classifier import FrozenClassifier, open_classifier
from napari_guideme.networks.formats.weights import filled
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.vision import torchvision
from tests.untouched import lived_in, untouched

PREPARATION = Preparation(value_range="dtype", size=(32, 32))
RED, GREEN = 0, 1

#: A red square at the upper left, a green one at the lower right, on black.
SQUARES = np.zeros((48, 64, 3), np.uint8)
SQUARES[6:18, 8:20, 0] = 255
SQUARES[30:42, 44:56, 1] = 255


class Colours(nn.Module):
    """Scores red and green by what is brighter than a half, against the other colour."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU())
        self.classify = nn.Linear(2, 2, bias=False)
        nn.init.zeros_(self.features[0].weight)
        self.features[0].weight.data[0, 0, 1, 1] = self.features[0].weight.data[1, 1, 1, 1] = 1
        nn.init.constant_(self.features[0].bias, -0.5)
        self.classify.weight.data = torch.tensor([[1.0, -2.0], [-2.0, 1.0]])

    def forward(self, x):
        return self.classify(self.features(x).mean((2, 3)))


@pytest.fixture(scope="module")
def colours() -> FrozenClassifier:
    return FrozenClassifier(Colours(), ["red", "green"], PREPARATION, name="colours", device="cpu")


@pytest.fixture(scope="module")
def lite0() -> FrozenClassifier:
    return open_classifier("efficientnet-lite0", "cpu")


class Sure(Colours):
    """Is sure of the colour that it sees more of."""

    def __init__(self) -> None:
        super().__init__()
        self.classify.weight.data *= 100


def share_at(found, label) -> float:
    """Share of the map at the square of that label."""
    return float((found * (SQUARES[..., label] > 0)).sum() / found.sum())


def highest(found) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(found.argmax(), found.shape))


@pytest.mark.parametrize("method", [m for m in METHODS if m != "gradient"])
@pytest.mark.parametrize("label", [RED, GREEN])
def test_what_speaks_against_a_label_does_not_count(colours, method, label):
    found = saliency(colours, SQUARES, label, method, channel_axis=-1)
    assert SQUARES[highest(found)][label] == 255
    assert share_at(found, 1 - label) < 0.02 < share_at(found, label)


def test_of_the_plain_gradient_it_counts_even_more(colours):
    """By hand: the derivative at the other colour is twice as large."""
    found = saliency(colours, SQUARES, RED, "gradient", channel_axis=-1)
    assert SQUARES[highest(found)][GREEN] == 255
    at_red = found[SQUARES[..., RED] > 0].max()
    assert at_red == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("views", [1, 2, len(VIEWS)])
def test_a_map_has_the_shape_of_the_image_and_goes_from_0_to_1(lite0, method, views):
    image = skimage.data.cat()[:120:2, :160:2]
    found = saliency(lite0, image, 281, method, channel_axis=-1, views=views)
    assert found.shape == (60, 80)
    assert found.dtype == np.float32
    assert found.min() == 0
    assert found.max() == 1


def test_grad_cam_is_that_of_captum(shared):
    path = shared / "models/squeezenet1_1/squeezenet1_1.safetensors"
    classifier = open_classifier(path, "cpu")
    module = filled(torchvision("torchvision.models").squeezenet1_1(), path).eval()
    image = skimage.data.coffee()
    x = classifier.prepared(image, -1)
    cam = LayerGradCam(module, module.classifier[2]).attribute(
        x, target=967, relu_attributions=True
    )
    coarse = cam[0, 0].detach().numpy()
    found = saliency(classifier, image, 967, "grad-cam", channel_axis=-1)
    cells = zip(coarse.shape, found.shape, strict=True)
    centres = (((np.arange(n) + 0.5) / n * side).astype(int) for n, side in cells)
    sampled = found[np.ix_(*centres)]
    assert np.corrcoef(sampled.ravel(), coarse.ravel())[0, 1] > 0.95


def test_the_mirrored_view_makes_the_map_symmetric(lite0):
    image = skimage.data.cat()[::3, ::3]
    found = saliency(lite0, image, 281, "guided", channel_axis=-1, views=2)
    mirrored = saliency(lite0, image[:, ::-1], 281, "guided", channel_axis=-1, views=2)
    np.testing.assert_allclose(found, mirrored[:, ::-1], atol=0.02)


def test_views_lie_within_the_image_and_cover_it():
    for shape in [(1, 1), (2, 3), (48, 64), (7, 1000)]:
        covered = np.zeros(shape, int)
        for view in VIEWS:
            part = covered[view.where(shape)]
            assert part.size
            part += 1
        assert covered.min() >= 2
        assert covered[0, 0] >= 3


def test_all_views_are_known_without_torch():
    assert len(VIEWS) == MOST_VIEWS
    assert usual_views("feedback-soft") == MOST_VIEWS
    assert usual_views("proxies") == 1


def test_a_part_counts_as_far_as_the_label_is_likely_there():
    """By hand: to the classifier the whole is as red as green, a part of it red or green alone.

    Of two whole views, each of weight √½, and one part, the mean is (2 √½ ½ + 1) / 3 = 0.57 at red
    and 2 √½ / 3 = 0.47 at green; as much again as the plain map, ½ and 1.
    """
    classifier = FrozenClassifier(Sure(), ["red", "green"], PREPARATION, name="sure", device="cpu")
    image = np.zeros((50, 50, 3), np.uint8)
    image[2:12, 2:12, RED] = image[38:48, 38:48, GREEN] = 255
    whole, closer = (
        saliency(classifier, image, RED, "gradient", channel_axis=-1, views=views)
        for views in (2, MOST_VIEWS)
    )
    assert whole[2:12, 2:12].max() == pytest.approx(0.5, abs=0.02)
    assert whole[38:48, 38:48].max() == 1
    red, green = (np.sqrt(0.5) + 1) / 3, 2 * np.sqrt(0.5) / 3
    expected = (0.5 + 1) / (1 + green / red)
    assert closer[2:12, 2:12].max() == pytest.approx(expected, abs=0.02)
    assert closer[38:48, 38:48].max() == 1


@pytest.mark.parametrize("method", METHODS)
def test_labels_are_mapped_together_as_they_are_one_by_one(colours, method):
    together = saliencies(colours, SQUARES, [RED, GREEN], method, channel_axis=-1, views=MOST_VIEWS)
    for label, found in zip((RED, GREEN), together, strict=True):
        alone = saliency(colours, SQUARES, label, method, channel_axis=-1, views=MOST_VIEWS)
        np.testing.assert_allclose(found, alone, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_any_image(colours, method):
    expected = saliency(colours, SQUARES, RED, method, channel_axis=-1)
    for same in (SQUARES.astype(np.uint16) * 257, SQUARES / 255, np.moveaxis(SQUARES, -1, 0)):
        axis = 0 if same.shape[0] == 3 else 2
        found = saliency(colours, same, RED, method, channel_axis=axis)
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert saliency(colours, SQUARES[..., 0], RED, method).shape == (48, 64)


@pytest.mark.parametrize("method", METHODS)
def test_where_nothing_stands_out_the_map_is_zero(colours, method):
    found = saliency(colours, np.zeros((9, 5, 3), np.uint8), RED, method, channel_axis=-1)
    assert found.shape == (9, 5)
    assert not found.any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2)])
def test_tiny_images(colours, shape):
    image = np.full(shape, 200, np.uint8)
    for method in METHODS:
        found = saliency(colours, image, RED, method, views=len(VIEWS))
        assert found.shape == shape
        assert np.isfinite(found).all()


def test_what_is_not_there_is_refused(colours):
    with pytest.raises(InputError, match="unknown method 'magic'; choose one of gradient, guided"):
        saliency(colours, SQUARES, RED, "magic", channel_axis=-1)
    with pytest.raises(InputError, match="colours has no label 2"):
        saliency(colours, SQUARES, 2, channel_axis=-1)
    for views in (0, len(VIEWS) + 1):
        with pytest.raises(InputError, match=rf"views is {views}; it has to be from 1 to 11"):
            saliency(colours, SQUARES, RED, channel_axis=-1, views=views)
    with pytest.raises(InputError, match="name its channel axis"):
        saliency(colours, SQUARES, RED)
    with pytest.raises(InputError, match="NaN"):
        saliency(colours, np.full((4, 4), np.nan), RED)


def test_a_classifier_without_relus_has_its_gradient():
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier = FrozenClassifier(module, "ab", PREPARATION, name="smooth", device="cpu")
    image = np.random.default_rng(0).random((8, 8, 3))
    assert saliency(classifier, image, 0, "gradient", channel_axis=-1).max() == 1
    for method in set(METHODS) - {"gradient"}:
        with pytest.raises(InputError, match="smooth has no ReLU in its graph"):
            saliency(classifier, image, 0, method, channel_axis=-1)


class Squeezed(Colours):
    """Rectifies means of channels behind its maps, as squeeze-and-excitation does."""

    def forward(self, x):
        means = self.features(x).mean((2, 3), keepdim=True)
        for _ in range(RECTIFIERS):
            means = nn.functional.relu(means)
        return self.classify(means.flatten(1))


@pytest.mark.parametrize("method", ["grad-cam", "feedback-hard", "feedback-soft"])
def test_rectifiers_of_a_single_pixel_tell_nothing_of_the_image(method, colours):
    classifier = FrozenClassifier(Squeezed(), ["red", "green"], PREPARATION, device="cpu")
    found = saliency(classifier, SQUARES, RED, method, channel_axis=-1)
    assert SQUARES[highest(found)][RED] == 255
    only = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Flatten())
    classifier = FrozenClassifier(only, "ab", PREPARATION, name="means", device="cpu")
    with pytest.raises(InputError, match=r"means has no ReLU .* still has an image; .*'gradient'"):
        saliency(classifier, SQUARES, RED, method, channel_axis=-1)


def test_it_can_be_cancelled(colours):
    event = Event()
    event.set()
    with cancelling.cancellable(event), pytest.raises(cancelling.Cancelled):
        saliency(colours, SQUARES, RED, channel_axis=-1)


@pytest.mark.parametrize("method", METHODS)
def test_module_and_image_leave_unchanged(method):
    module, image = lived_in(Colours()), SQUARES.copy()
    with untouched(module):
        classifier = FrozenClassifier(module, ["red", "green"], PREPARATION, device="cpu")
        with torch.no_grad():
            saliency(classifier, image, RED, method, channel_axis=-1, views=3)
    assert np.array_equal(image, SQUARES)


def test_all_methods_are_known_without_torch():
    assert tuple(SALIENCY_NAMES) == METHODS
