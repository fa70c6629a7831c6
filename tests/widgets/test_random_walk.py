"""Whatever is done in whatever order, labels and hints are those of the session that is shown."""

from __future__ import annotations

import random

import numpy as np
import pytest
from skimage.color import rgb2gray

from napari_guideme.hints import Click
from napari_guideme.object_session import ObjectSession
from napari_guideme.widgets.slices import shown_slice

from .conftest import drag, is_busy, open_widget

STEPS = 60
SAID = ("find the nucleus on the left", "there is no nucleus on the top", "remove the border")


class Walk:
    """A user who does anything at all, the same in every run."""

    def __init__(self, viewer, widget, seed: int) -> None:
        self.viewer, self.widget, self.controller = viewer, widget, widget.controller
        self.images = list(viewer.layers)
        self.random = random.Random(seed)

    def place(self) -> tuple[float, ...]:
        part = shown_slice(self.viewer, self.controller.image)
        return tuple(part.embed([self.random.randrange(n) for n in part.shape]))

    def choose_class(self) -> None:
        self.controller.choose_class(self.random.choice(self.controller.classes))

    def click(self) -> None:
        self.choose_class()
        self.controller.layers.clicks.add(self.place())

    def unclick(self) -> None:
        clicks = self.controller.guide_layers().clicks
        if len(clicks.data):
            clicks.selected_data = {self.random.randrange(len(clicks.data))}
            clicks.remove_selected()

    def paint(self) -> None:
        self.choose_class()
        self.widget.paint.click()
        self.draw(self.controller.layers.scribbles)

    def paint_labels(self) -> None:
        self.choose_class()
        labels = self.controller.layers.labels
        labels.mode = self.random.choice(["paint", "erase"])
        self.draw(labels)

    def draw(self, layer) -> None:
        layer.brush_size = self.random.choice([1, 4, 20])
        drag(self.viewer, layer, [self.place(), self.place()])

    def say(self) -> None:
        if self.widget.words.isVisibleTo(self.widget):
            self.widget.words.line.setText(self.random.choice(SAID))
            self.widget.words.line.returnPressed.emit()

    def choose_image(self) -> None:
        self.widget.image.value = self.random.choice(self.images)

    def choose_network(self) -> None:
        label = self.random.choice(["nuclei", "click"])
        self.widget.network.combo.setCurrentText(label)
        self.widget.network.chosen.emit(label)

    def choose_method(self) -> None:
        methods = self.widget.advanced.method
        methods.setCurrentIndex(self.random.randrange(methods.count()))

    def choose_slice(self) -> None:
        self.viewer.dims.set_current_step(0, self.random.randrange(2))

    def keep(self) -> None:
        objects = self.widget.objects.isVisibleTo(self.widget)
        (self.widget.objects.next if objects else self.widget.keep).click()

    def rename(self) -> None:
        self.random.choice(list(self.viewer.layers)).name = "renamed"
        self.viewer.layers.move(self.random.randrange(len(self.viewer.layers)), 0)

    def measure(self) -> None:
        image = self.random.choice(self.images)
        image.scale = self.random.choice([1, 0.5, -2]) * np.ones(image.ndim)

    def replace_pixels(self) -> None:
        image = self.random.choice(self.images)
        image.data = image.data[..., ::-1, :] if image.rgb else image.data[::-1]

    def cancel(self) -> None:
        for button in (self.widget.run, self.widget.cancel, self.widget.run):
            button.click()

    def step(self) -> str:
        """Do something, and tell what."""
        widget = self.widget
        doings = [self.click, self.click, self.paint, self.unclick, self.say, self.keep]
        doings += [self.choose_image, self.choose_network, self.choose_method, self.choose_slice]
        doings += [self.paint_labels, self.measure, self.replace_pixels]
        doings += [self.rename, self.cancel, *(b.click for b in (widget.undo, widget.redo))]
        doing = self.random.choice([*doings, widget.undo.click, widget.clear.click])
        doing()
        return str(doing)


@pytest.mark.parametrize("seed", [0, 1])
def test_labels_and_hints_are_those_of_the_session(viewer, tissue, qtbot, seed):
    small = tissue[:72, :80]
    viewer.add_image(small, rgb=True, name="picture")
    viewer.add_image(np.stack([rgb2gray(small)] * 2), name="stack", scale=(2, 1, -1))
    widget = open_widget(viewer, qtbot)
    walk, done, checked = Walk(viewer, widget, seed), [], 0
    for _ in range(STEPS):
        done.append(walk.step())
        qtbot.wait(5)
        qtbot.waitUntil(lambda: not is_busy(widget), timeout=60_000)
        controller = widget.controller
        session, layers = controller.session, controller.layers
        if session is None:
            continue
        checked += 1
        part = shown_slice(viewer, controller.image)
        clicks = {hint for hint in layers.hints(part) if isinstance(hint, Click)}
        assert clicks == {hint for hint in session.hints if isinstance(hint, Click)}, done[-5:]
        assert widget.classes.checkedButton().text() == layers.current_class, done[-5:]
        labels = session.labels() if not isinstance(session, ObjectSession) else None
        if labels is not None:
            np.testing.assert_array_equal(layers.shown_labels(part), labels, str(done[-5:]))
    assert checked > STEPS / 2
