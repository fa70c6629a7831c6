"""What the user does to the image itself, later: our layers and labels follow it."""

import numpy as np
import pytest
from napari.layers import Layer

from napari_guideme.widgets.geometry import PLACING, geometry

from .conftest import finish, is_busy, open_widget

CHANGES = {
    "scale": (0.5, -0.25),
    "translate": (10, -20),
    "rotate": 30,
    "shear": [0.2],
    "affine": np.array([[1, 0.1, 3], [0, 1, 4], [0, 0, 1]]),
    "units": ("um", "um"),
    "axis_labels": ("down", "along"),
    "metadata": {"stain": "DAB"},
}


def placed(layer: Layer) -> list[str]:
    return [str(np.asarray(geometry(layer)[name]).tolist()) for name in PLACING]


@pytest.mark.parametrize("change", CHANGES)
def test_layers_lie_where_their_image_was_moved_to(guide, viewer, qtbot, change):
    image = viewer.layers["tissue"]
    finish(qtbot, guide, lambda: guide.controller.layers.clicks.add((60, 70)))
    guide.keep.click()
    qtbot.waitUntil(lambda: "kept labels (tissue)" in viewer.layers)
    before = placed(image)
    setattr(image, change, CHANGES[change])
    assert placed(image) != before
    assert len(viewer.layers) == 4
    for layer in viewer.layers:
        assert placed(layer) == placed(image), layer.name


def test_clicks_count_where_they_are_seen_after_the_image_was_moved(guide, viewer, qtbot):
    controller = guide.controller
    viewer.layers["tissue"].scale = (0.5, 0.5)
    viewer.layers["tissue"].translate = (10, 20)
    clicks = controller.layers.clicks
    finish(qtbot, guide, lambda: clicks.add(clicks.world_to_data((10 + 30, 20 + 35))))
    assert [hint.at for hint in controller.session.hints] == [(60, 70)]
    assert guide.undo.isEnabled()


def test_a_stack_whose_slices_lie_further_apart_is_corrected_anew(viewer, nuclei, qtbot):
    image = viewer.add_image(nuclei, name="nuclei")
    widget = open_widget(viewer, qtbot)
    finish(qtbot, widget, widget.run.click)
    controller = widget.controller
    part = (viewer.dims.current_step[0], 40, 50)
    finish(qtbot, widget, lambda: controller.layers.clicks.add(part))
    before = controller.session
    for scale, known in (((0.5, 0.5, 0.5), before), ((3, 1, 1), None)):
        image.scale = scale
        viewer.dims.set_point(0, part[0] * scale[0])
        assert controller.session is known
    finish(qtbot, widget, widget.run.click)
    assert [hint.at for hint in controller.session.hints] == [part[1:]]
    assert widget.carry.carrier.stack.spacing == (3, 1, 1)


def test_other_pixels_of_the_same_shape_are_labelled_with_the_same_hints(guide, viewer, qtbot):
    controller, image = guide.controller, viewer.layers["tissue"]
    finish(qtbot, guide, lambda: controller.layers.clicks.add((60, 70)))
    before = controller.session.labels()
    image.data = 255 - image.data
    assert controller.session is None
    assert "Press Run" in guide.status.text()
    finish(qtbot, guide, guide.run.click)
    assert [hint.at for hint in controller.session.hints] == [(60, 70)]
    assert (controller.session.labels() != before).any()
    assert len(viewer.layers) == 3


def test_pixels_of_another_shape_begin_anew_and_nothing_is_lost(guide, viewer, qtbot):
    controller, image = guide.controller, viewer.layers["tissue"]
    finish(qtbot, guide, lambda: controller.layers.clicks.add((60, 70)))
    labels, clicks = controller.layers.labels, controller.layers.clicks
    image.data = image.data[:60, :50]
    assert controller.session is None
    finish(qtbot, guide, guide.run.click)
    assert controller.session.labels().shape == (60, 50)
    np.testing.assert_array_equal(controller.layers.labels.data, controller.session.labels())
    assert labels in viewer.layers
    np.testing.assert_array_equal(clicks.data, [(60, 70)])
    finish(qtbot, guide, lambda: controller.layers.clicks.add((30, 20)))
    assert [hint.at for hint in controller.session.hints] == [(30, 20)]


def test_other_pixels_while_the_network_runs(guide, viewer, qtbot):
    controller, image = guide.controller, viewer.layers["tissue"]
    controller.layers.clicks.add((60, 70))
    image.data = image.data[:60, :50]
    qtbot.waitUntil(lambda: not is_busy(guide))
    assert controller.session is None
    finish(qtbot, guide, guide.run.click)
    assert controller.layers.labels.data.shape == (60, 50)
