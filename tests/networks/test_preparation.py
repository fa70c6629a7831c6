from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_guideme.errors import InputError
from napari_guideme.networks.preparation import Placement, Preparation
from tests import toys

RGB = np.array([[[10, 20, 30], [40, 50, 60]]], dtype=np.uint8)
GREY_NETWORK = Preparation(channels=1, value_range="none")
COLOUR_NETWORK = Preparation(channels=3, value_range="none")


def fed(preparation: Preparation, image: np.ndarray, **how: Any) -> np.ndarray:
    """What the network is fed, (C, *spatial)."""
    x, _ = preparation.prepare(image, **how)
    assert x.dtype == torch.float32
    return x[0].numpy()


def test_grey_is_repeated_for_a_colour_network():
    assert fed(COLOUR_NETWORK, np.array([[1, 2]])).tolist() == [[[1, 2]]] * 3


def test_colour_becomes_luma_for_a_grey_network():
    # 0.299 R + 0.587 G + 0.114 B
    np.testing.assert_allclose(
        fed(GREY_NETWORK, RGB, channel_axis=2), [[[18.15, 48.15]]], rtol=1e-6
    )


@pytest.mark.parametrize("axis", [2, -1])
def test_channels_go_first(axis):
    assert fed(COLOUR_NETWORK, RGB, channel_axis=axis).tolist() == [
        [[10, 40]],
        [[20, 50]],
        [[30, 60]],
    ]


@pytest.mark.parametrize("axis", [0, -3])
def test_channels_may_come_first(axis):
    image = np.moveaxis(RGB, -1, 0)
    assert fed(COLOUR_NETWORK, image, channel_axis=axis).tolist() == image.tolist()


@pytest.mark.parametrize("preparation", [GREY_NETWORK, COLOUR_NETWORK])
def test_alpha_is_left_out(preparation):
    rgba = np.concatenate([RGB, [[[7], [7]]]], axis=2)
    np.testing.assert_array_equal(
        fed(preparation, rgba, channel_axis=2), fed(preparation, RGB, channel_axis=2)
    )


@pytest.mark.parametrize("count", [2, 4, 5])
def test_as_many_channels_as_the_network_has(count):
    image = np.arange(count)[:, None, None] * np.ones((1, 3))
    network = Preparation(channels=count, value_range="none")
    np.testing.assert_array_equal(fed(network, image, channel_axis=0), image)


def test_channels_are_chosen_in_their_order():
    image = np.arange(5).reshape(1, 1, 5)
    chosen = fed(COLOUR_NETWORK, image, channel_axis=2, channels=[4, 0, 0])
    assert chosen.ravel().tolist() == [4, 0, 0]


def test_one_chosen_channel_is_grey():
    image = np.arange(5).reshape(1, 1, 5)
    assert fed(COLOUR_NETWORK, image, channel_axis=2, channels=[3]).ravel().tolist() == [3, 3, 3]


@pytest.mark.parametrize(("count", "wanted"), [(2, 1), (2, 3), (5, 1), (5, 3), (5, 4), (3, 2)])
def test_channels_that_are_advised_can_be_fed(count, wanted):
    network = Preparation(channels=wanted, value_range="none")
    image = np.zeros((count, 4, 5))
    with pytest.raises(InputError, match="choose which ones to feed") as caught:
        network.prepare(image, channel_axis=0)
    advised = str(caught.value).rpartition(" ")[2].split(",")
    assert fed(network, image, channel_axis=0, channels=list(map(int, advised))).shape[0] == wanted


def test_where_no_choice_helps_none_is_advised():
    with pytest.raises(InputError, match="an image needs as many"):
        Preparation(channels=5).prepare(np.zeros((2, 4, 5)), channel_axis=0)


def test_blue_may_come_first():
    bgr = Preparation(channels=3, value_range="none", bgr=True)
    assert fed(bgr, RGB, channel_axis=2)[:, 0, 0].tolist() == [30, 20, 10]


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (255, np.uint8, 1.0),
        (51, np.uint8, 0.2),
        (65535, np.uint16, 1.0),
        (32767, np.int16, 1.0),
        (True, bool, 1.0),
        (7.5, np.float32, 7.5),
        (-0.25, np.float64, -0.25),
        (0.5, np.float16, 0.5),
    ],
)
def test_integers_are_divided_by_the_largest_of_their_type(value, dtype, expected):
    network = Preparation(channels=1, value_range="dtype")
    np.testing.assert_allclose(fed(network, np.full((1, 1), value, dtype)), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float16, np.float32, float])
@pytest.mark.parametrize(
    ("percentiles", "expected"),
    [((0, 100), [0, 0.25, 0.5, 0.75, 1]), ((25, 75), [0, 0, 0.5, 1, 1])],
)
def test_percentiles_go_to_0_and_1(dtype, percentiles, expected):
    network = Preparation(channels=1, percentiles=percentiles)
    image = np.array([[100, 110, 120, 130, 140]], dtype=dtype)
    np.testing.assert_allclose(fed(network, image), [[expected]], atol=1e-6)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e30])
def test_percentiles_do_not_depend_on_the_unit(scale):
    network = Preparation(channels=1, percentiles=(0, 100))
    image = scale * np.array([[0, 1, 4]])
    np.testing.assert_allclose(fed(network, image), [[[0, 0.25, 1]]], atol=1e-6)


RANGES = (
    {"value_range": "percentile"},
    {"value_range": "percentile", "per_channel": True},
    {"value_range": "percentile", "clip": False},
    {"value_range": "standardised"},
)


@pytest.mark.parametrize("how", RANGES, ids=str)
@pytest.mark.parametrize("dtype", ["int64", "uint64", "float64"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("measured", [False, True])
def test_an_offset_changes_nothing(how, dtype, channels, measured):
    image = np.random.default_rng(0).integers(0, 256, (24, 20, 3)).astype(np.uint8)
    network = Preparation(channels=channels, **how)
    moved = image.astype(dtype) + np.asarray(10**9, dtype)
    expected, found = (
        fed(network.measured(x, 2) if measured else network, x, channel_axis=2)
        for x in (image, moved)
    )
    np.testing.assert_allclose(found, expected, atol=2e-6 * max(1, expected.max()))


def test_limits_are_exact_beyond_float32():
    network = Preparation(channels=1, value_range="limits", limits=(2.0**40, 2.0**40 + 4))
    image = 2**40 + np.array([[0, 1, 2, 4]])
    np.testing.assert_array_equal(fed(network, image), [[[0, 0.25, 0.5, 1]]])


@pytest.mark.parametrize("dtype", ["int32", "int64", "float64"])
def test_values_that_float32_holds_are_prepared_alike_in_any_type(dtype):
    image = np.random.default_rng(0).integers(0, 2**16, (24, 20)).astype(np.uint16)
    network = Preparation(channels=1)
    np.testing.assert_array_equal(fed(network, image.astype(dtype)), fed(network, image))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tiny_units_have_their_contrast(dtype):
    image = 1e-25 * np.array([[0, 1, 4]], dtype)
    network = Preparation(channels=1, percentiles=(0, 100))
    np.testing.assert_allclose(fed(network, image), [[[0, 0.25, 1]]], atol=1e-6)


def test_what_computing_rounds_is_no_contrast():
    image = np.full((8, 8), 0.7)
    image[::2] = np.nextafter(0.7, 1)
    assert fed(Preparation(channels=1), image).max() < 0.1


def test_channels_share_their_percentiles():
    network = Preparation(channels=3, percentiles=(0, 100))
    np.testing.assert_allclose(
        fed(network, RGB, channel_axis=2)[:, 0], [[0, 0.6], [0.2, 0.8], [0.4, 1]], atol=1e-6
    )


@pytest.mark.parametrize("value_range", ["percentile", "dtype", "none"])
@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_constant_image_stays_constant(value_range, value):
    network = Preparation(channels=1, value_range=value_range, multiple=4)
    x = fed(network, np.full((5, 3), value, np.uint8))
    assert x.shape == (1, 8, 4)
    assert np.isfinite(x).all()
    assert np.ptp(x) == 0


def test_scale_mean_and_std_are_applied_in_this_order():
    network = Preparation(channels=3, value_range="none", scale=2, mean=(1, 2, 3), std=(1, 2, 4))
    np.testing.assert_allclose(fed(network, np.array([[10]])).ravel(), [19, 9, 4.25])


def test_one_mean_serves_all_channels():
    network = Preparation(channels=3, value_range="none", mean=(1.0,), std=(2.0,))
    np.testing.assert_allclose(fed(network, np.array([[5]])).ravel(), [2, 2, 2])


def test_padding_mirrors():
    network = Preparation(channels=1, value_range="none", multiple=8)
    assert fed(network, np.array([[1, 2, 3]])).tolist() == [[[1, 2, 3, 3, 2, 1, 1, 2]] * 8]


@given(
    shape=st.lists(st.integers(1, 33), min_size=2, max_size=2),
    multiple=st.sampled_from([1, 2, 8, 16]),
    offset=st.integers(0, 3),
)
@settings(deadline=None)
def test_any_size_comes_back_to_its_pixels(shape, multiple, offset):
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    network = Preparation(channels=1, value_range="none", multiple=multiple, offset=offset)
    x, placement = network.prepare(image)
    for padded, length in zip(x.shape[2:], shape, strict=True):
        assert (padded - offset) % multiple == 0
        assert length <= padded < length + multiple + offset
    np.testing.assert_array_equal(network.restore(x, placement)[0, 0], image)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (4, 1, 17)])
def test_a_volume_comes_back_to_its_voxels(shape):
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    network = Preparation(ndim=3, channels=1, value_range="none", multiple=4)
    x, placement = network.prepare(image)
    assert all(length % 4 == 0 for length in x.shape[2:])
    np.testing.assert_array_equal(network.restore(x, placement)[0, 0], image)


@pytest.mark.parametrize("axis", [0, 3])
def test_a_volume_may_have_channels(axis):
    image = np.moveaxis(np.arange(24).reshape(2, 3, 2, 2), 0, axis)
    network = Preparation(ndim=3, channels=2, value_range="none")
    assert fed(network, image, channel_axis=axis).ravel().tolist() == list(range(24))


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_fixed_size_comes_back_to_the_image(ndim):
    network = Preparation(ndim=ndim, channels=1, value_range="none", size=(8,) * ndim)
    shape = (5, 13, 4)[:ndim]
    x, placement = network.prepare(np.full(shape, 3.0))
    restored = network.restore(x, placement)
    assert x.shape == (1, 1, *(8,) * ndim)
    np.testing.assert_allclose(restored[0, 0], np.full(shape, 3.0), rtol=1e-6)


def test_resizing_is_linear_between_pixel_centres():
    network = Preparation(channels=1, value_range="none", size=(1, 4))
    np.testing.assert_allclose(fed(network, np.array([[0.0, 8.0]])), [[[0, 2, 6, 8]]])


def test_a_coarse_output_is_interpolated_before_padding_is_cut_off():
    network = Preparation(channels=1, value_range="none", multiple=4)
    _, placement = network.prepare(np.zeros((3, 3)))
    restored = network.restore(torch.tensor([[[[0.0, 8.0]] * 2]]), placement)
    np.testing.assert_allclose(restored[0, 0], [[0, 2, 6]] * 3)


@pytest.mark.parametrize(
    ("position", "expected"),
    [((0, 0), (0.5, -0.125)), ((1, 3), (2.5, 2.125))],
)
def test_positions_follow_the_resizing(position, expected):
    placement = Placement((2, 4), (4, 3), (4, 4))
    assert placement.to_network(position) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("image", "how", "message"),
    [
        (np.zeros((0, 5)), {}, "empty"),
        (np.zeros((5, 5, 0)), {"channel_axis": 2}, "empty"),
        (np.zeros(()), {}, "2 spatial axes"),
        (np.zeros(5), {}, "2 spatial axes"),
        (np.zeros((5, 5, 3)), {}, "channel axis"),
        (np.zeros((5, 5)), {"channel_axis": 0}, "2 spatial axes"),
        (np.zeros((5, 5, 5, 3)), {"channel_axis": 3}, "2 spatial axes"),
        (np.zeros((5, 5, 3)), {"channel_axis": 3}, "axes 0 to 2"),
        (np.zeros((5, 5, 3)), {"channel_axis": -4}, "axes 0 to 2"),
        (np.zeros((5, 5, 2)), {"channel_axis": 2}, r"takes 3 .*has 2.*channels 0$"),
        (np.zeros((5, 5, 7)), {"channel_axis": 2}, r"takes 3 .*has 7.*channels 0,1,2"),
        (np.zeros((5, 5, 3)), {"channel_axis": 2, "channels": [0, 3]}, "channel 3 .* 0 to 2"),
        (np.zeros((5, 5, 3)), {"channel_axis": 2, "channels": [-1]}, "channel -1 .* 0 to 2"),
        (np.zeros((5, 5, 3)), {"channel_axis": 2, "channels": []}, "has 0"),
        (np.array([[0, np.nan]]), {}, "NaN"),
        (np.array([[0, np.inf]]), {}, "NaN"),
        (np.array([[0, 1e300]]), {}, "float32"),
        (np.zeros((5, 5), complex), {}, "complex128"),
        (np.zeros((5, 5), object), {}, "object"),
        (np.array([["a"]]), {}, "<U1"),
        (np.zeros((5, 5), "datetime64[s]"), {}, "datetime64"),
    ],
)
def test_an_image_that_does_not_fit_is_refused(image, how, message):
    with pytest.raises(InputError, match=message):
        COLOUR_NETWORK.prepare(image, **how)


def test_the_image_is_left_alone():
    image = np.array([[0.0, 5.0]])
    Preparation(channels=1, bgr=True, mean=(0.5,)).prepare(image)
    assert image.tolist() == [[0.0, 5.0]]


def test_a_table_is_read():
    table = {"ndim": 3, "channels": 2, "mean": [1, 2], "size": [4, 4, 4], "value_range": "dtype"}
    assert Preparation.from_dict(table) == Preparation(
        ndim=3, channels=2, mean=(1, 2), size=(4, 4, 4), value_range="dtype"
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"chanels": 3}, "unknown preparation chanels; known are .*channels"),
        ({"value_range": "minmax"}, "percentile, limits, dtype, none"),
        ({"ndim": 4}, "2 or 3"),
        ({"channels": "three"}, "channels = 'three' is not a positive whole number"),
        ({"percentiles": [99, 1]}, "two rising numbers"),
        ({"mean": [0.1, 0.2]}, "one for each channel"),
        ({"std": [0]}, "without zeros"),
        ({"size": [512]}, "a list of 2 positive"),
        ({"bgr": 1}, "true or false"),
    ],
)
def test_a_wrong_table_is_told_what_is_allowed(table, message):
    with pytest.raises(InputError, match=message):
        Preparation.from_dict(table)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"channels": 1}, ((64, 64), (65, 67))),
        ({"multiple": 16}, ((64, 64), (80, 112))),
        ({"multiple": 40, "offset": 1}, ((81, 81), (121, 201))),
        ({"ndim": 3, "size": (8, 9, 10)}, ((8, 9, 10),)),
        ({"size": (20, 40), "multiple": 16}, ((32, 48),)),
    ],
)
def test_example_sizes_fit_the_network(options, expected):
    assert Preparation(**options).example_sizes == expected


def test_an_image_is_standardised():
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    x, _ = Preparation(channels=1, value_range="standardised").prepare(image)
    np.testing.assert_allclose(x[0, 0], (image - 7.5) / np.std(np.arange(16)), rtol=1e-5)


def test_channels_are_standardised_one_by_one():
    image = np.stack([np.arange(16).reshape(4, 4), 100 * np.arange(16).reshape(4, 4)])
    together = Preparation(channels=2, value_range="standardised")
    alone = Preparation(channels=2, value_range="standardised", per_channel=True)
    x, _ = alone.prepare(image, channel_axis=0)
    np.testing.assert_allclose(x[0, 0], x[0, 1], atol=1e-5)
    x, _ = together.prepare(image, channel_axis=0)
    assert x[0, 0].std() < 0.1 < x[0, 1].std()


def test_a_preparation_survives_its_table():
    preparation = Preparation(ndim=3, channels=2, mean=(0.1, 0.2), size=(8, 8, 8), bgr=True)
    assert Preparation.from_dict(preparation.to_dict()) == preparation
    assert Preparation().to_dict() == {"ndim": 2, "channels": 3, "value_range": "percentile"}


def test_limits_are_0_and_1():
    preparation = Preparation(channels=1, value_range="limits", limits=(-100.0, 300.0))
    x, _ = preparation.prepare(np.array([[-500, -100], [100, 900]], np.int16))
    assert x[0, 0].tolist() == [[0, 0], [0.5, 1]]


@pytest.mark.parametrize("value_range", ["limits", "percentile"])
def test_values_beyond_0_and_1_may_stay(value_range):
    preparation = Preparation(
        channels=1, value_range=value_range, limits=(0.0, 10.0), percentiles=(25.0, 75.0)
    )
    image = np.array([[-10.0, 0.0, 5.0, 10.0, 30.0]])
    clipped, _ = preparation.prepare(image)
    kept, _ = replace(preparation, clip=False).prepare(image)
    assert clipped[0, 0, 0].tolist() == [0, 0, 0.5, 1, 1]
    assert kept[0, 0, 0].tolist() == [-1, 0, 0.5, 1, 3]


def test_where_nearly_all_pixels_are_alike_what_is_not_clipped_is_finite():
    image = np.zeros((32, 32))
    image[0, 0] = 1e30
    x, _ = Preparation(channels=1, clip=False).prepare(image)
    assert torch.isfinite(x).all()


def test_a_network_that_is_not_clipped_has_another_fingerprint():
    told = [Preparation(channels=1, clip=clip) for clip in (True, False)]
    assert len({toys.frozen(toys.Chain(), preparation=one).fingerprint for one in told}) == 2


@pytest.mark.parametrize("channel_axis", [None, 0, 2])
def test_a_part_of_an_image_is_scaled_as_the_whole(channel_axis):
    image = np.random.default_rng(0).integers(0, 4000, (40, 50, 3)).astype(np.uint16)
    image = image[..., 0] if channel_axis is None else np.moveaxis(image, 2, channel_axis)
    preparation = Preparation(channels=3, percentiles=(5.0, 95.0))
    whole, _ = preparation.prepare(image, channel_axis=channel_axis)
    measured = preparation.measured(image, channel_axis)
    part = image[:, 8:20] if channel_axis == 0 else image[8:20]
    x, _ = measured.prepare(part, channel_axis=channel_axis)
    torch.testing.assert_close(x, whole[:, :, 8:20])


@pytest.mark.parametrize("wanted", [1, 3])
@pytest.mark.parametrize("value_range", ["percentile", "standardised"])
@pytest.mark.parametrize(("count", "channels"), [(3, None), (4, None), (5, (3, 1, 0))])
def test_only_what_the_network_is_fed_is_measured(value_range, wanted, count, channels):
    image = np.random.default_rng(0).integers(0, 120, (20, 30, count)).astype(np.uint8)
    image[..., 0] //= 3
    image[..., 3:] += 130
    preparation = Preparation(channels=wanted, value_range=value_range)
    whole, _ = preparation.prepare(image, channel_axis=2, channels=channels)
    measured = preparation.measured(image, 2, channels)
    part, _ = measured.prepare(image[4:9], channel_axis=2, channels=channels)
    torch.testing.assert_close(part, whole[:, :, 4:9], atol=1e-5, rtol=1e-4)


def test_a_huge_image_is_measured_on_some_of_its_pixels():
    image = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (90_000, 90_000), (0, 0))
    assert Preparation(channels=1).measured(image).value_range == "limits"


@pytest.mark.parametrize(
    "preparation",
    [Preparation(value_range="none"), Preparation(per_channel=True)],
)
def test_what_is_not_measured_on_the_whole_stays(preparation):
    assert preparation.measured(np.zeros((4, 4, 3)), -1) is preparation


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("value_range", ["dtype", "standardised", "none"])
def test_a_part_counts_as_in_the_whole_whatever_its_type(value_range, dtype):
    image = np.random.default_rng(0).integers(0, 120, (20, 30)).astype(dtype)
    preparation = Preparation(
        channels=1, value_range=value_range, scale=2.0, mean=(0.5,), std=(3.0,)
    )
    whole, _ = preparation.prepare(image)
    part, _ = preparation.measured(image).prepare(image[4:9].astype(np.float32))
    torch.testing.assert_close(part, whole[:, :, 4:9], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("value", [0, 7, -3])
def test_an_image_of_one_value_is_0_everywhere(value):
    image = np.full((4, 5), value, np.int16)
    x, _ = Preparation(channels=1).measured(image).prepare(image)
    assert not x.any()
