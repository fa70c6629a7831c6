"""A click that refuses the middle of what was found asks for a smaller thing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_guideme.evaluation.datasets import Item
from napari_guideme.evaluation.noc import in_session, outlined
from napari_guideme.files import open_image, read_labels
from napari_guideme.guidance.zoom import Window
from napari_guideme.hints import Click, Hints
from napari_guideme.networks.catalogue import open_network
from napari_guideme.outlines import Patch
from napari_guideme.refusing import on_object, smaller, within

CLASSES = ("background", "object")
SHAPE = (64, 64)
WINDOW = Window((0, 0), SHAPE, SHAPE)
ON, BESIDE = Click((32, 20), "object"), Click((32, 40), "background")


def pixels(*clicks):
    return Hints(clicks).pixels(SHAPE, CLASSES)


def patch(*holes) -> Patch:
    """All of the window but for some holes."""
    logits = torch.ones(SHAPE)
    for hole in holes:
        logits[hole] = -1
    return Patch(WINDOW, logits)


def test_hints_of_a_window_and_of_the_object():
    hinted = pixels(ON, BESIDE)
    left = within(hinted, Window((0, 0), (64, 40), (64, 40)))
    np.testing.assert_array_equal(left.positions, [(32, 20)])
    np.testing.assert_array_equal(on_object(hinted).positions, [(32, 20)])
    assert len(within(hinted, WINDOW)) == 2


def test_a_refused_place_that_stays_asks_for_a_smaller_thing():
    # 20 pixels lie between both: 14 of them are looked at, around the click on the object.
    found = smaller(patch(), patch(np.s_[31:34, 39:42]), pixels(ON, BESIDE))
    np.testing.assert_array_equal(found, [(18, 6), (46, 34)])


@pytest.mark.parametrize(
    ("before", "now", "clicks"),
    [
        (patch(), patch(np.s_[:, 30:]), (ON, BESIDE)),
        (patch(np.s_[:, 44:]), patch(np.s_[:, 38:]), (ON, BESIDE)),
        (patch(np.s_[30:35, 38:43]), patch(np.s_[30:35, 38:43]), (ON, BESIDE)),
        (patch(), patch(), (BESIDE,)),
        (patch(), patch(), (ON,)),
    ],
    ids=["followed", "near the outline", "not there", "no object", "nothing refused"],
)
def test_else_nothing_closer_is_looked_at(before, now, clicks):
    assert smaller(before, now, pixels(*clicks)) is None


def test_the_nearest_of_several_refused_places_tells_how_close():
    found = smaller(patch(), patch(), pixels(ON, BESIDE, Click((32, 30), "background")))
    np.testing.assert_array_equal(found, [(25, 13), (39, 27)])


@pytest.fixture
def scan(shared) -> Item:
    """A slice through a body; the truth is its left kidney."""
    folder = shared / "data/ct_organs/ct_small"
    slice_ = np.asarray(open_image(folder / "image.nii.gz").pixels)[15]
    grey = (np.clip((slice_ + 160) / 400, 0, 1) * 255).astype(np.uint8)
    kidney = (read_labels(folder / "labels.nii.gz")[15] == 2).astype(int)
    return Item("scan", grey, None, kidney, np.array([0, 1]))


def test_an_organ_is_found_in_the_body_that_the_first_click_finds(scan):
    outlining = in_session(scan, open_network("click", device="cpu"), "f-brs-b")
    course = outlined(outlining, scan.truth, 8, scan)
    assert course.ious[0] < 0.1
    assert course.ious[-1] > 0.7
    assert not any(course.unmet)
