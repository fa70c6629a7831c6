"""Outlines of one object, carried through a volume."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_guideme import InputError, carry_outlines
from napari_guideme.cli import main
from tests.test_cli import hints_file

DEPTH, SIDE, RADIUS = 12, 96, 14


def disc(row: float, column: float, radius: float = RADIUS) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """A thing on slices 1 to 9 that moves by four pixels a slice."""
    slices = [disc(30 + 4 * i, 40 + 2 * i) for i in range(DEPTH)]
    return np.stack([s if 1 <= i <= 9 else np.zeros_like(s) for i, s in enumerate(slices)])


@pytest.fixture(scope="module")
def volume(truth) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=truth.shape)
    texture = ndimage.gaussian_filter(noise, (0, 2, 2)) * 20
    return (60 + 120 * truth + texture).clip(0, 255).astype(np.uint8)


def drawn(volume: np.ndarray, outlines: dict[int, np.ndarray], **told) -> np.ndarray:
    labels = np.zeros(volume.shape[:3], bool)
    for index, outline in outlines.items():
        labels[index] = outline
    for step in carry_outlines(volume, outlines, **told):
        assert step.index not in outlines
        labels[step.index] = step.mask
    return labels


def iou(some: np.ndarray, other: np.ndarray) -> float:
    return float((some & other).sum() / (some | other).sum())


def test_an_outline_follows_its_object_and_ends_with_it(volume, truth):
    labels = drawn(volume, {5: truth[5]})
    assert iou(labels, truth) > 0.9
    assert labels[1].any()
    assert labels[9].any()
    assert not labels[[0, 10, 11]].any()


def test_without_the_check_it_goes_on(volume, truth):
    assert drawn(volume, {5: truth[5]}, check=False)[[0, 10]].any((1, 2)).all()


def test_between_two_outlines_each_slice_follows_the_nearer_one(volume, truth):
    """The check counts beyond them only: in between nobody doubts that it is there."""
    other = volume.copy()
    other[4] = 60
    outlines = {2: truth[2], 8: truth[8]}
    labels = drawn(other, outlines)
    assert labels[4].any()
    inner = {2: truth[2], 8: ndimage.binary_erosion(truth[8], iterations=4)}
    steps = {step.index: step for step in carry_outlines(volume, inner)}
    sizes = {index: step.mask.sum() / truth[index].sum() for index, step in steps.items()}
    assert sizes[5] == pytest.approx(1, abs=0.1)
    assert sizes[6] == pytest.approx(0.5, abs=0.1)
    assert [s.total for s in steps.values()] == [DEPTH - 2] * len(steps)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_along_any_axis_and_in_colour(volume, truth, axis):
    turned = np.moveaxis(volume, 0, axis)
    grey = [(s.index, s.mask) for s in carry_outlines(turned, {5: truth[5]}, axis=axis)]
    colours = np.stack([turned] * 3, 1)
    coloured = carry_outlines(colours, {5: truth[5]}, axis=axis, channel_axis=1)
    for (index, mask), step in zip(grey, coloured, strict=True):
        assert index == step.index
        np.testing.assert_array_equal(mask, step.mask)


def test_it_fits_less_where_it_looks_otherwise(volume, truth):
    darker = volume.astype(np.float32)
    darker[6][truth[6]] -= 45
    fits = {s.index: s.fit for s in carry_outlines(darker, {5: truth[5]}, check=False)}
    assert fits[4] > 0.9 > fits[6]


@pytest.mark.parametrize(
    ("outlines", "told"),
    [
        ({}, "outline the object on a slice first"),
        ({12: np.ones((SIDE, SIDE))}, "choose 0 to 11"),
        ({3: np.ones((SIDE, 5))}, "shape"),
        ({3: np.zeros((SIDE, SIDE))}, "must have pixels"),
        ([np.ones((SIDE, SIDE))], "outlines has to be a mapping"),
        ({"3": np.ones((SIDE, SIDE))}, "each slice of outlines has to be a whole number"),
    ],
)
def test_what_cannot_be_carried(volume, outlines, told):
    with pytest.raises(InputError, match=told):
        next(carry_outlines(volume, outlines))


def test_in_a_shell(volume, truth, tmp_path):
    path, out, told = tmp_path / "volume.tif", tmp_path / "out.tif", tmp_path / "report.json"
    tifffile.imwrite(path, volume, metadata={"axes": "ZYX"}, photometric="minisblack")
    hints = hints_file(
        tmp_path,
        clicks=[
            {"at": (5, 50, 50), "class": "object"},
            {"at": (5, 10, 80), "class": "background"},
        ],
    )
    words = ["refine", path, "--network", "click", "--hints", hints, "-o", out, "--json", told]
    assert main([*map(str, words)]) == 0
    alone = tifffile.imread(out) > 0
    assert iou(alone[5], truth[5]) > 0.8
    assert not alone[[4, 6]].any()
    assert main([*map(str, [*words, "--carry", "onward"])]) == 0
    labels = tifffile.imread(out) > 0
    assert iou(labels, truth) > 0.7
    report = json.loads(told.read_text())
    states = [entry["state"] for entry in report["slices"]]
    assert states[5] == "corrected"
    assert (states[0], states[4], states[6], states[11]) == ("own", "carried", "carried", "own")
    assert (report["hints"], report["satisfied"], report["carried"]) == (2, 2, "onward")
