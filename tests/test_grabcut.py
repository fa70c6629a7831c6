from __future__ import annotations

from threading import Event

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.grabcut import (
    along_outline,
    bounding_box,
    eight_bit,
    from_likelihood,
    from_saliency,
)
from napari_guideme.networks import cancelling

DISC = np.hypot(*np.mgrid[-40:40, -50:50]) < 20


@pytest.fixture
def picture():
    """A red disc on green, a bit noisy."""
    noise = np.random.default_rng(0).integers(0, 30, (*DISC.shape, 3))
    return (np.where(DISC[..., None], (200, 30, 30), (30, 160, 60)) + noise).astype(np.uint8)


@pytest.fixture
def hint():
    """High in the middle of the disc only."""
    return np.exp(-(np.hypot(*np.mgrid[-40:40, -50:50]) ** 2) / 200).astype(np.float32)


def iou(mask, truth=DISC):
    return (mask & truth).sum() / (mask | truth).sum()


def test_the_most_salient_colours_are_followed_to_the_outline(picture, hint):
    mask = from_saliency(picture, hint)
    assert mask.shape == DISC.shape
    assert mask.dtype == bool
    assert iou(mask) > 0.95
    assert iou(hint >= np.percentile(hint, 95)) < 0.5
    assert bounding_box(mask) == bounding_box(DISC)


def test_only_the_largest_part_counts(picture, hint):
    picture[2:6, 2:6] = (210, 40, 40)
    hint[2:6, 2:6] = 1
    assert not from_saliency(picture, hint)[:8, :8].any()


def test_a_likelihood_parts_the_image_into_four_zones(picture, hint):
    assert iou(from_likelihood(picture, hint)) > 0.95


def test_what_is_sure_stays(picture):
    """Zones: surely background on the left, surely object on the right, whatever the colours."""
    likelihood = np.full(DISC.shape, 0.5)
    likelihood[:, :50], likelihood[:, 50:] = 0.1, 0.9
    mask = from_likelihood(picture, likelihood)
    assert not mask[:, :50].any()
    assert mask[:, 50:].all()


@pytest.mark.parametrize("cut", [from_saliency, from_likelihood])
def test_any_type_and_order_of_channels(cut, picture, hint):
    expected = cut(picture, hint)
    for same in (
        np.moveaxis(picture, -1, 0),
        np.dstack([picture, np.full(DISC.shape, 255, np.uint8)]),
        picture.astype(np.uint16) * 200,
        picture / 255,
    ):
        assert iou(cut(same, hint), expected) > 0.97


@pytest.mark.parametrize("cut", [from_saliency, from_likelihood])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_grey_images(cut, picture, hint, dtype):
    assert iou(cut(picture[..., 0].astype(dtype), hint)) > 0.95


@pytest.mark.parametrize("cut", [from_saliency, from_likelihood])
def test_a_hot_pixel_darkens_nothing(cut, picture, hint):
    deep = picture.astype(np.uint16)
    deep[3, 3] = 65535
    assert iou(cut(deep, hint)) > 0.95


@pytest.mark.parametrize("cut", [from_saliency, from_likelihood])
def test_large_images_are_cut_at_their_own_size(cut, picture, hint):
    large, map_ = (np.kron(a, np.ones((8, 8, 1)[: a.ndim])) for a in (picture, hint))
    assert iou(cut(large.astype(np.uint8), map_), np.kron(DISC, np.ones((8, 8), bool))) > 0.95


@pytest.mark.parametrize("cut", [from_saliency, from_likelihood])
def test_the_same_mask_in_every_run(cut, picture, hint):
    noisy = np.random.default_rng(1).integers(0, 255, picture.shape, dtype=np.uint8)
    assert np.array_equal(cut(noisy, hint), cut(noisy, hint))


@pytest.mark.parametrize("cut", [from_saliency, from_likelihood])
@pytest.mark.parametrize("value", [0, 0.7])
def test_where_nothing_stands_out_nothing_is_found(cut, picture, value):
    assert not cut(picture, np.full(DISC.shape, value)).any()


@pytest.mark.parametrize("cut", [from_saliency, from_likelihood])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 3), (1, 300)])
def test_tiny_images(cut, shape):
    values = np.arange(np.prod(shape)).reshape(shape)
    mask = cut(np.zeros(shape, np.uint8), values)
    assert mask.shape == shape


@pytest.mark.parametrize("cut", [from_saliency, from_likelihood])
def test_an_image_of_one_colour(cut, hint):
    assert cut(np.full(DISC.shape, 9, np.uint8), hint).shape == DISC.shape


@pytest.mark.parametrize("cut", [from_saliency, from_likelihood])
def test_maps_that_do_not_fit_are_refused(cut, picture, hint):
    with pytest.raises(InputError, match=r"a map of shape \(3, 4\) does not fit the image of \(80"):
        cut(picture, np.zeros((3, 4)))
    with pytest.raises(InputError, match="NaN or infinite"):
        cut(picture, np.where(DISC, np.nan, hint))
    with pytest.raises(InputError, match="the image is empty"):
        cut(np.zeros((0, 4), np.uint8), np.zeros((0, 4)))


def test_thresholds_that_make_no_sense_are_refused(picture, hint):
    with pytest.raises(InputError, match="percentile is 20"):
        from_saliency(picture, hint, percentile=20)
    with pytest.raises(InputError, match=r"thresholds 0\.5, 0\.4, 0\.7 do not rise"):
        from_likelihood(picture, hint, background=0.5, unknown=0.4)


@pytest.mark.parametrize("cut", [from_saliency, from_likelihood])
def test_it_can_be_cancelled(cut, picture, hint):
    event = Event()
    event.set()
    with cancelling.cancellable(event), pytest.raises(cancelling.Cancelled):
        cut(picture, hint)


def test_a_box_is_half_open():
    mask = np.zeros((7, 9), bool)
    assert bounding_box(mask) is None
    mask[2, 3:6] = True
    assert bounding_box(mask) == (2, 3, 3, 6)


NOTHING = np.zeros(DISC.shape, dtype=bool)


@pytest.mark.parametrize("radius", [18.5, 21.5])
def test_an_outline_moves_to_where_the_colours_change(picture, radius):
    coarse = np.hypot(*np.mgrid[-40:40, -50:50]) < radius
    moved = along_outline(picture, coarse, NOTHING)
    assert iou(coarse) < 0.9
    assert iou(moved) > 0.98


def test_an_outline_moves_in_a_narrow_band_only(picture):
    far_off = np.hypot(*np.mgrid[-40:40, -50:50]) < 26
    turned = far_off != along_outline(picture, far_off, NOTHING)
    distance = np.abs(np.hypot(*np.mgrid[-40:40, -50:50]) - 26)
    assert turned.any()
    assert distance[turned].max() < 4


def test_an_outline_moves_by_no_less_than_the_colours_tell_apart(picture):
    coarse = np.hypot(*np.mgrid[-40:40, -50:50]) < 21.5
    # The band, 0.07 of the depth, is 1.5 pixels wide.
    assert not (along_outline(picture, coarse, NOTHING, finest=1.4) == coarse).all()
    assert (along_outline(picture, coarse, NOTHING, finest=1.6) == coarse).all()


def test_what_is_held_stays_as_it_is(picture):
    coarse = np.hypot(*np.mgrid[-40:40, -50:50]) < 21.5
    held = np.zeros_like(coarse)
    held[:, 50:] = True
    moved = along_outline(picture, coarse, held)
    assert (moved[held] == coarse[held]).all()
    assert not (moved == coarse).all()


@pytest.mark.parametrize("mask", [NOTHING, ~NOTHING, np.arange(8000).reshape(DISC.shape) == 4040])
def test_what_is_too_small_for_colours_of_its_own_stays(picture, mask):
    assert (along_outline(picture, mask, NOTHING) == mask).all()


def test_an_image_of_one_colour_moves_no_outline_far():
    moved = along_outline(np.full((*DISC.shape, 3), 9, np.uint8), DISC, NOTHING)
    assert iou(moved) > 0.7


def test_colours_are_told_in_eight_bits_of_any_image(picture):
    deep = np.moveaxis(picture, -1, 0).astype(np.uint16) * 50
    grey = picture[..., 0].astype(float)
    assert eight_bit(picture, -1, DISC.shape).tolist() == picture.tolist()
    assert eight_bit(deep, 0, (20, 25)).shape == (20, 25, 3)
    assert eight_bit(deep, 0, DISC.shape).max() == 255
    assert (np.ptp(eight_bit(grey, None, DISC.shape), axis=-1) == 0).all()
