from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_guideme.widgets.flight import show_slice
from napari_guideme.widgets.slices import Slice, shown_slice
from tests.widgets.conftest import finish, open_widget

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")


def turned(angle: float, one: int, other: int) -> np.ndarray:
    matrix = np.eye(4)
    matrix[one, one] = matrix[other, other] = np.cos(angle)
    matrix[other, one] = np.sin(angle)
    matrix[one, other] = -matrix[other, one]
    return matrix


@pytest.fixture
def scan(viewer, nuclei):
    """A stack that lies askew in the world, as scans of tilted patients do."""
    affine = turned(0.15, 0, 1) @ turned(0.1, 0, 2) @ np.diag([3.0, 1, 1, 1])
    return viewer.add_image(nuclei, name="scan", affine=affine)


def seen(scan) -> int:
    """Number of the slice whose pixels napari draws."""
    (number,) = [n for n, s in enumerate(scan.data) if (s == scan._slice.image.view).all()]
    return number


def test_the_slice_is_the_one_that_napari_draws(viewer, scan):
    for position in range(int(viewer.dims.nsteps[0])):
        viewer.dims.set_current_step(0, position)
        index = shown_slice(viewer, scan).index[0]
        if 0 < index < len(scan.data) - 1:
            assert index == seen(scan)


def test_a_slice_that_is_to_be_shown_is_drawn(viewer, scan):
    for number in (2, 5):
        show_slice(viewer, Slice(scan, (1, 2), (number, 0, 0)))
        assert seen(scan) == number


def test_a_click_counts_where_it_is_seen(make_napari_viewer, nuclei, qtbot):
    viewer = make_napari_viewer(show=True)
    affine = turned(0.15, 0, 1) @ turned(0.1, 0, 2) @ np.diag([3.0, 1, 1, 1])
    scan = viewer.add_image(nuclei, name="scan", affine=affine)
    widget = open_widget(viewer, qtbot)
    show_slice(viewer, Slice(scan, (1, 2), (4, 0, 0)))
    widget.point.click()
    canvas = viewer.window._qt_viewer.canvas
    row, column = affine[1:3, 1:3] @ (40, 60)
    at = canvas.view.scene.transform.map([column, row, 0, 1])[:2]
    pointer = QPoint(*map(round, at))
    qtbot.mouseMove(canvas.native, pointer)
    finish(
        qtbot,
        widget,
        lambda: qtbot.mouseClick(canvas.native, Qt.MouseButton.LeftButton, pos=pointer),
    )
    np.testing.assert_allclose(widget.controller.layers.clicks.data, [(4, 40, 60)], atol=1)
    assert len(widget.controller.session.hints) == 1


def test_the_brush_is_refused_that_would_paint_in_other_slices(viewer, scan, qtbot):
    widget = open_widget(viewer, qtbot)
    with qtbot.waitSignal(widget.controller.problem) as told:
        widget.paint.click()
    assert "askew" in told.args[0]
    assert not widget.hand._is_painting


def test_a_click_where_the_image_is_not_shown_is_told(guide, viewer, qtbot):
    viewer.add_image(np.zeros((3, 8, 8)), name="stack")
    viewer.dims.order = (1, 2, 0)
    with qtbot.waitSignal(guide.controller.problem) as told:
        guide.controller.layers.clicks.add((40, 50))
    assert "no two axes" in told.args[0]
