"""Layers an axis of which holds channels are pictures of several channels, not stacks."""

from __future__ import annotations

import itertools

import dask.array as da
import numpy as np
import pytest
import tifffile
from napari.layers import Image

from napari_guideme import Click, GuideSession, open_network
from napari_guideme.cli import main
from napari_guideme.widgets.channels import MovedAxis
from napari_guideme.widgets.geometry import geometry, to_world
from napari_guideme.widgets.rearranged import full_resolution

from .conftest import finish, open_widget

PLACED = {"scale": (7, 2, 3), "translate": (9, 5, -4)}


def labels_of(widget) -> np.ndarray:
    return np.asarray(widget.controller.layers.labels.data)


def alone(pixels, *hints, spacing=(2, 3)) -> np.ndarray:
    """Labels of a picture with its channels last, in a session of its own."""
    session = GuideSession(pixels, open_network("nuclei"), channel_axis=-1, spacing=spacing)
    session.add(*hints)
    for _ in session.refine():
        pass
    return session.labels()


def test_an_axis_called_channels_is_none_of_slices(viewer, tissue, qtbot):
    widened = np.diag([1.0, 1, 2, 1])
    widened[1, 3] = 11
    viewer.add_image(
        np.moveaxis(tissue, -1, 0),
        axis_labels=("Channel", "y", "x"),
        units=("pixel", "um", "um"),
        affine=widened,
        metadata={"mine": 1},
        **PLACED,
    )
    widget = open_widget(viewer, qtbot)
    assert widget.channels.axis == 0
    finish(qtbot, widget, widget.run.click)
    layer = widget.controller.layers.labels
    np.testing.assert_array_equal(layer.data, alone(tissue, spacing=(2, 6)))
    np.testing.assert_array_equal(layer.scale, (2, 3))
    np.testing.assert_array_equal(layer.translate, (5, -4))
    np.testing.assert_array_equal(layer.affine.affine_matrix, widened[1:, 1:])
    assert layer.axis_labels == ("y", "x")
    assert list(map(str, layer.units)) == ["micrometer"] * 2
    assert layer.metadata == {"mine": 1}
    assert widget.controller.layers.clicks.ndim == 2


def test_the_user_says_that_slices_are_channels(viewer, tissue, qtbot):
    image = viewer.add_image(np.moveaxis(tissue, -1, 0), rgb=False, **PLACED)
    widget = open_widget(viewer, qtbot)
    assert widget.channels.isVisibleTo(widget)
    assert widget.channels.axis is None
    finish(qtbot, widget, widget.run.click)
    of_stack = widget.controller.layers.labels
    assert of_stack.data.shape == (3, *tissue.shape[:2])
    widget.channels.choose(0)
    assert not of_stack.visible
    assert widget.controller.session is None
    finish(qtbot, widget, widget.run.click)
    first = labels_of(widget).copy()
    np.testing.assert_array_equal(first, alone(tissue))
    at = tuple(map(float, np.argwhere(first == 1)[0]))
    widget.controller.choose_class("background")
    clicks = widget.controller.layers.clicks
    finish(qtbot, widget, lambda: clicks.add(at))
    np.testing.assert_array_equal(labels_of(widget), alone(tissue, Click(at, "background")))
    np.testing.assert_allclose(clicks.data_to_world(at), to_world(image, at))
    widget.channels.choose(None)
    finish(qtbot, widget, widget.run.click)
    assert labels_of(widget).shape == (3, *tissue.shape[:2])


def test_slices_of_several_channels_are_read_one_by_one(viewer, tissue, qtbot):
    read = []

    def block(block_info=None):
        channel, plane, *_ = block_info[None]["chunk-location"]
        read.append(plane)
        return np.roll(tissue, plane, 0)[..., channel][None, None]

    chunks = ((1,) * 3, (1,) * 5, *((n,) for n in tissue.shape[:2]))
    volume = da.map_blocks(block, chunks=chunks, dtype=tissue.dtype, meta=np.empty((0,) * 4))
    axes = ("c", "z", "y", "x")
    viewer.add_image(volume, rgb=False, axis_labels=axes, contrast_limits=(0, 255))
    viewer.dims.set_current_step(1, 2)
    widget = open_widget(viewer, qtbot)
    read.clear()
    finish(qtbot, widget, widget.run.click)
    assert {*read} == {2}
    labels = labels_of(widget)
    assert labels.shape == (5, *tissue.shape[:2])
    np.testing.assert_array_equal(labels[2], alone(np.roll(tissue, 2, 0), spacing=(1, 1)))
    assert not labels[[0, 1, 3, 4]].any()


@pytest.mark.parametrize("axis", [0, 1])
def test_a_session_of_channels_is_opened_and_replayed(viewer, tissue, qtbot, tmp_path, axis):
    image, replayed = tmp_path / "tissue.tif", tmp_path / "labels.tif"
    tifffile.imwrite(image, np.moveaxis(tissue, -1, axis), photometric="minisblack")
    viewer.open(image, plugin="napari")
    widget = open_widget(viewer, qtbot)
    widget.channels.choose(axis)
    finish(qtbot, widget, widget.run.click)
    at = tuple(map(float, np.argwhere(labels_of(widget) == 1)[0]))
    widget.controller.choose_class("background")
    finish(qtbot, widget, lambda: widget.controller.layers.clicks.add(at))
    before, file = labels_of(widget).copy(), tmp_path / "work.guideme.json"
    widget.sessions.save_to(file)
    qtbot.waitUntil(file.exists, timeout=20_000)
    finish(qtbot, widget, widget.clear.click)
    assert (labels_of(widget) != before).any()
    finish(qtbot, widget, lambda: widget.sessions.open_from(file))
    np.testing.assert_array_equal(labels_of(widget), before)
    viewer.layers.clear()
    viewer.open(image, plugin="napari")
    assert widget.channels.axis is None
    finish(qtbot, widget, lambda: widget.sessions.open_from(file))
    assert widget.channels.axis == axis, "the session knows which axis holds channels"
    np.testing.assert_array_equal(labels_of(widget), before)
    assert main(["replay", str(file), "-o", str(replayed)]) == 0
    np.testing.assert_array_equal(tifffile.imread(replayed), before)


@pytest.mark.parametrize("axis", [1, 2])
def test_channels_along_any_axis_are_shown_with_that_axis_first(viewer, tissue, qtbot, axis):
    picture = np.moveaxis(tissue, -1, axis)
    geometry = {"scale": (7, 2, 3), "translate": (9, 5, -4)}
    image = viewer.add_image(
        picture,
        rgb=False,
        name="cells",
        units=("um", "mm", "pixel"),
        metadata={"mine": 1},
        **geometry,
    )
    widget = open_widget(viewer, qtbot)
    widget.channels.choose(axis)
    layer = widget.image.value
    assert layer is not image
    assert list(viewer.layers) == [layer]
    assert layer.data._array is picture, "nothing was copied"
    assert layer.name == "cells"
    assert widget.channels.axis == axis
    assert list(viewer.dims.nsteps) == [3, *tissue.shape[:2]]
    rest = [other for other in range(3) if other != axis]
    finish(qtbot, widget, widget.run.click)
    labels = widget.controller.layers.labels
    np.testing.assert_array_equal(
        labels.data, alone(tissue, spacing=np.asarray(geometry["scale"])[rest])
    )
    for name in ("scale", "translate", "units"):
        assert list(getattr(labels, name)) == [getattr(image, name)[other] for other in rest]
    assert labels.metadata == {"mine": 1}
    widget.channels.choose(None)
    assert widget.image.value is image
    assert image in viewer.layers
    assert layer not in viewer.layers


def test_a_layer_that_is_sheared_along_its_channels_is_left_as_it_is(viewer, qtbot):
    viewer.add_image(np.zeros((5, 6, 7)), shear=(0.2, 0, 0))
    widget = open_widget(viewer, qtbot)
    with qtbot.waitSignal(widget.controller.problem) as caught:
        widget.channels.choose(1)
    assert "sheared along axis 1" in caught.args[0]
    assert widget.channels.axis is None
    assert len(viewer.layers) == 1


def test_a_session_of_the_shell_tells_which_axis_holds_channels(viewer, tissue, qtbot, tmp_path):
    image, hints, refined, file = (
        tmp_path / name for name in ("tissue.tif", "hints.json", "refined.tif", "it.guideme.json")
    )
    tifffile.imwrite(image, np.moveaxis(tissue, -1, 1), photometric="minisblack")
    hints.write_text('{"clicks": [{"at": [20, 20], "class": "nucleus"}]}')
    told = ["--channel-axis", "1", "--hints", str(hints), "--save-session", str(file)]
    assert main(["refine", str(image), "--network", "nuclei", *told, "-o", str(refined)]) == 0
    viewer.open(image, plugin="napari")
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, lambda: widget.sessions.open_from(file))
    assert widget.channels.axis == 1
    np.testing.assert_array_equal(labels_of(widget), tifffile.imread(refined))


@pytest.mark.parametrize(("shape", "rgb"), [((8, 9), False), ((8, 9, 3), True)])
def test_where_no_axis_is_to_spare_nothing_is_asked(viewer, qtbot, shape, rgb):
    viewer.add_image(np.zeros(shape), rgb=rgb)
    widget = open_widget(viewer, qtbot)
    assert not widget.channels.isVisibleTo(widget)


def test_a_turned_layer_leaves_its_picture_where_it_lies():
    turned = np.eye(4)
    turned[2:, 2:] = [[0.6, -0.8], [0.8, 0.6]]
    layer = Image(
        np.zeros((2, 5, 6, 7)),
        axis_labels=("c", "z", "y", "x"),
        rotate=turned,
        shear=(0, 0, 0, 0, 0, 0.2),
        scale=(9, 3, 2, 1),
    )
    other, at = Image(np.zeros((5, 6, 7)), **geometry(layer)), (1.0, 2.0, 3.0)
    np.testing.assert_allclose(other.data_to_world(at), to_world(layer, at))


@pytest.mark.parametrize(("source", "target"), [(0, -1), (1, 0), (2, 0), (1, 2), (3, 1)])
def test_an_axis_is_moved_whatever_is_read(source, target):
    whole = np.arange(120).reshape(2, 3, 4, 5)
    moved, expected = MovedAxis(whole, source, target), np.moveaxis(whole, source, target)
    assert (moved.shape, moved.dtype, moved.ndim) == (expected.shape, expected.dtype, 4)
    np.testing.assert_array_equal(np.asarray(moved), expected)
    for cut in itertools.product([0, slice(None), slice(1, None)], repeat=4):
        np.testing.assert_array_equal(moved[cut], expected[cut])
    np.testing.assert_array_equal(moved[1], expected[1])


def test_channels_are_read_last():
    layer = Image(np.arange(24).reshape(2, 3, 4), axis_labels=("c", "y", "x"))
    array, expected = full_resolution(layer), np.moveaxis(layer.data, 0, -1)
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(np.asarray(array), expected)
    np.testing.assert_array_equal(array[1, :], expected[1])
    np.testing.assert_array_equal(array[:, 2, 1:], expected[:, 2, 1:])


def test_two_channels_for_a_network_of_colours_are_told_what_to_do(viewer, tissue, qtbot):
    axes = ("c", "y", "x")
    viewer.add_image(tissue[..., :2].transpose(2, 0, 1), name="pair", axis_labels=axes)
    widget = open_widget(viewer, qtbot)
    with qtbot.waitSignal(widget.controller.problem, timeout=60_000) as caught:
        widget.run.click()
    assert "pair has 2 channels; choose No channels" in caught.args[0]
