"""An image that is not seen is said to be hidden."""

from __future__ import annotations

import pytest

from .conftest import finish, open_widget


@pytest.fixture
def widget(viewer, tissue, qtbot):
    """Beside two pictures, the second of which lies over the first one, which is chosen."""
    for name in ("under", "over"):
        viewer.add_image(tissue, rgb=True, name=name)
    return open_widget(viewer, qtbot)


def told(widget, qtbot) -> str:
    qtbot.wait(20)
    return "" if widget.cover.isHidden() else widget.cover.told.text()


def test_what_lies_over_the_image_is_told(widget, viewer, tissue, qtbot):
    assert "<b>over</b> lies over it" in told(widget, qtbot)
    for change in ({"opacity": 0.5}, {"blending": "additive"}, {"translate": (500, 0)}):
        for name, value in change.items():
            before = getattr(viewer.layers["over"], name)
            setattr(viewer.layers["over"], name, value)
            assert not told(widget, qtbot)
            setattr(viewer.layers["over"], name, before)
            assert told(widget, qtbot)
    viewer.layers.move(1, 0)
    assert not told(widget, qtbot)


def test_a_hidden_image_is_told(widget, viewer, qtbot):
    widget.image.value = viewer.layers["over"]
    assert not told(widget, qtbot)
    viewer.layers["over"].visible = False
    assert "<b>over</b> is hidden" in told(widget, qtbot)
    widget.cover.alone.click()
    assert not told(widget, qtbot)
    assert viewer.layers["over"].visible
    assert viewer.layers["under"].visible


def test_layers_of_another_image_come_back_with_it(widget, viewer, qtbot):
    finish(qtbot, widget, widget.run.click)
    first = widget.controller.layers
    widget.image.value = viewer.layers["over"]
    assert "labels (under)" in told(widget, qtbot) or "clicks (under)" in told(widget, qtbot)
    widget.cover.alone.click()
    assert not told(widget, qtbot)
    assert not first.labels.visible
    finish(qtbot, widget, widget.run.click)
    widget.image.value = viewer.layers["under"]
    assert "lies over it" in told(widget, qtbot)
    assert first.labels.visible
    widget.cover.alone.click()
    assert not told(widget, qtbot)
    assert first.labels.visible
    assert not viewer.layers["over"].visible


def test_what_the_user_hides_of_an_image_stays_hidden(widget, viewer, qtbot):
    finish(qtbot, widget, widget.run.click)
    first = widget.controller.layers
    first.labels.visible = False
    for name in ("over", "under"):
        widget.image.value = viewer.layers[name]
        widget.cover.alone.click()
    assert not first.labels.visible
