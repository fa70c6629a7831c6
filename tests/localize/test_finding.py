"""Things are found in photographs that ship with scikit-image, by the bundled weights."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest
import skimage.data
from torch import nn

from napari_guideme import Click, InputError
from napari_guideme.grabcut import from_saliency
from napari_guideme.guidance import FOUND_METHODS
from napari_guideme.localize.attention import open_attention
from napari_guideme.localize.clicking import clicked
from napari_guideme.localize.finding import (
    Found,
    chosen_stand_ins,
    find,
    labels_called,
    labels_of,
    scene_of,
)
from napari_guideme.localize.photographs import limits_of
from napari_guideme.localize.proxies import StandIns
from napari_guideme.localize.saliency import saliency
from napari_guideme.networks import cancelling
from napari_guideme.networks.classifier import FrozenClassifier, open_classifier
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.preparation import Preparation
from napari_guideme.session import GuideSession

CHELSEA = skimage.data.chelsea()
#: On the cat's forehead, and in the corner behind it.
CAT, ELSEWHERE = (120, 210), (10, 10)


@pytest.fixture(scope="module")
def classifier() -> FrozenClassifier:
    return open_classifier(device="cpu")


@pytest.fixture(scope="module")
def network() -> FrozenNetwork:
    return open_attention(device="cpu")


@pytest.fixture(scope="module")
def cat(classifier, network) -> Found:
    labels = chosen_stand_ins("cat", classifier, CHELSEA, -1)
    return find("cat", CHELSEA, classifier, labels, network=network, channel_axis=-1)


def test_a_cat_is_found(cat, classifier):
    assert {classifier.labels[label] for label in cat.stand_ins.positive} >= {"tabby", "tiger cat"}
    assert not set(cat.stand_ins.positive) & set(cat.stand_ins.negative)
    assert cat.mask[CAT]
    assert not cat.mask[ELSEWHERE]
    assert 0.2 < cat.mask.mean() < 0.9
    for values in (cat.positive, cat.negative, cat.likelihood):
        assert values.shape == cat.mask.shape == CHELSEA.shape[:2]
        assert 0 <= values.min() <= values.max() <= 1


def test_the_maps_decide_what_is_found(cat, classifier, network):
    swapped = StandIns(cat.stand_ins.negative, cat.stand_ins.positive)
    other = find("cat", CHELSEA, classifier, swapped, network=network, channel_axis=-1)
    assert other.likelihood[cat.mask].mean() < cat.likelihood[cat.mask].mean()


@pytest.mark.parametrize("method", ["gradient", "grad-cam"])
def test_a_map_alone_finds_it_too(method, cat, classifier):
    found = find("cat", CHELSEA, classifier, cat.stand_ins, method=method, channel_axis=-1)
    assert found.likelihood is None
    assert found.evidence is found.positive
    top, left, bottom, right = found.box
    assert found.mask[top:bottom, left:right].sum() == found.mask.sum() > 0


def test_by_threshold_half_of_the_range_counts(cat, classifier, network):
    found = find(
        "cat",
        CHELSEA,
        classifier,
        cat.stand_ins,
        network=network,
        channel_axis=-1,
        outline="threshold",
    )
    low, high = found.likelihood.min(), found.likelihood.max()
    np.testing.assert_array_equal(found.mask, found.likelihood > (low + high) / 2)


def test_outlines_differ_in_how_they_follow_a_map(cat, classifier):
    def by(outline):
        told = {"method": "grad-cam", "channel_axis": -1, "views": 1, "outline": outline}
        return find("cat", CHELSEA, classifier, cat.stand_ins, **told)

    usual = by(None)
    np.testing.assert_array_equal(usual.mask, clicked(CHELSEA, usual.positive, -1))
    np.testing.assert_array_equal(by("clicks").mask, usual.mask)
    np.testing.assert_array_equal(by("grabcut").mask, from_saliency(CHELSEA, usual.positive))
    assert usual.mask[CAT]
    assert usual.mask.sum() > by("threshold").mask.sum() > 0


@pytest.mark.parametrize("method", FOUND_METHODS)
def test_clicks_correct_what_was_found(method, cat, network):
    missed = np.argwhere(~cat.mask)
    click = tuple(missed[len(missed) // 2].tolist())
    scene = scene_of(cat, CHELSEA, network, -1)
    session = GuideSession.on(scene, method=method)
    np.testing.assert_array_equal(session.labels() == 1, cat.mask)
    session.add(Click(click, "cat"))
    for _ in session.refine():
        pass
    assert session.labels()[click] == 1
    session.undo()
    np.testing.assert_array_equal(session.labels() == 1, cat.mask)


def test_grey_and_deep_pixels(classifier, network):
    grey = (CHELSEA.mean(2) * 257).astype(np.uint16)
    labels = chosen_stand_ins("cat", classifier, grey)
    found = find("cat", grey, classifier, labels, network=network)
    assert found.mask.shape == grey.shape
    assert found.mask[CAT]


def test_hot_pixels_leave_a_photograph_as_it_is():
    deep = CHELSEA.astype(np.uint16)
    low, high = limits_of(deep)
    deep[0, 0] = 65535
    assert limits_of(deep) == pytest.approx((low, high), abs=1)
    rare = np.zeros((100, 100), np.uint16)
    rare[5, 5] = 9
    assert limits_of(rare) == (0, 9)


class OfOneSize(nn.Module):
    """Refuses images of another size, as vision transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.classify = nn.Linear(4 * 30 * 30, 3)

    def forward(self, x):
        return self.classify(self.features(x).flatten(1))


def test_a_classifier_of_one_size_sees_the_image_in_it(network):
    preparation = Preparation(value_range="dtype", size=(32, 32))
    classifier = FrozenClassifier(OfOneSize(), "abc", preparation, name="one size", device="cpu")
    labels = StandIns((0,), (1,))
    found = find("cat", CHELSEA, classifier, labels, network=network, channel_axis=-1)
    assert found.positive.shape == CHELSEA.shape[:2]
    with pytest.raises(InputError, match=r"one size classifies no image of shape \(64, 64\): "):
        saliency(classifier, CHELSEA, 0, "grad-cam", channel_axis=-1, side=64)


def test_labels_can_be_told(classifier):
    told = chosen_stand_ins("moggy-thing", classifier, CHELSEA, -1, positive=["tabby"])
    assert [classifier.labels[label] for label in told.positive] == ["tabby"]
    assert len(told.negative) == 5
    assert told.positive[0] not in told.negative
    against = chosen_stand_ins("cat", classifier, CHELSEA, -1, negative=["espresso"])
    assert [classifier.labels[label] for label in against.negative] == ["espresso"]
    with pytest.raises(InputError, match="no label 'tabbyy'; near are tabby"):
        labels_called(["tabbyy"], classifier)


def test_several_things_share_labels():
    maps = np.array([[0.9, 0.5, 0.0]]), np.array([[0.0, 0.8, 0.6]])
    masks = np.array([[True, True, False]]), np.array([[False, True, False]])
    found = [
        Found(name, mask, StandIns((), ()), values, values, values)
        for name, mask, values in zip("ab", masks, maps, strict=True)
    ]
    np.testing.assert_array_equal(labels_of(found), [[1, 2, 0]])


def test_bad_input_is_refused(cat, classifier, network):
    with pytest.raises(InputError, match="choose proxies, gradient"):
        find("cat", CHELSEA, classifier, cat.stand_ins, method="magic", channel_axis=-1)
    with pytest.raises(InputError, match="choose clicks, grabcut, threshold"):
        find("cat", CHELSEA, classifier, cat.stand_ins, outline="magic", channel_axis=-1)
    with pytest.raises(InputError, match="open_attention"):
        find("cat", CHELSEA, classifier, cat.stand_ins, channel_axis=-1)


def test_it_can_be_cancelled(cat, classifier, network):
    event = Event()
    event.set()
    with cancelling.cancellable(event), pytest.raises(cancelling.Cancelled):
        find("cat", CHELSEA, classifier, cat.stand_ins, network=network, channel_axis=-1)


def test_weights_of_something_else_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"not weights")
    with pytest.raises(InputError, match="does not hold"):
        open_attention(device="cpu", weights=path)
    with pytest.raises(InputError, match="none"):
        open_attention(device="cpu", weights=tmp_path / "none.safetensors")
